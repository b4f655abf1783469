"""The chart of the loss of one training."""

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from workbench.charting.chart_parts import (
    COLOURS,
    finish,
)

MAX_POINTS = 800  # of a loss curve


def loss_curve(points: ArrayLike) -> alt.LayerChart:
    """The training loss, thin, and its running median. It says that a run learns, not how well.

    ``points``: (n, 2), updates and loss.
    """
    numbers = np.asarray(points, dtype="float64").reshape(-1, 2)
    table = pd.DataFrame(numbers, columns=["update", "loss"]).astype({"update": "int64"})
    window = max(len(table) // 20, 1)
    table["median"] = table["loss"].rolling(window, center=True, min_periods=1).median()
    table = table.iloc[:: max(len(table) // MAX_POINTS, 1)]
    base = alt.Chart(table).encode(x=alt.X("update:Q", title="updates"))
    loss = alt.Y("loss:Q", title="training loss", scale=alt.Scale(zero=False))
    tips = [
        alt.Tooltip("update:Q"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("median:Q", format=".4f"),
    ]
    return finish(
        [
            base.mark_line(strokeWidth=1, opacity=0.35, color=COLOURS[0]).encode(y=loss),
            base.mark_line(strokeWidth=2, color=COLOURS[0]).encode(y="median:Q", tooltip=tips),
        ],
        [f"Thick: running median of {window} updates."] if window > 1 else [],
    )
