"""What a plan's figures rest on, measured: ``python tests/measure_plan.py --home FOLDER`` (a copy of a workspace).

First the spread of checkpoints that differ little, by metric, as ``plans/detectable.py`` has it for the shipped base
(MINIATURE). Then how often a first look drops the best checkpoint of a run (``plans/closer.py``): in the workspace's
own runs, where all pictures say which was best, and in drawn ones, where the truth is known.
"""

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import pandas as pd

from db import library
from workbench.findings.analysis import Tables, of_role, tables
from workbench.plans.closer import promising
from workbench.plans.detectable import JUDGES, MINIATURE, measured
from workbench.plans.plan import plan_of
from workbench.workspace import Workspace

METRIC = "likeness"
CHECKPOINTS = 8  # of a drawn run
STEPS = (2.0, 5.0, 10.0)  # points of likeness by which a checkpoint falls behind its neighbour nearer to the best
PLANS = ((6, 2, 1), (6, 4, 1), (6, 4, 2), (3, 4, 1))  # identity prompts, seeds, of these in the first look


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, help="a workspace; its database is brought up to date")
    parser.add_argument("--project", type=int, default=1)
    parser.add_argument("--runs", type=int, default=200, help="drawn, of each kind")
    args = parser.parse_args()
    if args.home:
        db = Workspace(args.home).open()
        plan = plan_of(db, args.project)
        for metric, spread in measured(db, args.project, JUDGES, "here").items():
            prompts = sum(prompt.role == "identity" or metric != METRIC for prompt in plan.prompts)
            pairs, found = spread.close(prompts, len(plan.seeds))
            between, within = pairs.components()
            print(
                f"{metric}: between {between:.4g}, within {within:.4g}, {spread.noise}; {prompts} prompts x "
                f"{len(plan.seeds)} seeds, {len(pairs.gap)} of {len(spread.pairs.gap)} pairs, detects {found:.3g}"
            )
        print(in_runs(tables(db, args.project), library.project(db, args.project)["name"]))
    for prompts, seeds, scan in PLANS:
        for step in STEPS:
            print(drawn(prompts, seeds, scan, step, args.runs))


def in_runs(found: Tables, name: str) -> str:
    """First looks of one seed each, at runs with three checkpoints or more, against all of their pictures."""
    rows = found.previews[found.previews["is_main"] & ~found.previews["is_base"]]
    looks, dropped, lost, left_out = 0, 0, [], []
    for _, own in rows.groupby("run_id"):
        if own["checkpoint_id"].nunique() < 3 or own[METRIC].isna().all():
            continue
        each = of_role(own, "identity").groupby(["checkpoint_id", "prompt"])[METRIC].mean().groupby("checkpoint_id")
        value = each.mean()
        for seed in own["seed"].unique():
            kept = promising(own[own["seed"] == seed], METRIC)
            looks, dropped = looks + 1, dropped + (value.idxmax() not in kept)
            lost.append(value.max() - value[list(kept)].max())
            left_out.append(1 - len(kept) / len(value))
    runs = looks // max(1, rows["seed"].nunique())
    return f"'{name}': {runs} runs with 3 checkpoints or more: {said(looks, dropped, lost, left_out)}"


def drawn(prompts: int, seeds: int, scan: int, step: float, count: int) -> str:
    """Runs whose likeness rises by ``step`` points a checkpoint to the best one and falls behind it, anywhere.

    A checkpoint has a luck of its own with each prompt and with each picture: half the variance of a difference.
    """
    random = np.random.default_rng(0)
    between, within, _ = MINIATURE[METRIC]
    cells = pd.MultiIndex.from_product(
        [range(CHECKPOINTS), range(prompts), range(scan)], names=["checkpoint_id", "prompt", "seed"]
    ).to_frame(index=False)
    about = cells.assign(updates=cells["checkpoint_id"], is_last=cells["checkpoint_id"] == CHECKPOINTS - 1)
    about = about.assign(role="identity", face_found=1.0)
    dropped, lost, left_out = 0, [], []
    for _ in range(count):
        best = int(random.integers(CHECKPOINTS))
        truth = 60 - step * np.abs(np.arange(CHECKPOINTS) - best)
        of_prompt = random.normal(0, math.sqrt(between / 2), (CHECKPOINTS, prompts, 1))
        of_picture = random.normal(0, math.sqrt(within / 2), (CHECKPOINTS, prompts, scan))
        kept = promising(about.assign(likeness=(truth[:, None, None] + of_prompt + of_picture).ravel()), METRIC)
        dropped += best not in kept
        lost.append(truth.max() - truth[list(kept)].max())
        left_out.append(1 - len(kept) / CHECKPOINTS)
    told = said(count, dropped, lost, [part * (1 - scan / seeds) for part in left_out], "pictures spared")
    return f"{prompts} prompts, {scan} of {seeds} seeds first, steps of {step:g}: {told}"


def said(looks: int, dropped: int, lost: list[float], spared: list[float], what: str = "checkpoints left out") -> str:
    """The figures of some first looks."""
    if not looks:
        return "none"
    return (
        f"best dropped in {dropped} of {looks} ({dropped / looks:.1%}), points lost {np.mean(lost):.2f} on average "
        f"and {max(lost):.1f} at most, {what} {np.mean(spared):.0%}"
    )


if __name__ == "__main__":
    main()
