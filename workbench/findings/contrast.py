"""Is a difference between two patterns more than chance? Paired differences and the noise of seeds alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from workbench.bases import short
from workbench.findings.analysis import Tables, of_role
from workbench.findings.family import Compared, Standing, standings
from workbench.findings.intervals import TINY, t_interval, told_apart
from workbench.findings.metrics import METRICS
from workbench.findings.noise import Noise, noise_floor
from workbench.findings.orientation import directed, shown_first
from workbench.findings.shared_cells import CELL, Cells, cells_of
from workbench.findings.verdicts import verdict, wrecked_labels
from workbench.sentences import setting as about_setting
from workbench.sweep.choices import named
from workbench.sweep.patterns import Contrast
from workbench.sweep.settings import value_text

CONTRAST_COLUMNS = [
    "metric",
    "unit",
    "setting",
    "group",
    "change",
    "pattern_a",
    "pattern_b",
    "label_a",
    "label_b",
    "diff",
    "low",
    "high",
    "df",
    "n_cells",
    "n_a",
    "n_b",
    "noise",
    "beyond_noise",
    "p",
    "on_new_prompts",
    "more_seeds",
    "compared",
    "wrecked",
    "shown_first",
    "wording",
    "sentence",
]


@dataclass(frozen=True)
class Paired:
    """Pattern b against pattern a on the same cells. ``diff`` > 0: b has the higher value."""

    metric: str
    diff: float
    low: float  # 95 % interval over prompts; missing with fewer than two, and where all agree
    high: float
    df: int
    n_cells: int
    n_a: int  # runs
    n_b: int
    per_prompt: pd.DataFrame  # prompt, text, n_cells, mean_a, mean_b, diff
    variances: tuple[float, float]  # between the runs of a and of b; missing with one
    noise: float | None  # half-width of the noise floor, for all pairs of the family at once; None: not known
    wrecked: tuple[str, ...]  # labels of the patterns with a wrecked run
    beyond_noise: bool | None  # more than training seeds alone make; None when that is not known
    wording: str = ""  # a code of workbench.findings.verdicts
    p: float = math.nan  # of the difference by training seeds, adjusted for the family; missing outside of it
    on_new_prompts: bool = False  # beyond noise, and beyond what the choice of prompts makes
    more_seeds: int | None = None  # about so many more on each side would tell; None: told, not known, or too many
    compared: int = 0  # pairs in the family; 0: this one is not among them

    @property
    def prompts(self) -> int:
        return len(self.per_prompt)


def paired(tables: Tables, pattern_a: int, pattern_b: int, metric: str) -> Paired:
    """The difference b - a over the previews that both patterns have, at their last checkpoints.

    Per (prompt, seed, strength) the runs of a pattern are averaged, then the cells that both have are
    subtracted, then averaged per prompt; the interval is mean +- t(prompts - 1) x sd / sqrt(prompts) over
    these prompt means (the paired t interval: cells of one prompt aren't independent, and a percentile
    bootstrap over so few prompts is too narrow). Cells where either has no value don't count. Only runs on
    the same photos are compared. Where no noise floor is known, a difference is still more than training
    seeds make if they make none: both patterns have two runs or more, whose values are equal cell by cell.
    Here the pair is judged alone; :func:`contrast_table` judges a whole family.
    """
    noise = noise_floor(tables.checkpoints, metric)
    key = (pattern_a, pattern_b)
    return judged({key: measured_pair(cells_of(tables, metric), *key, noise)}, noise)[0]


def measured_pair(cells: Cells, a: int, b: int, noise: Noise | None) -> Paired:
    """The difference of two patterns, as :func:`paired` has it, before it is judged."""
    runs = cells.sides(a, b)
    per_prompt, n_cells = cells.per_prompt(*runs)
    diff, low, high = t_interval(per_prompt["diff"].tolist())
    alike = noise is None and abs(diff) > TINY and all(cells.seeds_agree(each) for each in runs)
    return Paired(
        metric=cells.metric,
        diff=diff,
        low=low,
        high=high,
        df=max(len(per_prompt) - 1, 0),
        n_cells=n_cells,
        n_a=len(runs[0].values),
        n_b=len(runs[1].values),
        per_prompt=per_prompt,
        variances=(runs[0].variance, runs[1].variance),
        noise=None,
        wrecked=tuple(cells.labels[p] for p, own in zip((a, b), runs, strict=True) if own.wrecked),
        beyond_noise=True if alike else None,
    )


def judged(results: Mapping[tuple[int, int], Paired], noise: Noise | None) -> list[Paired]:
    """Differences of one metric judged as one family, with their wording; keys: the two patterns.

    The family are the pairs of which a claim could be made: two prompts and two runs on both sides, none wrecked. A
    setting matters where the difference is more than the largest of so many differences would be by training seeds
    alone (:func:`family.critical`), so that a sweep without any effect yields a claim in 5 % of all cases at most.
    """
    members = {key: each for key, each in results.items() if noise and can_be_claimed(each)}
    asked = [
        Compared(*key, each.n_a, each.n_b, *each.variances, each.diff, prompt_variance(each), each.prompts)
        for key, each in members.items()
    ]
    found = dict(zip(members, standings(asked, noise.sd, noise.df, noise.uneven) if noise else (), strict=True))
    return [told(each, noise, found.get(key), len(members)) for key, each in results.items()]


def told(each: Paired, noise: Noise | None, own: Standing | None, compared: int) -> Paired:
    """A difference with its verdict. ``own``: what the family leaves of it; None: it is not one of the family."""
    if own:
        each = replace(each, noise=own.half, beyond_noise=own.matters, p=own.p, on_new_prompts=own.on_new)
        each = replace(each, more_seeds=own.more_seeds, compared=compared)
    elif noise and each.n_a and each.n_b and not math.isnan(each.diff):
        half = noise.half_width(each.n_a, each.n_b)
        each = replace(each, noise=half, beyond_noise=abs(each.diff) > half)
    elif noise is None and each.beyond_noise:
        each = replace(each, on_new_prompts=told_apart(each.per_prompt["diff"]))
    return replace(each, wording=wording(each))


def can_be_claimed(result: Paired) -> bool:
    """Whether a word on the setting is possible at all, before the difference is looked at."""
    measured = result.prompts > 1 and min(result.n_a, result.n_b) > 1 and not math.isnan(result.diff)
    return measured and not hidden_by_wreck(result)


def hidden_by_wreck(result: Paired) -> bool:
    """No face to measure; and CLIP may find more of a prompt in noise than in a picture."""
    metric = METRICS[result.metric]
    return bool(result.wrecked) and metric.source == "automatic" and not metric.counts_misses


def prompt_variance(result: Paired) -> float:
    """Of the mean difference, by the choice of prompts: the variance of the prompt means / their number."""
    return float(result.per_prompt["diff"].var(ddof=1)) / result.prompts


def shared_runs(runs: pd.DataFrame, a: int, b: int) -> pd.DataFrame:
    """The runs of two patterns on the newest photos that both were trained on."""
    both = set(runs[runs["pattern_id"] == a]["dataset_id"]) & set(runs[runs["pattern_id"] == b]["dataset_id"])
    return runs[runs["pattern_id"].isin([a, b]) & (runs["dataset_id"] == max(both, default=None))]


def cell_means(previews: pd.DataFrame, runs: pd.DataFrame, metric: str) -> pd.Series:
    """Per (prompt, seed, strength) the mean value over the last checkpoints of these runs."""
    wanted = METRICS[metric]
    chosen = previews[previews["is_main"] & previews["checkpoint_id"].isin(runs["checkpoint_id"])]
    return of_role(chosen, wanted.role).groupby(CELL)[wanted.column].mean()


def wording(result: Paired) -> str:
    """How much may be said of a difference, as a code of :mod:`workbench.findings.verdicts`.

    A setting "seems to matter" only with two or more runs on both sides and a difference above what training seeds
    make; on new prompts, too, only if it is also above what the choice of prompts makes. Below that two checkpoints
    can differ, no more: where the interval over prompts excludes 0, or every prompt shows the same difference.
    """
    if hidden_by_wreck(result):
        return "wrecked"
    if math.isnan(result.diff):
        return "nothing_shared"
    if abs(result.diff) < TINY and math.isnan(result.low):
        return "the_same"
    if result.prompts < 2:
        return "one_prompt"
    if result.beyond_noise and min(result.n_a, result.n_b) > 1:
        return "seems_to_matter" if result.on_new_prompts else "matters_on_these_prompts"
    if result.low <= 0 <= result.high:
        return "cannot_tell"
    return "checkpoints_differ"


def params(result: Paired, label_a: str, label_b: str, change: str = "", claim: str | None = None) -> dict[str, Any]:
    """What :func:`workbench.findings.verdicts.verdict` needs besides the code.

    ``change``: "alpha from 16 to 1"; ``claim``: the metric that settings are judged by, None: this one.
    """
    return {
        "metric": result.metric,
        "a": label_a,
        "b": label_b,
        "change": change,
        "diff": result.diff,
        "low": result.low,
        "high": result.high,
        "prompts": result.prompts,
        "n_a": result.n_a,
        "n_b": result.n_b,
        "noise": result.noise,
        "beyond_noise": result.beyond_noise,
        "more_seeds": result.more_seeds,
        "compared": result.compared,
        "claim": claim,
        "wrecked": result.wrecked,
    }


def contrast_table(tables: Tables, metric: str) -> pd.DataFrame:
    """One row per pair of patterns that differ in one effective setting, if there is a word to say.

    All pairs of a setting point alike (:func:`orientation.directed`): a is the side with the smaller or the reference
    value, and ``diff`` > 0 says that b has the higher score. A pair with a wrecked side that has no face to compare
    stands there without a difference; pairs that train the very same LoRAs stand there once. ``group`` is the setting
    and ``change`` the step in words ("alpha", "alpha: 1 → 16"), ``noise`` the half-width of the noise floor,
    ``wrecked`` names the patterns that are, ``sentence`` the verdict; ``shown_first``: see
    :func:`orientation.shown_first`. What is judged, all pairs as one family, doesn't depend on it. Wrecked pairs come
    first, since nothing matters more than a setting that destroys the pictures; then the largest difference.
    """
    baseline = tables.settings.get(next(iter(tables.labels), -1), {})
    told_of = directed(distinct(tables), baseline)
    early = shown_first(told_of, baseline)
    cells = cells_of(tables, metric)
    noise = noise_floor(tables.checkpoints, metric)
    each = {(pair.a, pair.b): measured_pair(cells, pair.a, pair.b, noise) for pair in told_of}
    rows = []
    for pair, first, result in zip(told_of, early, judged(each, noise), strict=True):
        if result.wording == "nothing_shared":
            continue
        group = about_setting(pair.setting).label
        value_a, value_b = said(pair.setting, pair.value_a), said(pair.setting, pair.value_b)
        change = f"{group} from {value_a} to {value_b}"
        about = params(result, tables.labels[pair.a], tables.labels[pair.b], change, tables.main_metric)
        rows.append(
            {
                "setting": pair.setting,
                "group": group,
                "change": f"{group}: {value_a} → {value_b}",
                "pattern_a": pair.a,
                "pattern_b": pair.b,
                "label_a": about["a"],
                "label_b": about["b"],
                **{name: getattr(result, name) for name in CONTRAST_COLUMNS if hasattr(result, name)},
                "unit": tables.metric(metric).unit,
                "wrecked": wrecked_labels(result.wrecked),
                "shown_first": first,
                "sentence": f"{verdict(result.wording, about)}{taken_as_equal(pair)}",
            }
        )
    table = pd.DataFrame(rows, columns=CONTRAST_COLUMNS)
    first = table["diff"].astype("float64").abs().mask(table["wording"] == "wrecked", math.inf)
    return table.loc[first.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def taken_as_equal(pair: Contrast) -> str:
    """What a verdict rests on besides: settings that are known of neither pattern; empty where all are known."""
    names = ", ".join(about_setting(name).label for name in pair.taken_as_equal)
    return f" Taken as equal, since known of neither: {names}." if names else ""


def distinct(tables: Tables) -> list[Contrast]:
    """The contrasts, of those between the very same LoRAs (under several names, in either order) only the first."""
    trained = trainings(tables)
    kept: dict[tuple[str, frozenset[frozenset[str]]], Contrast] = {}
    for pair in tables.contrasts:
        if pair.a in trained and pair.b in trained:
            kept.setdefault((pair.setting, frozenset((trained[pair.a], trained[pair.b]))), pair)
    return list(kept.values())


def trainings(tables: Tables) -> dict[int, frozenset[str]]:
    """Per pattern what its runs were trained with: equal for patterns that differ in inert settings only."""
    return {int(id): frozenset(runs["replicate"]) for id, runs in tables.runs.groupby("pattern_id")}


def shown(value: Any) -> str:
    """A setting's value in a sentence."""
    return value_text(value) or "none"


def said(setting: str, value: Any) -> str:
    """The same for one setting: a base model without its folders, a choice by its name."""
    return short(value) if setting == "base_model" else named(setting, value) or shown(value)
