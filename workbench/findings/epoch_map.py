"""Every checkpoint at every LoRA strength: how good it is, which cell is best, and what it can't be told apart from."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.elsewhere.names import LAST_EPOCH, THE_LAST
from workbench.findings.analysis import WRECKED_BELOW, Tables, of_role
from workbench.findings.intervals import t_interval, told_apart
from workbench.findings.metrics import METRICS
from workbench.findings.shares import wilson

Cell = tuple[int, float]  # checkpoint, strength
Values = dict[tuple[int, int], float]  # (prompt, seed) -> value

CELL = ["checkpoint_id", "strength"]
ABOUT = ["run_id", "pattern_id", "label", "train_seed", "updates", "epoch"]
MAP_COLUMNS = [
    *CELL,
    *ABOUT,
    "place",
    "value",
    "low",
    "high",
    "n",
    "n_prompts",
    "n_pictures",
    "face_rate",
    "face_low",
    "face_high",
    "clip_t",
    "wrecked",
]


@dataclass(frozen=True)
class Rival:
    """A cell against the best one, over the (prompt, seed) pairs that both have; ``diff`` < 0: it scores lower."""

    checkpoint_id: int
    strength: float
    diff: float
    low: float  # 95 % interval; missing with one prompt and one seed, and where all differences are equal
    high: float
    n_cells: int  # shared pictures
    apart: bool  # see contrast.told_apart


@dataclass(frozen=True)
class BestCell:
    """The cell with the best mean, and the other cells against it."""

    cell: dict[str, Any]  # its row of the map
    metric: str
    rivals: tuple[Rival, ...]  # best first
    n_candidates: int  # cells that were compared, this one included
    n_thin: int  # cells with too few pictures to take part
    by_seeds: bool  # one prompt only: the intervals are over its seeds and say nothing of other prompts

    @property
    def checkpoint_id(self) -> int:
        return int(self.cell["checkpoint_id"])

    @property
    def strength(self) -> float:
        return float(self.cell["strength"])

    @property
    def equals(self) -> tuple[Rival, ...]:
        """The cells that the best one can't be told apart from."""
        return tuple(rival for rival in self.rivals if not rival.apart)

    @property
    def key(self) -> tuple[int, float]:
        return self.checkpoint_id, self.strength


def epoch_map(tables: Tables, metric: str) -> pd.DataFrame:
    """One row per checkpoint and strength, by run, training time and strength; columns MAP_COLUMNS.

    ``value``: mean of prompt means; ``low`` and ``high``: its 95 % interval mean +- t(n - 1) x sd / sqrt(n) over
    prompt means, or over the seeds where there is one prompt only (then it says nothing of other prompts); missing
    below two. ``n``: pictures with a value, ``n_prompts``: prompts among them, ``n_pictures``: all of the metric's
    prompts. ``face_rate`` (identity prompts, 0 to 1; ``face_low`` to ``face_high``: Wilson's 95 % interval) and
    ``clip_t`` (cosine, all prompts) stand beside whatever the metric is. ``wrecked``: a face in under half of the
    identity pictures. ``place``: where in the training, in words.
    """
    wanted = METRICS[metric]
    rows = map_previews(tables)
    chosen = of_role(rows, wanted.role)
    cells = chosen.groupby(CELL, sort=False)
    if chosen.empty:
        return pd.DataFrame(columns=MAP_COLUMNS)
    table = cells[ABOUT].first()
    identity = rows[rows["role"] == "identity"].groupby(CELL)
    table["n"] = cells[wanted.column].count()
    table["n_pictures"] = cells.size()
    prompts = chosen.groupby([*CELL, "prompt"])[wanted.column].mean().dropna()
    table["n_prompts"] = prompts.groupby(CELL).count()
    table["value"] = prompts.groupby(CELL).mean()
    spread = {key: t_interval(units(values))[1:] for key, values in values_of(chosen, wanted.column).items()}
    table["low"] = pd.Series({key: ends[0] for key, ends in spread.items()})
    table["high"] = pd.Series({key: ends[1] for key, ends in spread.items()})
    table["face_rate"] = identity["face_found"].mean()
    table["face_low"], table["face_high"] = wilson(table["face_rate"], identity["face_found"].count())
    table["clip_t"] = rows.groupby([*CELL, "prompt"])["clip_t"].mean().groupby(CELL).mean()
    table["wrecked"] = table["face_rate"] < WRECKED_BELOW
    table["n_prompts"] = table["n_prompts"].fillna(0).astype("int64")
    table = table.reset_index().sort_values(["run_id", "updates", "strength"], ignore_index=True)
    table["place"] = places(table)
    return table[MAP_COLUMNS]


def map_previews(tables: Tables) -> pd.DataFrame:
    """The previews that the map is about: of LoRAs, at every strength; none of final runs, none to confirm with."""
    rows = tables.previews
    return rows[~rows["is_base"] & ~rows["is_final"] & ~rows["is_confirm"]]


def in_cells(previews: pd.DataFrame, keys: Collection[tuple[int, float]]) -> pd.Series:
    """Which previews show one of these checkpoints at its strength."""
    found = pd.Series(False, index=previews.index)
    for checkpoint, strength in keys:
        of_checkpoint = (previews["checkpoint_id"] == checkpoint).fillna(False).astype(bool)
        found |= of_checkpoint & (previews["strength"] == strength)
    return found


def values_of(pictures: pd.DataFrame, column: str) -> dict[Cell, Values]:
    """The values of each cell that has any, by (prompt, seed) and in that order."""
    means = pictures.groupby([*CELL, "prompt", "seed"])[column].mean().dropna()
    found: dict[Cell, Values] = {}
    for (checkpoint, strength, prompt, seed), value in zip(means.index, means.tolist(), strict=True):
        found.setdefault((checkpoint, strength), {})[prompt, seed] = value
    return found


def units(values: Values) -> list[float]:
    """What counts as one observation: a prompt's mean, or with one prompt only each of its seeds."""
    prompts: dict[int, list[float]] = {}
    for (prompt, _), value in values.items():
        prompts.setdefault(prompt, []).append(value)
    return [sum(own) / len(own) for own in prompts.values()] if len(prompts) > 1 else list(values.values())


def places(table: pd.DataFrame) -> list[str]:
    """Where in its training each checkpoint was saved: by epochs if all of its run's are whole and apart.

    A file without a number is the last of its run, and its place among the numbers is never said.
    """
    numbered = table[table["epoch"] != LAST_EPOCH]
    by_epoch = {
        run: rows["epoch"].notna().all()
        and bool((rows["epoch"] % 1 == 0).all() and (rows["epoch"] > 0).all())
        and rows["epoch"].nunique() == rows["checkpoint_id"].nunique()
        for run, rows in numbered.groupby("run_id")
    }
    return [
        THE_LAST
        if row.epoch == LAST_EPOCH
        else f"epoch {row.epoch:.0f}"
        if by_epoch[row.run_id]
        else f"{int(row.updates):,} updates"
        for row in table.itertuples()
    ]


def base_value(tables: Tables, metric: str) -> float:
    """The same figure without any LoRA (mean of prompt means); missing where no such pictures were scored."""
    wanted = METRICS[metric]
    base = of_role(tables.previews[tables.previews["is_base"]], wanted.role)
    return float(base.groupby("prompt")[wanted.column].mean().mean()) if len(base) else math.nan


def best_cell(tables: Tables, metric: str, run_id: int | None = None) -> BestCell | None:
    """The cell with the best mean of a metric, or None where nothing was measured. ``run_id``: of this run only.

    Cells with under half as many scored pictures as the fullest one don't take part (one lucky picture would win),
    nor do wrecked ones while there are others. Each other cell is compared over the (prompt, seed) pairs that both
    have: differences averaged per prompt, then mean +- t(n - 1) x sd / sqrt(n) over prompts, as
    :func:`contrast.paired` does; over the seeds where there is one prompt only. A cell is told apart where
    that excludes 0, or where every prompt shows one and the same difference. No correction for the number of
    cells: the best of many owes something to luck, which ``n_candidates`` is there to say.
    """
    wanted = METRICS[metric]
    cells = epoch_map(tables, metric)
    cells = cells[cells["run_id"] == run_id] if run_id is not None else cells
    cells = cells.dropna(subset=["value"])
    if cells.empty:
        return None
    full = cells[cells["n"] * 2 >= cells["n"].max()]
    sound = full[~full["wrecked"]] if not full["wrecked"].all() else full
    order = sound.loc[wanted.goodness(sound["value"]).sort_values(ascending=False, kind="stable").index]
    compared = of_role(map_previews(tables), wanted.role)
    values = values_of(compared[compared["checkpoint_id"].isin(order["checkpoint_id"])], wanted.column)
    first = order.iloc[0]
    places = list(zip(order["checkpoint_id"].tolist(), order["strength"].tolist(), strict=True))
    own = values[places[0]]
    rivals = tuple(rival(place, own, values[place]) for place in places[1:])
    return BestCell(
        cell=first.to_dict(),
        metric=metric,
        rivals=rivals,
        n_candidates=len(order),
        n_thin=len(cells) - len(full),
        by_seeds=len({prompt for prompt, _ in own}) == 1,
    )


def rival(place: Cell, best: Values, other: Values) -> Rival:
    """Another cell against the best one."""
    differences = {key: value - best[key] for key, value in other.items() if key in best}
    each = units(differences)
    diff, low, high = t_interval(each)
    return Rival(int(place[0]), float(place[1]), diff, low, high, len(differences), told_apart(each))
