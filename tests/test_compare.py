"""Two checkpoints on the same cells."""

import pandas as pd
import pytest
from filled import PLAN, fill, likeness

from workbench.findings.analysis import tables
from workbench.pictures import gallery
from workbench.pictures.compare import BASE, Side, comparable, compare, to_begin_with


@pytest.fixture(scope="module")
def previews(tmp_path_factory):
    full = fill(tmp_path_factory.mktemp("compare"), rated=False)
    return tables(full.db, full.project_id).previews


def of(previews, label, updates, seed=1):
    rows = previews[(previews["label"] == label) & (previews["updates"] == updates) & (previews["train_seed"] == seed)]
    return int(rows["checkpoint_id"].iloc[0])


def test_checkpoints_are_named_by_pattern_seed_and_updates(previews):
    names = comparable(previews)
    assert names[BASE] == "without LoRA"
    assert names[of(previews, "alpha 1", 60)] == "alpha 1 · seed 1 · 60 updates"
    assert len(names) == 13


def test_a_pair_shows_the_same_prompt_and_seed_of_both_with_the_base_alone(previews):
    a, b = of(previews, "baseline", 120), of(previews, "alpha 1", 120)
    found = compare(previews, a, b)
    assert (found.a, found.b) == ("baseline · seed 1 · 120 updates", "alpha 1 · seed 1 · 120 updates")
    assert len(found.pairs) == 4 * 2
    pair = found.pairs[3]
    assert (pair.text, pair.sub) == (PLAN.text(1, "zwx", "woman"), "seed 102")
    by_src = {gallery.preview_url(row["token"]): row for row in previews.to_dict("records")}
    for side, checkpoint in ((pair.a, a), (pair.b, b)):
        row = by_src[side.src]
        assert (row["checkpoint_id"], row["prompt"], row["seed"]) == (checkpoint, 1, 102)
        assert side.full == side.src.replace(".webp", ".png")
    assert by_src[pair.base_a.src]["is_base"] and pair.base_a == pair.base_b
    assert pair.a.note == f"likeness {likeness(0, 1, 120, 1, 102):.0f}"


def test_the_first_two_to_look_at_are_last_checkpoints_of_two_patterns(previews):
    assert to_begin_with(previews) == (of(previews, "baseline", 120), of(previews, "alpha 1", 120))
    one = previews[previews["is_base"] | (previews["label"] == "baseline")]
    assert to_begin_with(one) == (BASE, of(previews, "baseline", 120))
    early = one[one["is_base"] | (one["checkpoint_id"] == of(previews, "baseline", 60))]
    assert to_begin_with(early) == (BASE, of(previews, "baseline", 60))


def test_only_cells_that_both_have_are_compared(previews):
    a, b = of(previews, "baseline", 120), of(previews, "alpha 1", 120)
    without = previews[(previews["checkpoint_id"] != b) | (previews["prompt"] != 2)]
    assert len(compare(without, a, b).pairs) == 6
    assert compare(previews, a, 999).pairs == ()


def test_the_base_alone_can_be_one_of_the_two(previews):
    found = compare(previews, BASE, of(previews, "baseline", 120))
    assert found.a == "without LoRA"
    assert len(found.pairs) == 8 and all(pair.a == pair.base_a == pair.base_b for pair in found.pairs)


def test_each_is_held_against_the_base_that_it_is_looked_at_with(previews):
    a, b = of(previews, "baseline", 120), of(previews, "alpha 1", 120)
    base = previews[previews["is_base"]]
    other = base.assign(base_model="other", token="of the other " + base["token"])
    table = pd.concat([previews, other])
    table.loc[table["checkpoint_id"] == b, "base_model"] = "other"
    for first, second in ((a, b), (b, a)):
        pair = compare(table, first, second).pairs[0]
        bases = pair.base_a.src, pair.base_b.src
        assert ["of the other" in src for src in bases] == [first == b, second == b]
    assert "of the other" in compare(table, BASE, b).pairs[0].a.src
    assert "of the other" not in compare(table, BASE, a).pairs[0].a.src


def test_what_waits_to_be_rated_has_no_address(previews):
    a, b = of(previews, "baseline", 120), of(previews, "alpha 1", 120)
    held = set(previews[previews["checkpoint_id"] == b]["token"])
    assert {pair.b for pair in compare(previews, a, b, held).pairs} == {Side(waits=True)}
