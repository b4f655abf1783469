"""The demo's scores with many training seeds, stored as data: how they are taken, kept and read again."""

import csv
import json
import math
import platform
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sqlite_utils import Database

from db import runs
from workbench.findings.analysis import WRECKED_BELOW, Tables, current_dataset, summaries, tables
from workbench.findings.metrics import METRICS, STRANGERS
from workbench.report.versions import version
from workbench.sweep.patterns import Contrast

STORED = Path(__file__).with_name("demo_truth.csv")  # what was made with it stands beside it, in demo_truth.json
CELL = ["pattern", "train_seed", "prompt", "seed"]
DECIMALS = {"likeness": 2, "recognised": 0, "clip_t": 4, "clip_i": 4, "drift": 4, "diversity": 4}
SAME = ("patterns", "prompts", "contrasts")  # what seeds must have in common to stand in one file
PACKAGES = ("torch", "diffusers", "transformers", "open_clip_torch", "onnxruntime", "numpy")


class TruthError(ValueError):
    """Scores that can't be stored or read together."""


@dataclass(frozen=True)
class Truth:
    """Scores of the demo's patterns, one row per preview of their last checkpoints.

    ``cells``: CELL (pattern: its place in ``about["patterns"]``, from 1) and the columns of DECIMALS, missing where
    nothing was measured. ``about``: patterns (``label``, ``like``: the first that trains the very same LoRA), prompts
    (``text``, ``role``), contrasts (setting, a, b, value of a, value of b), and ``made``: how which seeds were made.
    """

    cells: pd.DataFrame
    about: dict[str, Any]

    @property
    def seeds(self) -> list[int]:
        """The training seeds, in order."""
        return sorted(int(seed) for seed in self.cells["train_seed"].unique())


# from a workspace


def taken(db: Database, project_id: int, code: str, command: str) -> Truth:
    """The scores of a project's seeds that every pattern has finished; a seed that some lack is left out.

    ``code``: what trained them, a commit or a version; ``command``: how they can be made again. Versions and processor
    are those of this computer, so it should be the one that trained.
    """
    found = tables(db, project_id)
    numbers = {pattern: number for number, pattern in enumerate(found.labels, 1)}
    last = found.runs[found.runs["dataset_id"] == current_dataset(db, project_id)]
    whole = last.groupby("train_seed")["pattern_id"].nunique()
    seeds = sorted(int(seed) for seed in whole.index[whole == len(numbers)])
    if not seeds:
        raise TruthError("No training seed is finished by every pattern yet. Run `worker --once` first.")
    last = last[last["train_seed"].isin(seeds)]
    previews = found.previews[found.previews["is_main"]]
    prompts = previews.drop_duplicates("prompt").sort_values("prompt")
    cells = previews[previews["checkpoint_id"].isin(last["checkpoint_id"])]
    cells = cells.assign(pattern=[numbers[int(pattern)] for pattern in cells["pattern_id"]])[[*CELL, *DECIMALS]]
    cells = cells.astype(dict.fromkeys(CELL, "int64")).astype(dict.fromkeys(DECIMALS, "float64")).round(DECIMALS)
    first: dict[str, int] = {}
    for pattern, replicate in zip(last["pattern_id"], last["replicate"], strict=True):
        first.setdefault(replicate, numbers[int(pattern)])
    like = {numbers[int(p)]: first[r] for p, r in zip(last["pattern_id"], last["replicate"], strict=True)}
    about = {
        "patterns": [{"label": found.labels[pattern], "like": like[number]} for pattern, number in numbers.items()],
        "prompts": [{"text": text, "role": role} for text, role in zip(prompts["text"], prompts["role"], strict=True)],
        "contrasts": [
            [pair.setting, numbers[pair.a], numbers[pair.b], pair.value_a, pair.value_b] for pair in found.contrasts
        ],
        "made": [{"seeds": seeds, "command": command, "code": code, **circumstances(db, project_id, seeds)}],
    }
    return Truth(in_order(cells), about)


def circumstances(db: Database, project_id: int, seeds: Collection[int]) -> dict[str, Any]:
    """When and on what these seeds were trained."""
    done = [run for run in runs.of_project(db, project_id) if run["seed"] in seeds and run["finished_at"]]
    days = sorted(time.strftime("%Y-%m-%d", time.gmtime(run["finished_at"])) for run in done)
    return {
        "days": sorted({days[0], days[-1]}),
        "seconds_each": round(sum(run["train_seconds"] for run in done) / len(done)),
        "device": ", ".join(sorted({run["device"] for run in done if run["device"]})),
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": [known for known in map(version, PACKAGES) if known],
    }


def processor() -> str:
    """The processor's name: patterns that change the weights much are chaotic, and processors round differently."""
    known = Path("/proc/cpuinfo")  # Linux; elsewhere the standard library knows
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def merged(old: Truth | None, new: Truth) -> Truth:
    """Both in one; seeds that both have are the new one's. Raises TruthError where they aren't of the same sweep."""
    if old is None:
        return new
    differ = [name for name in SAME if json.dumps(old.about[name]) != json.dumps(new.about[name])]
    if differ:
        raise TruthError(
            f"The stored scores are of another sweep ({' and '.join(differ)} differ). Choose another file."
        )
    kept = old.cells[~old.cells["train_seed"].isin(new.seeds)]
    before = [
        {**each, "seeds": [seed for seed in each["seeds"] if seed not in new.seeds]} for each in old.about["made"]
    ]
    made = sorted([each for each in before if each["seeds"]] + new.about["made"], key=lambda each: min(each["seeds"]))
    return Truth(in_order(pd.concat([kept, new.cells])), {**new.about, "made": made})


def in_order(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.sort_values(CELL, ignore_index=True)


# files


def write(truth: Truth, file: Path) -> None:
    """The scores as CSV, and beside them what they are and how they were made as JSON."""
    part, beside = file.with_suffix(".part"), file.with_suffix(".json.part")
    with part.open("w", encoding="utf-8", newline="") as opened:
        out = csv.writer(opened, lineterminator="\n")
        out.writerow([*CELL, *DECIMALS])
        for row in truth.cells[[*CELL, *DECIMALS]].itertuples(index=False):
            values = zip(row[len(CELL) :], DECIMALS.values(), strict=True)
            out.writerow([*row[: len(CELL)], *(short(value, places) for value, places in values)])
    beside.write_text(as_json(truth.about), encoding="utf-8", newline="\n")
    part.replace(file)
    beside.replace(file.with_suffix(".json"))


def short(value: float, places: int) -> str:
    """A number with as few characters as it needs; empty where it is missing.

    >>> short(0.25, 4), short(56.0, 2), short(math.nan, 2), short(-0.001, 2)
    ('.25', '56', '', '0')
    """
    if math.isnan(value):
        return ""
    said = f"{value:z.{places}f}"
    said = said.rstrip("0").rstrip(".") if places else said
    return said.replace("0.", ".", 1) if said.startswith(("0.", "-0.")) else said


def as_json(about: Mapping[str, Any]) -> str:
    """One line per pattern, prompt and contrast, so that a change can be read."""
    lists = {
        name: ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in rows)
        for name, rows in sorted(about.items())
    }
    return "{\n" + ",\n".join(f' "{name}": [\n  {rows}\n ]' for name, rows in lists.items()) + "\n}\n"


def read(file: Path = STORED) -> Truth:
    """What :func:`write` wrote. Raises TruthError where a cell is missing or there twice."""
    about = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    cells = pd.read_csv(file, dtype={**dict.fromkeys(CELL, "int64"), **dict.fromkeys(DECIMALS, "float64")})
    truth = Truth(cells, about)
    of_a_prompt = cells["seed"].nunique()
    whole = len(about["patterns"]) * len(truth.seeds) * len(about["prompts"]) * of_a_prompt
    if len(cells) != whole or cells.duplicated(CELL).any():
        raise TruthError(
            f"{file.name} should hold {whole} different cells, but has {len(cells)} rows. Export it again."
        )
    return truth


# as the product has it


def as_tables(truth: Truth) -> Tables:
    """The scores as the tables that verdicts are made from; metrics that aren't stored are missing."""
    labels = {number: each["label"] for number, each in enumerate(truth.about["patterns"], 1)}
    roles = {number: each["role"] for number, each in enumerate(truth.about["prompts"])}
    texts = {number: each["text"] for number, each in enumerate(truth.about["prompts"])}
    cells = truth.cells
    keys = pd.MultiIndex.from_frame(cells[["pattern", "train_seed"]])
    run_ids = pd.Series(keys.factorize()[0] + 1, index=cells.index)
    absent = {metric.column for metric in METRICS.values()} - {*DECIMALS} | {"copy_gap"}
    previews = cells.assign(
        **dict.fromkeys(sorted(absent), math.nan),
        checkpoint_id=run_ids,
        pattern_id=cells["pattern"],
        role=cells["prompt"].map(roles),
        text=cells["prompt"].map(texts),
        strength=1.0,
        picture_status="ok",
        n_marks=0,
        is_main=True,
        is_base=False,
        is_confirm=False,
    ).assign(face_found=cells["likeness"].notna().astype("float64"))
    figures = summaries(previews, run_ids)
    which = cells.groupby(run_ids)[["pattern", "train_seed"]].first()
    checkpoints = figures.assign(
        run_id=which.index,
        checkpoint_id=which.index,
        pattern_id=which["pattern"],
        label=which["pattern"].map(labels),
        replicate=[str(truth.about["patterns"][pattern - 1]["like"]) for pattern in which["pattern"]],
        train_seed=which["train_seed"],
        updates=1,
        dataset_id=1,
        zero=STRANGERS,
        is_base=False,
        wrecked=(figures["face_rate"] < WRECKED_BELOW) | (figures["broken"] > WRECKED_BELOW),
        **dict.fromkeys(("is_last", "complete", "looked_at"), True),
    ).reset_index(drop=True)
    pairs = [Contrast(*each) for each in truth.about["contrasts"]]
    empty = previews.iloc[:0]
    return Tables(previews, empty, checkpoints, checkpoints, checkpoints, 1, "likeness", {}, labels, pairs)
