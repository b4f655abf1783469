"""What was measured of checkpoints: told in figures and charts, and nothing where nothing was measured."""

import json

import pytest

from workbench.charting import checkpoint_charts as cc

BLOCKS = {"up 1": 0.02, "text encoder": 0.004, "down 0": 0.01, "down 10": 0.01, "mid": 0.03, "all": 0.015}
WORSE = [(0.10, 0.10), (0.08, 0.09), (0.05, 0.12)]
FASTER = [(0.1554, 0.1499), (0.1445, 0.1451)]  # measured: 40 updates of the miniature


def row(updates, train=None, reference=None, blocks=None, seconds=None, memory=None):
    return {
        "updates": updates,
        "images_seen": updates * 4,
        "seconds": seconds,
        "memory_bytes": memory,
        "loss_train": train,
        "loss_reference": reference,
        "weight_change": json.dumps(blocks) if blocks else None,
    }


def test_runs_from_before_say_nothing():
    table = cc.measurements([row(60), row(120)])
    assert cc.measurement_rows(table) == []
    assert cc.overfitting(table) == ""
    assert cc.loss_chart(table) is None
    assert cc.weight_change_chart(table) is None
    assert cc.measurement_rows(cc.measurements([])) == []


def test_a_table_has_the_columns_that_were_measured_in_words_and_units():
    table = cc.measurements([row(120, 0.08, seconds=75.0, blocks=BLOCKS), row(60, 0.1, seconds=38.0)])
    assert cc.measurement_rows(table) == [
        {
            "updates": "60",
            "images seen": "240",
            "weight change": "",
            "loss, training photos": "0.1000",
            "trained for": "38 s",
        },
        {
            "updates": "120",
            "images seen": "480",
            "weight change": "1.5 %",
            "loss, training photos": "0.0800",
            "trained for": "1 min 15 s",
        },
    ]
    full = cc.measurement_rows(cc.measurements([row(60, 0.1, 0.11, memory=2_500_000_000)]))[0]
    assert (full["gap"], full["memory at most"]) == ("+0.0100", "2.50 GB")


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (WORSE, "Overfitting: the gap grew from +0.0000 at update 1 to +0.0700 at 3, by 70 % of the loss."),
        (WORSE, "On reference photos the loss was lowest at update 2 and has risen since."),
        (FASTER, "It learns its own photos faster than others: the gap grew from -0.0055 at update 1 to +0.0006 at 2"),
        (FASTER, "by 4 % of the loss. On reference photos the loss still falls, too."),
        ([(0.10, 0.11), (0.08, 0.092)], "No overfitting to see: the gap went from +0.0100 at update 1 to +0.0120 at 2"),
        ([(0.10, 0.11), (0.08, 0.08)], "No overfitting to see"),
        ([(0.10, 0.11)], "The gap is +0.0100 at update 1. Another checkpoint tells"),
        ([(0.10, None), (0.09, None)], ""),
    ],
)
def test_a_gap_that_grows_is_told_and_called_overfitting_once_others_get_worse(losses, said):
    table = cc.measurements([row(n, *both) for n, both in enumerate(losses, 1)])
    assert said in cc.overfitting(table) and bool(said) == bool(cc.overfitting(table))


def test_the_loss_is_drawn_on_both_kinds_of_photos_with_the_gap_between():
    chart = cc.loss_chart(cc.measurements([row(1, 0.1, 0.1), row(2, 0.08, None), row(3, 0.05, 0.12)]))
    gap, lines = chart.layer
    assert list(gap.data["updates"]) == [1, 3]
    assert sorted(zip(lines.data["updates"], lines.data["loss"], strict=True)) == [
        (1, 0.1),
        (1, 0.1),
        (2, 0.08),
        (3, 0.05),
        (3, 0.12),
    ]


def test_without_reference_photos_only_the_training_photos_are_drawn():
    chart = cc.loss_chart(cc.measurements([row(1, 0.1), row(2, 0.08)]))
    assert set(chart.layer[1].data["photos"]) == {cc.TRAIN}
    assert not chart.layer[0].data.size


def test_blocks_stand_in_the_order_in_which_the_picture_passes_them():
    chart = cc.weight_change_chart(cc.measurements([row(60, blocks=BLOCKS)]))
    assert chart.layer[1].to_dict()["encoding"]["y"]["sort"] == [
        "text encoder",
        "down 0",
        "down 10",
        "mid",
        "up 1",
        "whole LoRA",
    ]
