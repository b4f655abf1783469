"""The report: all that was found about a project in one HTML file that fetches nothing."""

import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any

from db import library, ratings, results, runs
from trainer.effective import inert
from workbench import views
from workbench.bases import short
from workbench.findings import contrast
from workbench.findings.two_by_two import ASKED
from workbench.pictures import contact_sheet, gallery
from workbench.report.advised import author_parts, importance_parts, next_parts, recipe_parts, together_parts
from workbench.report.contents import Contents
from workbench.report.drawn import data_uri, of_bytes, svg
from workbench.report.helped import pair_parts, summary_parts
from workbench.report.parts import document, facts, figure, section, table, text
from workbench.report.standing import front_parts, ranking_parts, strength_parts
from workbench.report.versions import RUN_HEADS, run_rows, versions
from workbench.scores.judge_facts import ROLES, judge_cards
from workbench.sweep import patterns, settings
from workbench.words import counted

MOST_BYTES = 6_000_000  # of single pictures, as files; inlined they take a third more
HOW = (
    "Every checkpoint draws the same prompts with the same preview seeds, so pictures are compared cell by cell, and "
    "only between trainings on the same photos. The base row is the same without any LoRA.",
    "Means are means of prompt means. Differences are taken at last checkpoints, over the pictures that both patterns "
    "have; their intervals are paired t intervals over prompts. What another training seed makes is the pooled "
    "standard deviation between trainings that differ in nothing but the seed.",
    "The ranking compares patterns at their best checkpoints, each training offering equally many; its intervals are "
    "over training seeds.",
)
HOW_ELSEWHERE = (
    "The value of a checkpoint at a strength is the mean of its prompt means; its interval is a t interval over "
    "prompts. It is compared with others over the prompts and seeds that both have.",
)
BLANK = "{n} of the pictures wait to be rated blind by {rater} and are left blank here; figures are of all pictures."


def report(found: Contents, photos: bool = False) -> str:
    """The HTML file. ``photos``: show the real reference photos too, which not everybody should get."""
    title = f"{found.project['name']}: which settings make the best LoRA?"
    waiting = len(found.held & found.tokens)
    parts = [
        f"<header>\n<h1>{escape(found.project['name'])}</h1>",
        text(question(found)),
        text(f"Written {datetime.now():%Y-%m-%d %H:%M}. {so_far(found)}", "faint"),
        "</header>",
        section(found.leader.headline, *answer_parts(found)),
        section("What it comes to", *summary_parts(found)),
        section("What to train next", *next_parts(found)),
        section("Its pictures", picture_table(found, photos), text(blank(found, waiting), "faint")),
        section("Only one thing differs", *pair_parts(found)),
        section("Best of each pattern", *ranking_parts(found)),
        section("Time against score", *front_parts(found)),
        section("Over the training" if found.leader.notes == () else "Epochs and strengths", *course_parts(found)),
        section("Over the strengths", *strength_parts(found)),
        section(ASKED, *together_parts(found)),
        section("Over several people", *recipe_parts(found)),
        section("The author's marks", *author_parts(found)),
        section("Importance", *importance_parts(found)),
        section("All patterns in one picture", sheet_picture(found)),
        section("Every setting of every pattern", *setting_parts(found), kind="sideways"),
        section("The plan", *plan_parts(found)),
        section("Who judged", *judge_parts(found)),
        section("How it was measured", *measured_parts(found)),
        section("Where it was made", facts(versions(found.db, found.project)), run_table(found)),
    ]
    return document(title, without_folders(found, "\n".join(part for part in parts if part)))


# the answer


def question(found: Contents) -> str:
    asked = "Which checkpoint, at which strength, is" if found.elsewhere else "Which settings make"
    best = "the best" if found.elsewhere else "the best LoRA"
    return f"{asked} {best} of this {found.project['class_noun']}?"


def so_far(found: Contents) -> str:
    done = sum(row["status"] == "done" for row in runs.of_project(found.db, found.project["id"]))
    n = len(found.tables.previews) + len(found.tables.variants)
    return f"{counted(done, 'run')} of {counted(len(found.tables.labels), 'pattern')}, {n:,} previews."


def answer_parts(found: Contents) -> list[str]:
    leader, measured = found.leader, found.tables.metric(found.leader.metric)
    notes = views.reference_note(found.db, found.project)
    return [
        text(" ".join(leader.sentences), "verdict"),
        text(f"{leader.value}: the interval is {leader.about}.", "faint"),
        text(measured.meaning, "faint"),
        *(text(note) for note in notes),
    ]


def blank(found: Contents, waiting: int) -> str:
    return BLANK.format(n=waiting, rater=found.rater) if waiting else ""


def picture_table(found: Contents, photos: bool) -> str:
    """The leader's pictures under the base row's, each with its likeness."""
    grid = gallery.preview_grid(found.leader.previews, found.plan, found.held)
    stored = results.previews(found.db, found.project["id"], found.project["plan_id"])
    files = {row["token"]: found.ws.path(row["thumb"]) for row in stored}
    left = MOST_BYTES

    def cell(tile: gallery.Tile | None) -> str:
        nonlocal left
        if tile is None:
            return "<td></td>"
        if tile.waits:
            return '<td><span class="blank">waits to be rated</span></td>'
        file = files[tile.id]
        size = file.stat().st_size if file.is_file() else 0
        if not size or size > left:
            return f'<td><span class="blank">{"file is gone" if not size else "left out: too large"}</span></td>'
        left -= size
        shown = f'<img src="{data_uri(file)}" alt="{escape(tile.alt)}">'
        return f'<td>{shown}<span class="sub">{escape(tile.note)}</span></td>'

    def line(head: str, sub: str, cells: Sequence[str]) -> str:
        return f'<tr><th scope="row">{escape(head)}<br><span class="sub">{escape(sub)}</span></th>{"".join(cells)}</tr>'

    rows = [
        line(row.head, " · ".join(filter(None, [row.sub, row.badge])), [cell(tile) for tile in row.tiles])
        for row in grid.rows
    ]
    if photos:
        real = real_photos(found, len(grid.columns))
        rows.insert(0, line("reference photos", views.seen_words(found.db, found.project), real))
    heads = "".join(f'<th scope="col">{escape(column.text)}<br>{escape(column.sub)}</th>' for column in grid.columns)
    note = "Under each picture: likeness, or what is wrong with it."
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table class="pictures"><thead><tr><td></td>{heads}</tr></thead><tbody>\n{body}\n'
        f"</tbody></table></div>{text(note, 'faint')}"
    )


def real_photos(found: Contents, most: int) -> list[str]:
    """Reference photos as cells, small: a photo as it was brought in may have megabytes."""
    dataset = found.project["dataset_id"]
    rows = library.photos(found.db, dataset, "reference")[:most] if dataset else []
    opened = [contact_sheet.opened(found.ws.path(row["file"]), 2 * contact_sheet.TILE_PX) for row in rows]
    return [f'<td><img src="{jpeg(picture)}" alt="a real photo"></td>' for picture in opened if picture is not None]


def jpeg(picture: Any) -> str:
    out = io.BytesIO()
    picture.save(out, "jpeg", quality=88)
    return of_bytes(out.getvalue(), "image/jpeg")


def without_folders(found: Contents, page: str) -> str:
    """The page with the names of models in place of the paths where they lie on this computer."""
    listed = patterns.listed(found.db, found.project["id"])
    places = {pattern.config.base_model for pattern in listed} | {str(found.project[role]) for role in ROLES}
    for place in sorted(places, key=len, reverse=True):
        if {"/", "\\"} & set(place):  # not within a longer word, as the letters of an inlined picture are
            name = escape(short(place)).replace("\\", r"\\")
            page = re.sub(rf"(?<![\w+/]){re.escape(escape(place))}", name, page)
    return page


# the course and the pictures of all


def course_parts(found: Contents) -> list[str]:
    return [figure(svg(found.leader.chart, "course"), " ".join(found.leader.notes))]


def sheet_picture(found: Contents) -> str:
    """All patterns with their last checkpoints; real photos never."""
    made = contact_sheet.sheet_of(found.ws, found.db, found.project, found.tables, found.sheet_seeds, found.held)
    if not made.lines:
        return ""
    picture = jpeg(contact_sheet.draw(replace(made, photos=())))
    said = f"{counted(len(made.lines), 'pattern')}, one row each, under the base row."
    return figure(f'<img src="{picture}" alt="{escape(said)}">', said)


# what was asked for


def setting_parts(found: Contents) -> list[str]:
    """Settings that differ, a row per pattern; below those that are the same in all."""
    listed = patterns.listed(found.db, found.project["id"])
    if not listed:
        return []

    def shown(pattern: patterns.Pattern, name: str) -> str:
        value = getattr(pattern.config, name)
        if name in pattern.unknown:
            return settings.NOT_KNOWN
        said = contrast.said(name, value) if value not in (None, "") else "-"
        return f"{said} (no effect)" if name in inert(pattern.config) else said

    columns = {name: [shown(pattern, name) for pattern in listed] for name in type(listed[0].config).model_fields}
    differ = [name for name, values in columns.items() if len(set(values)) > 1]
    alike = [(settings.field(name).title, values[0]) for name, values in columns.items() if name not in differ]
    rows = [
        [pattern.label, *(columns[name][number] for name in differ), pattern.note]
        for number, pattern in enumerate(listed)
    ]
    heads = ["pattern", *(settings.field(name).title for name in differ), "note"]
    return [
        table(heads, rows, "told many"),
        f"<h3>The same in {'all of them' if len(listed) > 1 else 'it'}</h3>",
        facts(alike),
    ]


def plan_parts(found: Contents) -> list[str]:
    plan, project = found.plan, found.project
    prompts = [
        (plan.text(number, project["trigger_word"], project["class_noun"]), prompt.role)
        for number, prompt in enumerate(plan.prompts)
    ]
    about = [
        (name, said)
        for name, said in (
            ("preview seeds", ", ".join(map(str, plan.seeds))),
            ("LoRA strengths", ", ".join(f"{strength:g}" for strength in plan.strengths)),
            ("first look with", counted(plan.scan_seeds, "seed") if plan.scan_seeds else ""),
            ("seeds to confirm with", ", ".join(map(str, plan.confirm_seeds))),
            ("sampler", f"{plan.sampler}, {plan.steps} steps, CFG {plan.cfg:g}"),
            ("negative prompt", plan.negative),
            ("size", f"{plan.size} px" if plan.size else "the base's own"),
            ("clip skip", str(plan.clip_skip or "as trained")),
            ("base for previews", short(plan.preview_base) if plan.preview_base else "the one trained on"),
            ("VAE", short(plan.vae) if plan.vae else ""),
        )
        if said
    ]
    if plan.elsewhere:
        about = [*about[:2], ("pictures", "made elsewhere: nothing was drawn here")]
    return [table(("prompt", "role"), prompts), facts(about)]


def judge_parts(found: Contents) -> list[str]:
    cards = judge_cards(found.db, found.project)
    parts = [
        f"<h3>{escape(card.title)}</h3>{text(card.says + '.')}{facts(card.facts)}{text(card.problem)}" for card in cards
    ]
    names = ratings.raters(found.db, found.project["id"])
    if names:
        marks = int((found.tables.previews["n_marks"] > 0).sum())
        said = f"{counted(len(names), 'rater')}, blind; {counted(marks, 'picture')} with marks."
        parts.append(f"<h3>People</h3>{text(said)}")
    return parts


def measured_parts(found: Contents) -> list[str]:
    metrics = [found.tables.metric(key) for key in views.measured(found.tables)]
    said = [(each.title, f"{each.meaning} ({each.better})") for each in metrics]
    how = HOW_ELSEWHERE if found.elsewhere else HOW
    return [*(text(words) for words in how), facts(said)]


def run_table(found: Contents) -> str:
    """What each run noted where it trained: its device, and settings that were in force there but not asked for."""
    rows = run_rows(found.db, found.project)
    return f"<h3>What each run noted where it trained</h3>{table(RUN_HEADS, rows)}" if rows else ""
