"""Which checkpoint people prefer, from their choices: strengths and rank intervals (Bradley & Terry 1952)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.people.choices import BASE_ALONE
from workbench.people.davidson import Comparisons, Fit, chances, fit, laplacian

CONFIDENCE = 0.95
# Standard deviations of the two normal priors, in logits; each step is as likely as the others beforehand. Chosen by
# the coverage of intervals on simulated raters (docs/validity.md): with smaller steps they hold the truth too seldom
# where checkpoints differ much (86 of 100), and without the effect of prompts in as few as 60 of 100.
SPREADS = (1.0, 2.0, 3.0)  # of checkpoints: one typically beats another 72:28, 87:13 or 95:5
PROMPT_SPREADS = (0.05, 0.5, 1.0, 1.5)  # of what a prompt changes of a checkpoint's strength
MUCH = 1.0  # of these: which of two is preferred depends on the prompt
MOST_NAMED = 8  # checkpoints in one sentence
DRAWS = 2000
SHUFFLES = 500
SURE = 0.95  # probability from which on something is said to be so
FEWEST = 10  # answers of a rater whose order is compared with another's
COLUMNS = {
    "checkpoint_id": "int64",
    "strength": "float64",  # logits; the mean of its group is 0
    "low": "float64",
    "high": "float64",
    "rank": "int64",  # within its group
    "rank_low": "int64",
    "rank_high": "int64",
    "n": "int64",  # comparisons: wins + ties + losses
    "wins": "int64",
    "ties": "int64",
    "losses": "int64",
    "group": "int64",  # from 1, largest first: checkpoints that comparisons connect
}


@dataclass(frozen=True)
class Chance:
    """How often one checkpoint is preferred to another where one of the two is, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def better(self) -> bool | None:
        """True or False where the interval leaves out 1/2, None where it can't be told.

        Of one pair that was chosen beforehand. Of all pairs of a table some are called different that aren't (of eight
        equal checkpoints in 30 of 100 tables after 150 answers); rank intervals allow for that.
        """
        return None if self.low <= 0.5 <= self.high else self.value > 0.5


@dataclass(frozen=True)
class Disagreement:
    """Whether several raters have one order."""

    p: float  # of raters with one order lying as far apart as these
    most: int  # the checkpoint that they differ most about
    raters: tuple[str, ...]  # those with enough answers

    @property
    def found(self) -> bool:
        return self.p <= 1 - SURE


@dataclass(frozen=True)
class Ranking:
    """The order that choices put checkpoints into. Strengths and ranks mean something inside a group only."""

    table: pd.DataFrame  # see COLUMNS, best first, group by group
    ties: float  # Davidson's nu: ties between equals are nu / (2 + nu) of the answers
    n_groups: int
    n: int  # comparisons
    n_answers: int  # repeats are not counted again
    both_bad: float  # share of the answers
    raters: tuple[str, ...]
    disagreement: Disagreement | None  # None with one rater, or with too few answers of the others
    prompts_sd: float  # of what a prompt changes of a checkpoint's strength, in logits
    prompts_matter: float  # probability that this is MUCH or more
    draws: np.ndarray = field(repr=False)  # (DRAWS, checkpoints) of the posterior, columns as ``table`` has its rows
    names: Mapping[int, str] = field(repr=False, default_factory=dict)

    def chance(self, a: int, b: int) -> Chance | None:
        """How often checkpoint ``a`` is preferred to ``b``, on average over prompts; None where they are in no common
        group or in none: nothing is known then."""
        place = {int(checkpoint): row for row, checkpoint in enumerate(self.table["checkpoint_id"])}
        group = self.table["group"].to_numpy()
        if a not in place or b not in place or group[place[a]] != group[place[b]]:
            return None
        chances = 1 / (1 + np.exp(self.draws[:, place[b]] - self.draws[:, place[a]]))
        low, middle, high = np.quantile(chances, [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2])
        return Chance(float(middle), float(low), float(high))

    @property
    def words(self) -> str:
        """What can be said, in whole sentences."""
        members = [part["checkpoint_id"].tolist() for _, part in self.table.groupby("group")]
        said = [self.of_group(number) for number in range(1, self.n_groups + 1)]
        if self.n_groups > 1:
            parts = "; ".join(self.named(part) for part in members)
            said.append(
                f"These {self.n_groups} groups were never compared with each other, not even through others: {parts}. "
                "Which group is better is not known."
            )
        first, *rest = self.notes()
        return " ".join([first, *said, *rest])

    @property
    def behind(self) -> str:
        """What the order stands on, without the order itself, in whole sentences."""
        return " ".join(self.notes())

    def notes(self) -> list[str]:
        said = [
            f"{counted(self.n_answers, 'answer')} by {listed(self.raters)}: "
            f"{counted(self.n, 'comparison')} of {len(self.table)} checkpoints."
        ]
        if self.both_bad:
            said.append(f"In {self.both_bad:.0%} of the answers all that was shown was called bad.".replace("%", " %"))
        said += [*self.of_one_sided(), *self.of_raters()]
        if self.prompts_matter >= SURE:
            said.append("Which one is preferred depends on the prompt: more prompts will tell more than more answers.")
        return said

    def of_group(self, number: int) -> str:
        """Which of a group may be the best."""
        part = self.table[self.table["group"] == number]
        best = part.loc[part["rank_low"] == 1, "checkpoint_id"].tolist()
        if len(best) == len(part):
            return f"Which is the best of these can't be told yet: {self.named(best)}."
        if len(best) > 1:
            return f"Any of these {len(best)} of {len(part)} may be the best (95 %): {self.named(best)}."
        return f"The best of {len(part)} (95 %): {self.named(best)}."

    def of_one_sided(self) -> list[str]:
        """Those whose strength the answers bound on one side only."""
        table = self.table
        undrawn = table[table["ties"] == 0]
        always, never = (undrawn.loc[undrawn[side] == 0, "checkpoint_id"].tolist() for side in ("losses", "wins"))
        said = [f"Never lost: {self.named(always)}."] if always else []
        said += [f"Never won: {self.named(never)}."] if never else []
        return [*said, "How far from the others such a one may be is an assumption, not an answer."] if said else []

    def of_raters(self) -> list[str]:
        if self.disagreement is None:
            return []
        who, p = listed(self.disagreement.raters), f"p = {self.disagreement.p:.3f}"
        if not self.disagreement.found:
            return [f"There is no sign that {who} have different orders ({p})."]
        return [
            f"{who} have different orders ({p}), most of all about "
            f"{self.named([self.disagreement.most])}: this one is their average, so look at each alone too."
        ]

    def named(self, checkpoints: Sequence[int]) -> str:
        usual = {BASE_ALONE: "the base alone", **self.names}
        shown = [usual.get(each, f"checkpoint {each}") for each in checkpoints]
        more = len(shown) - MOST_NAMED
        return listed(shown if more <= 1 else [*shown[:MOST_NAMED], f"{more} others"])


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def ranking(
    table: pd.DataFrame,
    names: Mapping[int, str] | None = None,
    prompt_spreads: tuple[float, ...] = PROMPT_SPREADS,
) -> Ranking | None:
    """The order behind the comparisons of :func:`workbench.people.choices.choice_table`; None where there are none.

    Strengths are Davidson's (1970) with normal priors (``SPREADS``): without one a checkpoint that never lost would be
    infinitely strong. What a prompt changes of a checkpoint's strength is a part of the model (``PROMPT_SPREADS``),
    since comparisons of one prompt go together; how large either is, is averaged over by the evidence. Intervals are
    those of the posterior, with the normal approximation (Laplace) within each step of that grid. On simulated raters
    who choose as the model says they held the truth in 92 to 99 of 100 cases, bootstraps over answers or over prompts
    in 62 to 90. They are about these raters, and about prompts such as these. An answer and its repeats count as one
    together, since repeats may be answered from memory.
    ``names``: what the sentences call a checkpoint.
    """
    if table.empty:
        return None
    ids = np.unique(table[["winner", "loser"]].to_numpy())
    data = comparisons(table, ids)
    group = groups(len(ids), data.owner[data.first], data.owner[data.second])
    fits, share = posterior(data, prompt_spreads)
    draws = drawn(fits, share, group)
    center = draws.mean(axis=0)
    order = np.lexsort((ids, -center, group))
    rank_low, rank_high = rank_intervals(draws, group)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    columns = {
        "checkpoint_id": ids,
        "strength": center,
        "low": low,
        "high": high,
        "rank": 1 + ((group[:, None] == group[None, :]) & (center[:, None] < center[None, :])).sum(axis=1),
        "rank_low": rank_low,
        "rank_high": rank_high,
        **counts(table, ids),
        "group": group + 1,
    }
    answers = table.drop_duplicates("first_item")
    log_ties = [each.log_ties for each in fits]
    of_prompts = np.tile(prompt_spreads, len(SPREADS))
    return Ranking(
        table=pd.DataFrame(columns)[list(COLUMNS)].astype(COLUMNS).iloc[order].reset_index(drop=True),
        ties=float(share @ np.exp(log_ties)),
        n_groups=int(group.max()) + 1,
        n=len(table),
        n_answers=len(answers),
        both_bad=float(answers["both_bad"].mean()),
        raters=tuple(sorted(table["rater"].unique())),
        disagreement=disagreement(table, data, fits[int(share.argmax())], ids),
        prompts_sd=float(share @ of_prompts),
        prompts_matter=float(share[of_prompts >= MUCH].sum()),
        draws=draws[:, order],
        names=names or {},
    )


def comparisons(table: pd.DataFrame, ids: np.ndarray) -> Comparisons:
    """A choice table in numbers: cells are checkpoints (by their place in ``ids``) under a prompt."""
    prompt, _ = pd.factorize(table["text"])
    said = np.where(table["tied"], 0.5, 1.0)
    _, row = np.unique(table["item_id"].to_numpy(), return_index=True)
    first_items = table["first_item"].to_numpy()
    asked, times = np.unique(first_items[row], return_counts=True)  # an item and its repeats
    prompts = prompt.max() + 1
    sides = [np.searchsorted(ids, table[side]) * prompts + prompt for side in ("winner", "loser")]
    cells, place = np.unique(np.concatenate(sides), return_inverse=True)
    first, second = place[: len(table)], place[len(table) :]
    weight = table["weight"].to_numpy() / times[np.searchsorted(asked, first_items)]
    return Comparisons(cells // prompts, first, second, said, weight)


def groups(n: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number of the group of each checkpoint, from 0, largest first: those that comparisons connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(coo_array((np.ones(len(first)), (first, second)), shape=(n, n)), directed=False)
    by_size = np.argsort(-np.bincount(label), kind="stable")
    return np.argsort(by_size, kind="stable")[label]


def posterior(data: Comparisons, prompt_spreads: tuple[float, ...]) -> tuple[list[Fit], np.ndarray]:
    """A fit for each pair of SPREADS and ``prompt_spreads``, and how probable each pair is."""
    fits: list[Fit] = []
    for sd in SPREADS:
        for prompts_sd in prompt_spreads:
            fits.append(fit(data, sd, prompts_sd, fits[-1] if fits else None))
    evidence = np.array([each.evidence for each in fits])
    share = np.exp(evidence - evidence.max())
    return fits, share / share.sum()


def drawn(fits: list[Fit], share: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(DRAWS, checkpoints) strengths of the posterior, the mean of each group 0. The same answers give the same."""
    rng = np.random.default_rng(0)
    ends = np.rint(np.cumsum(share) * DRAWS).astype(int)
    each = [
        one.strengths + rng.standard_normal((count, len(group))) @ np.linalg.cholesky(one.cov).T
        for one, count in zip(fits, np.diff(ends, prepend=0), strict=True)
    ]
    draws = np.concatenate(each)
    member = np.eye(group.max() + 1)[group]
    return draws - (draws @ member / member.sum(axis=0)) @ member.T


def rank_intervals(draws: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lowest, highest) rank of each checkpoint in its group that goes with the answers.

    A checkpoint stands behind those that are surely stronger and before those that are surely weaker, where "surely"
    holds for all its comparisons at once (Mogstad, Romano, Shaikh & Wilhelm 2024): the 95 % quantile of the largest
    of its standardised deviations is the limit.
    """
    low, high = np.ones(len(group), int), np.ones(len(group), int)
    for one in range(len(group)):
        others = np.flatnonzero((group == group[one]) & (np.arange(len(group)) != one))
        high[one] = len(others) + 1
        if not len(others):
            continue
        gap = draws[:, others] - draws[:, [one]]
        mean, sd = gap.mean(axis=0), gap.std(axis=0)
        limit = np.quantile(np.abs((gap - mean) / sd).max(axis=1), CONFIDENCE)
        low[one] += int((mean > limit * sd).sum())
        high[one] -= int((mean < -limit * sd).sum())
    return low, high


def counts(table: pd.DataFrame, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Comparisons, wins, ties and losses of each checkpoint; those of repeats too."""
    winner, loser = (np.searchsorted(ids, table[side]) for side in ("winner", "loser"))
    tied = table["tied"].to_numpy()
    size = len(ids)
    wins, losses = np.bincount(winner[~tied], minlength=size), np.bincount(loser[~tied], minlength=size)
    ties = np.bincount(winner[tied], minlength=size) + np.bincount(loser[tied], minlength=size)
    return {"n": wins + ties + losses, "wins": wins, "ties": ties, "losses": losses}


def disagreement(table: pd.DataFrame, data: Comparisons, fitted: Fit, ids: np.ndarray) -> Disagreement | None:
    """Do raters differ by more than chance? A permutation test of whose answer is whose, within prompts.

    Under one order for all the score of each answer (said - expected, for one checkpoint and against the other) is
    noise whoever gave it. The statistic is the score test's: the sum over raters of S' H^-1 S, with S the sum of a
    rater's scores and H its information at that order (plus that of the prior, so that it can be inverted). Raters with
    fewer than FEWEST answers are left out.
    """
    answers = table.drop_duplicates("first_item")
    given = answers["rater"].value_counts()
    given = given[given >= FEWEST].sort_index()
    if len(given) < 2:
        return None
    first, tie = chances(fitted.cells[data.first] - fitted.cells[data.second], fitted.log_ties)
    expected = first + tie / 2
    sides = [data.owner[side] for side in (data.first, data.second)]
    answer = pd.Index(answers["first_item"]).get_indexer(table["first_item"])
    score = np.zeros((len(answers), len(ids)))
    for side, sign in zip(sides, (1, -1), strict=True):
        np.add.at(score, (answer, side), sign * data.weight * (data.said - expected))
    information = laplacian(sides[0], sides[1], data.weight * (first + tie / 4 - expected**2), len(ids))
    shares = [count / len(answers) for count in given]
    inverse = [np.linalg.inv(share * information + np.eye(len(ids)) / SPREADS[0] ** 2) for share in shares]

    def steps(whose: np.ndarray) -> tuple[float, np.ndarray]:
        sums = [score[whose == rater].sum(axis=0) for rater in given.index]
        moved = np.array([solve @ each for solve, each in zip(inverse, sums, strict=True)])
        return float((moved * sums).sum()), np.ptp(moved, axis=0)

    whose, prompts = answers["rater"].to_numpy(), pd.factorize(answers["text"])[0]
    found, apart = steps(whose)
    rng = np.random.default_rng(0)
    places = [np.flatnonzero(prompts == prompt) for prompt in range(prompts.max() + 1)]
    as_far = 1
    for _ in range(SHUFFLES):
        shuffled = whose.copy()
        for place in places:
            shuffled[place] = rng.permutation(whose[place])
        as_far += steps(shuffled)[0] >= found
    return Disagreement(as_far / (SHUFFLES + 1), int(ids[apart.argmax()]), tuple(given.index))
