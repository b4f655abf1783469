"""The article as a preset: what is known of its 25 patterns, its author's marks, and the arms that it lacks."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from sqlite_utils import Database

from pages import _shared as shared
from workbench.plans.plan import plan_of
from workbench.sweep import article, marks, presets, settings
from workbench.sweep.patterns import PatternError


def article_tab(db: Database, project: dict[str, Any], labels: Sequence[str]) -> None:
    """Add the article's patterns, or the arms that it lacked. ``labels``: of the project's patterns."""
    st.markdown(
        "In 2023 a blogger compared 25 trainings of one person. 16 patterns of it can be trained again: what is not "
        "known of the others can't be guessed. Every setting is marked: said by the article or fixed by its tool, "
        "inferred, or unknown."
    )
    table = presets.article_table(project)
    if table:
        st.caption("This project's base is the miniature, so the patterns are scaled to it.")
    st.dataframe(marks.article_rows(), hide_index=True, height=280, column_config=COLUMNS)
    st.caption(shared.plain(article.MARKS_SENTENCE))
    bases = None if table else base_fields(project)
    there = any(article.full_label("3") in label for label in labels)
    add = "They are in this project" if there else "Add the article's patterns and marks"
    if st.button(add, icon=":material/menu_book:", key="add article", disabled=there):
        act(lambda: article.add_article(db, project["id"], bases=bases, table=table))
    st.markdown("**What it could not tell apart**")
    for number, arm in enumerate(article.suggestions()):
        words, go = st.columns([5, 1], vertical_alignment="center")
        words.markdown(f"**{shared.plain(arm.title)}** {shared.plain(arm.tells)}")
        if arm.seeds:
            words.caption(f"Queue the patterns with training seeds {', '.join(map(str, arm.seeds))}.")
            continue
        there = is_there(db, project, arm, labels)
        adds = number_of(arm.patterns) if arm.patterns else "views in the plan, nothing to train"
        if go.button("Added" if there else "Add", key=f"arm-{number}", help=adds, disabled=there):
            act(lambda arm=arm: article.add_arm(db, project["id"], arm, bases=bases, table=table))
    st.caption("The preview settings of its tool are a preset on the Plan page, marked as assumed.")


COLUMNS = {
    "pattern": st.column_config.TextColumn(pinned=True, width="small"),
    "author's mark": st.column_config.TextColumn(width=110),
    "in words": st.column_config.TextColumn(width="small"),
}


def base_fields(project: dict[str, Any]) -> dict[str, str]:
    """Where the article's two base models lie."""
    left, right = st.columns(2)
    first = left.text_input(f"Base of 3 ({article.BASE})", project["base_model"], key="article base")
    second = right.text_input(f"Base of 8 ({article.OTHER_BASE})", key="article other base", placeholder="none: no 8")
    return {article.BASE: first.strip(), **({article.OTHER_BASE: second.strip()} if second.strip() else {})}


def is_there(db: Database, project: dict[str, Any], arm: article.Arm, labels: Sequence[str]) -> bool:
    """Whether a project has an arm's patterns and views; at an optimiser's own rate a label says the rate too."""
    views = {variant.clip_skip for variant in plan_of(db, project["id"]).variants}
    return views >= set(arm.clip_skips) and all(any(p.label in label for label in labels) for p in arm.patterns)


def act(work: Callable[[], article.Added]) -> None:
    """Add something; what came of it is said when the page has come up again."""
    try:
        done = work()
    except (PatternError, settings.ConfigError) as error:
        st.error(shared.plain(str(error)))
    else:
        added = f"{number_of(done.pattern_ids)} added." if done.pattern_ids else "The plan renders these views too."
        left_out: dict[str, list[str]] = {}
        for label, why in done.left_out:
            left_out.setdefault(why, []).append(label)
        parts = [f"Left out: {', '.join(labels)} ({why})." for why, labels in left_out.items()]
        st.session_state["patterns said"] = " ".join([added, *parts])
        st.rerun()


def number_of(things: Sequence[object]) -> str:
    return f"{len(things)} pattern{'s' if len(things) != 1 else ''}"
