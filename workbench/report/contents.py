"""What a report is made from: a project's tables, who leads, and which pictures stay blank."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from sqlite_utils import Database

from workbench import views
from workbench.findings.analysis import Tables
from workbench.findings.contrast import contrast_table
from workbench.findings.metrics import Metric
from workbench.findings.noise import Noise, noise_floor
from workbench.findings.ranking import ranking
from workbench.pictures import contact_sheet, gallery
from workbench.plans.plan import EvalPlan, plan_of
from workbench.report.leader import Leader, leader_of
from workbench.workspace import Workspace

Row = dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """What a report is made from. ``held``: tokens of pictures that wait to be rated, which it leaves blank."""

    ws: Workspace
    db: Database
    project: Row
    plan: EvalPlan
    tables: Tables
    leader: Leader
    held: frozenset[str]
    rater: str

    @property
    def sheet_seeds(self) -> tuple[int, ...]:
        return self.plan.seeds[-1:]

    @property
    def tokens(self) -> set[str]:
        """Of all pictures that it shows by name, if they don't wait."""
        single = gallery.records(self.leader.previews)
        return {row["token"] for row in single} | set(contact_sheet.tokens(self.tables, self.plan, self.sheet_seeds))

    @property
    def metric(self) -> Metric:
        """The score that patterns are judged by."""
        return self.tables.metric(self.tables.main_metric)

    @cached_property
    def noise(self) -> Noise | None:
        return noise_floor(self.tables.checkpoints, self.tables.main_metric)

    @cached_property
    def elsewhere(self) -> bool:
        return views.made_elsewhere(self.db, self.project)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """See :func:`contrast.contrast_table`."""
        return contrast_table(self.tables, self.tables.main_metric)

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """See :func:`ranking.ranking`."""
        return ranking(self.tables, self.tables.main_metric)


class ReportError(ValueError):
    """There is nothing to report yet."""


def contents(
    ws: Workspace, db: Database, project: Row, tables: Tables, held: Collection[str] = (), rater: str = "me"
) -> Contents:
    """Raises ReportError before anything was measured."""
    plan = plan_of(db, project["id"])
    leader = leader_of(tables, plan, views.made_elsewhere(db, project))
    if leader is None:
        raise ReportError("There is nothing to report yet: no checkpoint that was drawn to the end has a score.")
    return Contents(ws, db, project, plan, tables, leader, frozenset(held), rater)
