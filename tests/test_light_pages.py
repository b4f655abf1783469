"""What Home and Charts send to the browser stays little, however many patterns there are: each element takes time."""

import json
from collections.abc import Iterator
from typing import Any

import filled
import pytest
from streamlit.testing.v1.element_tree import Block
from test_pages import go, no_error, open_app, unfold, words

from pages import _pairs

RATES, ALPHAS = (0.002, 0.004, 0.006, 0.008), (16.0, 4.0, 1.0)
N_PAIRS, N_SQUARES = 30, 18  # 3 alphas x 6 pairs of rates + 4 rates x 3 pairs of alphas; 6 pairs x 3 pairs
MOST_ELEMENTS = 70


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Every rate with every alpha, one training of each."""
    changes: dict[str, dict[str, object]] = {
        f"{rate} {alpha}": {"learning_rate": rate, "alpha": alpha} for alpha in ALPHAS for rate in RATES
    }
    first, *others = changes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filled, "CHANGES", {first: {}, **{name: changes[name] for name in others}})
        patch.setattr(filled, "OF_PATTERN", tuple(60.0 - 3 * n for n in range(len(changes))))
        for each in ("OF_BOTH", "CLIP"):
            patch.setattr(filled, each, getattr(filled, each) * len(changes))
        patch.setattr(filled, "TRAIN_SEEDS", (1,))
        return filled.fill_anew(tmp_path_factory.mktemp("grid"), filled.PLAN, rated=False).ws.home


def elements(block: Block) -> Iterator[Any]:
    for child in block.children.values():
        if isinstance(child, Block):
            yield from elements(child)
        yield child


def rows_drawn(app):
    """The rows of the only chart: names of settings above them aside."""
    [chart] = app.get("vega_lite_chart")
    places = json.loads(chart.proto.spec)["layer"][0]["encoding"]["y"]["scale"]["domain"]
    return sum(": " in place for place in places)


@pytest.mark.parametrize("page", ["home", "charts"])
def test_many_squares_and_pairs_make_few_elements(grid, monkeypatch, page):
    app = open_app(grid, monkeypatch)
    app = app if page == "home" else go(app, page)
    assert f"{N_SQUARES - 5} more" in [one.label for one in app.expander]
    assert len(list(elements(app.main))) <= MOST_ELEMENTS
    assert words(app).count("what changing ") == 5
    assert words(unfold(app, "more interplays")).count("what changing ") == N_SQUARES


def test_of_many_pairs_charts_draw_those_that_say_most_and_all_at_a_click(grid, monkeypatch):
    monkeypatch.setattr(_pairs, "MOST", 12)
    app = open_app(grid, monkeypatch)
    assert rows_drawn(app) <= 8
    app = go(app, "charts")
    assert rows_drawn(app) == 12
    for chosen, drawn in (("21 with the usual value", 21), (f"All {N_PAIRS} pairs", N_PAIRS)):
        no_error(app.button_group(key="pairs-shown").set_value(chosen).run())
        assert rows_drawn(app) == drawn
