"""The report's parts on what follows: what to train next, which settings go together, the author's marks, people."""

from workbench.charting.author_chart import LEGEND as AUTHOR_LEGEND
from workbench.charting.author_chart import marks_chart, ours_chart, pair_names
from workbench.charting.importance_chart import LEGEND as IMPORTANCE_LEGEND
from workbench.charting.importance_chart import importance_chart
from workbench.charting.recipes_chart import people_chart
from workbench.findings import importance, suggest, suggest_words, two_by_two
from workbench.findings.author import CATEGORIES, beside_ours, tally
from workbench.findings.author_notes import notes, spoken_of
from workbench.recipes import words as recipe_words
from workbench.recipes.verdicts import Verdict
from workbench.report.contents import Contents
from workbench.report.drawn import svg
from workbench.report.others import challenges
from workbench.report.parts import bullets, card, figure, folded, table, text
from workbench.sweep.marks import of_author

HALF_PX = 300  # of a chart that stands beside another one


def next_parts(found: Contents) -> list[str]:
    """At most five things to train next, each with reason and cost, or why to stop."""
    advice = suggest.advice(found.db, found.project["id"], found.tables)
    if found.elsewhere or advice.leader is None:
        return []
    labels = found.tables.labels
    if not advice.suggestions:
        return [text(suggest_words.stop(advice, labels))]
    cards = [
        card(
            suggest_words.title(each),
            text(suggest_words.reason(advice, each, labels)),
            text(f"{suggest_words.price(each)} {suggest_words.learned(advice, each)}", "faint"),
        )
        for each in advice.suggestions
    ]
    more = f"{len(cards) - 1} more, and how this is reckoned" if len(cards) > 1 else "How this is reckoned"
    return [cards[0], folded(more, *cards[1:], text(suggest_words.reckoned(advice, labels), "faint"))]


def together_parts(found: Contents) -> list[str]:
    """Whether settings depend on each other; nothing where no full 2x2 was trained."""
    each = two_by_two.interplays(found.tables, found.tables.main_metric)
    if not each:
        return []
    shown, more = each[: two_by_two.SHOWN], len(each) - two_by_two.SHOWN
    said = f" The surest {len(shown)} of {len(each)}; all of them are in the figures." if more > 0 else ""
    return [text(two_by_two.ONLY_WHERE + said, "faint"), bullets([("", one.sentence) for one in shown])]


def recipe_parts(found: Contents) -> list[str]:
    """How the default and its challengers do over several people, where this project's is one of them."""
    seen = challenges(found.ws, found.db, found.project["id"], found.tables)
    if not seen:
        return []
    return [text(recipe_words.family(seen), "faint"), *(one_challenger(each, n) for n, each in enumerate(seen))]


def one_challenger(verdict: Verdict, number: int) -> str:
    besides = [text(words, "faint") for words in recipe_words.besides(verdict)]
    scale = f"Measured on {recipe_words.scale_words(verdict.scale)}. {recipe_words.matters_words(verdict, False)}"
    chart = figure(svg(people_chart(verdict), f"people-{number}"), scale)
    return card(recipe_words.headline(verdict), text(recipe_words.means(verdict)), *besides, chart)


def author_parts(found: Contents) -> list[str]:
    """The author's marks contrast by contrast, beside this sweep's figures; nothing where the project has none."""
    given = of_author(found.db, found.project["id"])
    rows = beside_ours(found.tables, given, found.tables.main_metric) if given else None
    if rows is None or rows.empty:
        return []
    told = zip((CATEGORIES[code] for code in rows["category"]), pair_names(rows), rows["sentence"], strict=True)
    shown = spoken_of(rows)
    charts = (svg(marks_chart(shown), "marks", HALF_PX), svg(ours_chart(shown), "ours", HALF_PX))
    return [
        text(tally(rows)),
        text(notes(found.tables, rows, given), "faint"),
        figure(f'<div class="pair">{"".join(charts)}</div>', AUTHOR_LEGEND),
        folded(f"All {len(rows)} contrasts in words", table(("verdict", "what differs", "in words"), told, "told")),
    ]


def importance_parts(found: Contents) -> list[str]:
    """On which settings the score depends over all patterns; nothing where the page shows no bars either."""
    seen = importance.importance(found.tables, found.tables.main_metric)
    if not seen.bars:
        return []
    label = found.metric.label
    return [
        text(importance.words(seen, label)),
        figure(svg(importance_chart(seen, label), "importance"), IMPORTANCE_LEGEND),
        text(importance.caveats(seen), "faint"),
    ]
