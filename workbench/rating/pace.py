"""How many items fit into a rater's minutes, in each mode: at the rater's own pace, with warm-up and repeats."""

from statistics import median
from typing import Any

from sqlite_utils import Database

from db import now, ratings
from workbench.rating.layout import n_repeats
from workbench.rating.modes import MODES
from workbench.rating.warm_up import WARM_S

PAUSE_S = 60.0  # whoever took longer was away
ENOUGH = 5  # answers in a mode that tell a rater's own pace
WARM_UPS = {"single": 3, "deck": 3, "sheet": 2, "pair": 2, "best_worst": 2}  # at most: see warm_up.py


class Pace:
    """One rater's seconds per item and mode, and what of the warm-up and the repeats is behind them already."""

    def __init__(self, db: Database, project_id: int, rater: str) -> None:
        self.seconds: dict[str, list[float]] = {mode: [] for mode in MODES}
        self.repeated = dict.fromkeys(MODES, 0)
        self.warm = dict.fromkeys(MODES, False)
        answers: dict[tuple[str, int], dict[str, Any]] = {}
        for event in ratings.events(db, project_id, rater):
            if event["event"] != "undo":
                answers.setdefault((event["session"], event["position"]), event)
        for event in answers.values():
            mode = event["mode"]
            self.seconds[mode].append(event["answered_at"] - event["shown_at"])
            self.repeated[mode] += event["is_repeat"]
            self.warm[mode] |= 0 <= now() - event["answered_at"] < WARM_S

    def each(self, mode: str) -> float:
        """Seconds for an item: the median of this rater's, pauses apart; the usual ones before there are enough."""
        own = [seconds for seconds in self.seconds[mode] if 0 < seconds < PAUSE_S]
        return median(own) if len(own) >= ENOUGH else MODES[mode].seconds

    def repeats(self, mode: str, n: int) -> int:
        return n_repeats(n, self.repeated[mode])

    def minutes(self, mode: str, n: int) -> float:
        """What n items take, warm-up and repeats included."""
        warm_ups = 0 if self.warm[mode] else WARM_UPS[mode]
        return (n + self.repeats(mode, n) + warm_ups) * self.each(mode) / 60

    def fits(self, mode: str, minutes: float) -> int:
        """How many items fit into the minutes."""
        n = int(minutes * 60 / self.each(mode))
        while n and self.minutes(mode, n) > minutes:
            n -= 1
        return n
