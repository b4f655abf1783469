"""Choices of raters of whom the truth is known: do the intervals of an order hold what they say?"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.people.bradley_terry import PROMPT_SPREADS, ranking
from workbench.people.choices import COLUMNS, grid_weight, implied
from workbench.people.davidson import chances

CHECKPOINTS = 8
ANSWERS = (20, 50, 150, 500)
SPLITS = (0.6, 0.7, 0.8)  # how often the better of two is preferred where one is
POWER = 0.8
Z = (1.959964, 0.841621)  # quantiles of the normal: two-sided 95 %, power of 80 %


@dataclass(frozen=True)
class World:
    """Checkpoints of known strengths, and people who choose between them."""

    strengths: tuple[float, ...]  # logits
    prompts: int = 6
    prompts_sd: float = 0.5  # of what a prompt changes of each strength, in logits
    ties: float = 0.5  # Davidson's nu: a fifth of the answers between equals
    bad: float = 0.2  # share of the ties at which both are called bad
    side: float = 0.0  # what the picture on the left has in its favour, in logits
    raters: int = 1
    raters_sd: float = 0.0  # of how far each rater's strengths lie from those of all of them together
    repeats: float = 0.1  # share of the answers that are asked for again
    remembered: float = 0.0  # share of the repeats that are answered as before, not anew
    pictures: int = 2  # shown at once; more than two: best and worst


def choose(world: World, answers: int, rng: np.random.Generator) -> pd.DataFrame:
    """A table as :func:`workbench.people.choices.choice_table` gives it, of so many answers and their repeats."""
    n = len(world.strengths)
    cells = np.array(world.strengths)[:, None] + world.prompts_sd * rng.standard_normal((n, world.prompts))
    by_rater = world.raters_sd * rng.standard_normal((world.raters, n))
    by_rater -= by_rater.mean(axis=0)
    rows: list[dict[str, Any]] = []
    asked: list[tuple[int, int, list[int]]] = []
    said: list[tuple[list[tuple[int, int]], dict[str, Any]]] = []
    for item in range(answers + round(answers * world.repeats)):
        again = item >= answers
        first = int(rng.integers(answers)) if again else item
        if not again:
            shown = rng.permutation(n)[: world.pictures].tolist()
            asked.append((int(rng.integers(world.raters)), int(rng.integers(world.prompts)), shown))
        rater, prompt, shown = asked[first]
        if again and rng.random() < world.remembered:
            pairs, answer = said[first]
        else:
            shown = shown[::-1] if again else shown
            pairs, answer = answered(world, (cells[:, prompt] + by_rater[rater])[shown], shown, rng)
            said.append((pairs, answer))
        about = {"rater": f"rater {rater + 1}", "prompt": prompt, "text": f"prompt {prompt}", "seed": 1}
        about |= {"item_id": item, "first_item": first, "is_repeat": again, "session": "simulated", "position": item}
        rows += [{"winner": winner, "loser": loser, **about, **answer} for winner, loser in pairs]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def answered(
    world: World, strengths: np.ndarray, shown: list[int], rng: np.random.Generator
) -> tuple[list[tuple[int, int]], dict[str, Any]]:
    """(which beats which, what else was said) of one item. Best and worst are drawn by Luce's choice axiom (1959)."""
    m = len(shown)
    if m == 2:
        gap = np.array(strengths[0] - strengths[1] + world.side)
        first, tie = chances(gap, math.log(world.ties) if world.ties else -math.inf)
        draw = rng.random()
        tied, left = first <= draw < first + tie, draw < first
        pairs = [(shown[0], shown[1]) if left or tied else (shown[1], shown[0])]
        bad, side = bool(tied and rng.random() < world.bad), None if tied else "left" if left else "right"
        return pairs, {"tied": bool(tied), "both_bad": bad, "weight": 1.0, "mode": "pair", "side": side}
    best = int(np.argmax(strengths + rng.gumbel(size=m)))  # the largest of such sums: e^strength / their sum
    others = [place for place in range(m) if place != best]
    worst = others[int(np.argmax(rng.gumbel(size=m - 1) - strengths[others]))]
    about = {"tied": False, "both_bad": False, "weight": grid_weight(m), "mode": "best_worst", "side": None}
    return implied(shown, shown[best], shown[worst]), about


def measure(
    world: Callable[[np.random.Generator], World],
    answers: int,
    repetitions: int,
    rng: np.random.Generator,
    prompt_spreads: tuple[float, ...] = PROMPT_SPREADS,
) -> dict[str, float]:
    """Shares over repetitions; a table that falls into groups is drawn anew.

    strengths, pairs, ranks: intervals that hold the truth (of a checkpoint, of the difference of two, all ranks that
    go with its strength). told: pairs that are called different; wrong: pairs that are called so and aren't, or the
    other way round; any_wrong: tables with such a pair; places: mean width of the rank intervals; disagree: tables
    whose raters are said to have different orders.
    """
    found: list[dict[str, float]] = []
    while len(found) < repetitions:
        drawn = world(rng)
        order = ranking(choose(drawn, answers, rng), prompt_spreads=prompt_spreads)
        if order is None or order.n_groups > 1 or len(order.table) < len(drawn.strengths):
            continue
        table = order.table
        true = np.array(drawn.strengths)[table["checkpoint_id"]]
        true = true - true.mean()
        highest = 1 + (true[None, :] > true[:, None]).sum(axis=1)
        lowest = len(true) - (true[None, :] < true[:, None]).sum(axis=1)
        one, other = np.triu_indices(len(true), 1)
        low, high = np.quantile(order.draws[:, one] - order.draws[:, other], [0.025, 0.975], axis=0)
        gap = true[one] - true[other]
        wrong = ((low > 0) & (gap <= 0)) | ((high < 0) & (gap >= 0))
        found.append(
            {
                "strengths": ((table["low"] <= true) & (true <= table["high"])).mean(),
                "pairs": ((low <= gap) & (gap <= high)).mean(),
                "ranks": ((table["rank_low"] <= highest) & (lowest <= table["rank_high"])).mean(),
                "told": ((low > 0) | (high < 0)).mean(),
                "wrong": wrong.mean(),
                "any_wrong": wrong.any(),
                "places": (table["rank_high"] - table["rank_low"] + 1).mean(),
                "disagree": order.disagreement is not None and order.disagreement.found,
            }
        )
    return {name: float(value) for name, value in pd.DataFrame(found).astype(float).mean().items()}


def drawn_strengths(sd: float, **about: Any) -> Callable[[np.random.Generator], World]:
    """Worlds of CHECKPOINTS with strengths N(0, sd^2)."""
    return lambda rng: World(tuple((sd * rng.standard_normal(CHECKPOINTS)).tolist()), **about)


def needed(share: float, ties: float = 0.0) -> int:
    """Answers between two checkpoints until the better one, preferred in this share of the answers that prefer one, is
    told with a power of 80 % (test of a proportion against 1/2, normal approximation). ``ties``: share of the answers.

    >>> needed(0.6), needed(0.8)
    (194, 20)
    """
    root = Z[0] * 0.5 + Z[1] * math.sqrt(share * (1 - share))
    return math.ceil((root / (share - 0.5)) ** 2 / (1 - ties))


def two(share: float, prompts_sd: float) -> Callable[[np.random.Generator], World]:
    """A world of two checkpoints, without ties."""
    return lambda rng: World((math.log(share / (1 - share)), 0.0), prompts_sd=prompts_sd, ties=0.0, repeats=0.0)


def simulate(repetitions: int = 25, seed: int = 0) -> dict[str, Any]:
    """The figures on orders for docs/validity.md: lists of rows, each with what was simulated and :func:`measure`'s.

    ``coverage``: as ranked, and naively, as if prompts changed nothing. ``equal``: all strengths equal. ``other``:
    grids, a liking for one side, raters who differ, repeats answered from memory. ``needed``: answers until the better
    of two is told where prompts change nothing and that is known; then the share in which it is told here, where how
    much they change is learned from the answers, with so many answers and with four times as many.
    """
    rng = np.random.default_rng(seed)

    def row(world: Callable[[np.random.Generator], World], answers: int, **about: Any) -> dict[str, Any]:
        spreads = about.pop("spreads", PROMPT_SPREADS)
        return {**about, "answers": answers, **measure(world, answers, repetitions, rng, spreads)}

    methods = {"with prompts": PROMPT_SPREADS, "naive": PROMPT_SPREADS[:1]}
    usual = drawn_strengths(1.0)
    return {
        "checkpoints": CHECKPOINTS,
        "repetitions": repetitions,
        "coverage": [
            row(usual, answers, method=method, spreads=spreads)
            for method, spreads in methods.items()
            for answers in ANSWERS
        ],
        "equal": [row(drawn_strengths(0.0), answers) for answers in ANSWERS],
        "other": [
            row(world, answers, what=what)
            for what, answers, world in (
                ("prompts change much (sd 1)", 150, drawn_strengths(1.0, prompts_sd=1.0)),
                ("checkpoints differ much (sd 2)", 50, drawn_strengths(2.0)),
                ("best and worst of six", 50, drawn_strengths(1.0, pictures=6)),
                ("the left side is liked (62:38)", 150, drawn_strengths(1.0, side=0.5)),
                ("two raters with one order", 150, drawn_strengths(1.0, raters=2)),
                ("two raters who differ (sd 1)", 150, drawn_strengths(1.0, raters=2, raters_sd=1.0)),
                ("30 % repeats, half from memory", 100, drawn_strengths(1.0, repeats=0.3, remembered=0.5)),
            )
        ],
        "needed": [
            {
                "share": share,
                "answers": needed(share),
                "told": measure(two(share, 0.0), needed(share), repetitions, rng)["told"],
                "told_by_four_times": measure(two(share, 0.0), 4 * needed(share), repetitions, rng)["told"],
                "told_by_four_times_where_prompts_differ": measure(
                    two(share, 0.5), 4 * needed(share), repetitions, rng
                )["told"],
            }
            for share in SPLITS
        ],
    }
