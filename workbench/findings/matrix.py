"""Trained with one base or clip skip, looked at with another: likeness for every pair."""

from collections.abc import Collection

import pandas as pd

from workbench.findings.analysis import Tables
from workbench.sweep.patterns import Contrast

MATRIX_COLUMNS = [
    "family",
    "pattern_id",
    "label",
    "trained",
    "preview",
    "likeness",
    "face_rate",
    "n",
    "n_previews",
    "base_row",
    "is_main",
    "tokens",
]


def matrix(tables: Tables, setting: str) -> pd.DataFrame:
    """Likeness by the value that was trained with and the value that previews are made with.

    ``setting``: base_model or clip_skip. One row per ``family`` (patterns that differ in nothing else; named after
    the first), training value and preview value: ``pattern_id``, ``likeness`` (mean over runs of their prompt
    means, last checkpoints, identity prompts, main strength), ``face_rate``, ``n`` (runs with a value),
    ``n_previews``, ``base_row`` (likeness of the base alone, made the same way), ``is_main`` (the plan's main
    view), ``tokens`` (of the previews, as they are listed).
    """
    rows = []
    everything = tables.everything[tables.everything["role"] == "identity"]
    bases = everything[everything["is_base"]]
    last = everything[everything["checkpoint_id"].isin(tables.runs["checkpoint_id"]) & ~everything["is_final"]]
    for family in families(tables.contrasts, setting):
        for pattern in family:
            own = last[last["pattern_id"] == pattern]
            main = own[own["is_main"]]
            if main.empty:
                continue
            other = "clip_skip" if setting == "base_model" else "base_model"
            own = own[(own[other] == main[other].iloc[0]) & (own["strength"] == main["strength"].iloc[0])]
            for value, looked in own.groupby(setting, sort=False):
                base, clip_skip = looked["base_model"].iloc[0], looked["clip_skip"].iloc[0]
                alone = bases[(bases["base_model"] == base) & (bases["clip_skip"] == clip_skip)]
                of_runs = looked.groupby(["run_id", "prompt"])["likeness"].mean().groupby("run_id").mean()
                rows.append(
                    {
                        "family": tables.labels[family[0]],
                        "pattern_id": pattern,
                        "label": tables.labels[pattern],
                        "trained": tables.settings[pattern][setting],
                        "preview": value,
                        "likeness": of_runs.mean(),
                        "face_rate": looked["face_found"].mean(),
                        "n": int(of_runs.count()),
                        "n_previews": len(looked),
                        "base_row": alone.groupby("prompt")["likeness"].mean().mean(),
                        "is_main": bool(looked["is_main"].any()),
                        "tokens": list(looked["token"]),
                    }
                )
    return pd.DataFrame(rows, columns=MATRIX_COLUMNS)


def families(pairs: Collection[Contrast], setting: str) -> list[list[int]]:
    """Patterns that are compared in a setting, those that are linked by a comparison together; ids rise."""
    found: list[set[int]] = []
    for pair in pairs:
        if pair.setting == setting:
            linked = [group for group in found if group & {pair.a, pair.b}]
            found = [group for group in found if group not in linked]
            found.append({pair.a, pair.b}.union(*linked))
    return sorted(sorted(group) for group in found)
