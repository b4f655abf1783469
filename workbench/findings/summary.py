"""What a sweep has shown, setting by setting: what helped, what can't be told, what was never tested alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from trainer.config import NOT_WEIGHTS
from workbench.findings.analysis import Tables, varied_settings
from workbench.findings.contrast import contrast_table, distinct, said
from workbench.findings.metrics import METRICS
from workbench.findings.noise import noise_floor
from workbench.findings.verdicts import CLAIMS
from workbench.sentences import setting as about_setting

Row = Mapping[str, Any]

MEASURED = ("cannot_tell", "checkpoints_differ", "the_same", "one_prompt")


@dataclass(frozen=True)
class Line:
    """One thing to say: a code of ``verdicts.SUMMARY``, and what its words need (``head``: what it is about)."""

    code: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """All that is said of a sweep by one metric; a line per setting, the largest difference first."""

    metric: str
    n_pairs: int
    helped: tuple[Line, ...]
    nothing: Line | None  # why nothing helped, as far as known; None where something did
    open: tuple[Line, ...]
    alone: tuple[Line, ...]  # settings that vary, but never by themselves
    wrecked: tuple[Line, ...]


def summary(tables: Tables, metric: str, pairs: pd.DataFrame | None = None) -> Summary:
    """The summary of all pairs by a metric. ``pairs``: their :func:`contrast.contrast_table`, if it is there already.

    A setting stands under ``helped`` where any of its pairs is more than training seeds make, under ``open`` where one
    was measured and none is, and under ``alone`` where trained patterns vary in it and no two in it alone.
    """
    pairs = contrast_table(tables, metric) if pairs is None else pairs
    rows = pairs.to_dict("records")
    noise = noise_floor(tables.checkpoints, metric)
    by_setting: dict[str, list[Row]] = {}
    for row in rows:
        by_setting.setdefault(str(row["setting"]), []).append(row)
    claimed = {name: own for name, own in by_setting.items() if any(row["wording"] in CLAIMS for row in own)}
    others = [own for name, own in by_setting.items() if name not in claimed]
    still = [open_line(measured, noise.sd if noise else None) for own in others if (measured := unwrecked(own))]
    return Summary(
        metric=metric,
        n_pairs=len(rows),
        helped=tuple(helped_line(own) for own in claimed.values()),
        nothing=None if claimed else nothing_line(rows, noise is not None, metric),
        open=tuple(sorted(still, key=lambda line: line.params["more_seeds"] or math.inf)),
        alone=tuple(alone_lines(tables, set(by_setting))),
        wrecked=tuple(wrecked_lines(tables, rows)),
    )


# what helped


def helped_line(own: Sequence[Row]) -> Line:
    """A setting that seems to matter, told as the better value rather than the worse by its largest claim."""
    claims = [row for row in own if row["wording"] in CLAIMS]
    first = next((row for row in claims if row["shown_first"]), claims[0])
    code = "helped_on_new" if first["wording"] == CLAIMS[0] else "helped_here"
    same = [row for row in own if row["change"] == first["change"] and row is not first]
    better = turned_to_the_better(first)
    about = {
        **better,
        "others": sum(row not in same for row in claims) - 1,
        "where": whose(first, same[0]) if same else "",
        "same": [(row["diff"] * better["sign"], row["wording"], whose(row, first)) for row in same],
    }
    return Line(code, about)


def whose(row: Row, other: Row) -> str:
    """The pattern by which a pair is told from another one of the same change."""
    return str(row["label_a"] if row["pattern_a"] != other["pattern_a"] else row["label_b"])


def turned_to_the_better(row: Row) -> dict[str, Any]:
    """A pair's figures, told from the worse value to the better; as the row where neither way is better."""
    higher = METRICS[row["metric"]].higher_is_better
    swap = higher is not None and (row["diff"] > 0) != higher
    first, second = steps(row)
    return {
        "head": row["group"],
        "metric": row["metric"],
        "was": second if swap else first,
        "now": first if swap else second,
        "diff": -row["diff"] if swap else row["diff"],
        "sign": -1 if swap else 1,
        "noise": known(row["noise"]),
    }


def steps(row: Row) -> tuple[str, str]:
    """The two values of a pair in words."""
    first, _, second = str(row["change"]).removeprefix(f"{row['group']}: ").partition(" → ")
    return first, second


def known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def nothing_line(rows: Sequence[Row], noise_known: bool, metric: str) -> Line:
    """Why no setting is said to matter."""
    measured = unwrecked(rows)
    judged = sum(row["compared"] > 0 for row in measured)
    if not rows:
        code = "no_pairs"
    elif not measured:
        code = "all_wrecked"
    elif not noise_known:
        code = "noise_unknown"
    else:
        code = "nothing_beyond_noise" if judged else "single_trainings"
    return Line(code, {"head": "", "metric": metric, "n": judged or len(measured)})


# what can't be told


def unwrecked(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["wording"] != "wrecked"]


def open_line(own: Sequence[Row], sd: float | None) -> Line:
    """A setting of which no pair is beyond noise: by the pair that is the easiest to tell, and what telling would take.

    ``bound``: no difference of any pair is larger than that by all that training seeds leave open, |diff| + the half-
    width that holds for all pairs together. It is "surely small" below ``sd``, what lies between two trainings of one
    pattern anyway.
    """
    judged = [row for row in own if row["compared"] > 0]
    first = min(judged or own, key=lambda row: (known(row["more_seeds"]) or math.inf, -abs(row["diff"])))
    bound = max((abs(row["diff"]) + row["noise"] for row in judged), default=None)
    more = known(first["more_seeds"])
    was, now = steps(first)
    if not judged:
        code = lacking(first, sd)
    elif bound is not None and sd is not None and bound <= sd:
        code = "small"
    else:
        code = "open" if more else "open_long"
    about = {"head": first["group"], "metric": first["metric"], "was": was, "now": now, "diff": first["diff"]}
    about |= {"noise": known(first["noise"]), "more_seeds": int(more) if more else None, "n_pairs": len(own)}
    return Line(code, about | {"bound": bound, "sd": sd})


def lacking(row: Row, sd: float | None) -> str:
    """What keeps a pair from being judged."""
    if row["wording"] in ("the_same", "one_prompt"):
        return str(row["wording"])
    return "second_seed" if min(row["n_a"], row["n_b"]) < 2 else "few_seeds" if sd is None else "second_seed"


# what was not tested alone


def alone_lines(tables: Tables, compared: set[str]) -> list[Line]:
    """Settings in which trained patterns differ, but no two in it alone: the nearest two, and what to clone."""
    paired = {pair.setting for pair in distinct(tables)}
    trained = [int(pattern) for pattern in tables.runs["pattern_id"].unique()]
    wanted = [
        name
        for name in varied_settings(tables)
        if name not in compared and name not in NOT_WEIGHTS and not follows_rate(tables, trained, name)
    ]
    if not wanted:
        return []
    differ = Differences({pattern: tables.settings[pattern] for pattern in trained})
    lines = []
    for name in wanted:
        head = about_setting(name).label
        if name in paired:
            lines.append(Line("not_measured", {"head": head}))
        elif nearest := differ.nearest(name):
            a, b, also = nearest
            about = {"a": tables.labels[a], "b": tables.labels[b], "also": [about_setting(each).label for each in also]}
            lines.append(Line("alone", {"head": head, "now": said(name, tables.settings[b][name]), **about}))
    return lines


def follows_rate(tables: Tables, trained: Sequence[int], name: str) -> bool:
    """The text encoder's rate where it is the learning rate everywhere: no setting of its own."""
    own = [tables.settings[pattern] for pattern in trained]
    return name == "text_encoder_lr" and all(each.get(name) in (None, each.get("learning_rate")) for each in own)


class Differences:
    """In which settings any two of some patterns differ; a setting without effect on one side differs in nothing."""

    def __init__(self, settings: Mapping[int, Row]) -> None:
        self.patterns = list(settings)
        self.names = list(dict.fromkeys(name for own in settings.values() for name in own))
        self.names = [name for name in self.names if name not in NOT_WEIGHTS]
        codes = np.array(
            [pd.factorize(pd.Series([repr(own.get(n, "")) for own in settings.values()]))[0] for n in self.names]
        )
        there = np.array([[n in own for own in settings.values()] for n in self.names])
        self.both = there[:, :, None] & there[:, None, :]  # name x pattern x pattern
        self.differ = (codes[:, :, None] != codes[:, None, :]) & self.both

    def nearest(self, name: str) -> tuple[int, int, list[str]] | None:
        """Of two patterns that differ in this setting those with the fewest other differences, and which these are."""
        if name not in self.names:
            return None
        own = self.differ[self.names.index(name)]
        if not own.any():
            return None
        others = np.where(np.triu(own), self.differ.sum(axis=0), len(self.names) + 1)
        a, b = divmod(int(others.argmin()), len(self.patterns))
        also = [each for each, is_other in zip(self.names, self.differ[:, a, b], strict=True) if is_other]
        return self.patterns[a], self.patterns[b], [each for each in also if each != name]


# what is wrecked


def wrecked_lines(tables: Tables, rows: Sequence[Row]) -> list[Line]:
    """Patterns with a wrecked run, and which one setting parts them from one that is not."""
    runs = tables.runs
    counts = runs.groupby("pattern_id")["wrecked"].agg(["sum", "count"])
    gone = {int(pattern) for pattern in counts.index[counts["sum"] > 0]}
    lines = []
    for pattern in sorted(gone):
        row = next((r for r in rows if pattern in (r["pattern_a"], r["pattern_b"]) and not both_in(r, gone)), None)
        about: dict[str, Any] = {"head": tables.labels[pattern], "group": "", "n": int(counts["sum"][pattern])}
        if row is not None:
            was, now = steps(row) if row["pattern_b"] == pattern else steps(row)[::-1]
            other = row["label_a"] if row["pattern_b"] == pattern else row["label_b"]
            about |= {"group": row["group"], "was": was, "now": now, "other": other}
        lines.append(Line("wrecked", about | {"of": int(counts["count"][pattern])}))
    return lines


def both_in(row: Row, gone: set[int]) -> bool:
    return row["pattern_a"] in gone and row["pattern_b"] in gone


# the rows that say most


def telling(pairs: pd.DataFrame, most: int, fill: bool = False) -> pd.DataFrame:
    """At most so many rows of a contrast table: of each setting the first claim, or its first row; then more claims.

    ``fill``: then the others, as far as there is room. Only of those with the value that most pairs share.
    """
    early = pairs[pairs["shown_first"].astype(bool)]
    claims = early["wording"].isin(CLAIMS)
    in_order = pd.concat([early[claims], early[~claims]])
    of_each = in_order.drop_duplicates("setting")
    more = in_order if fill else early[claims]
    chosen = pd.concat([of_each, more.drop(index=of_each.index, errors="ignore")]).head(most)
    return pairs.loc[sorted(chosen.index)]
