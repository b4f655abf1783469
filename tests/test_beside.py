"""What a preview is beside others, by hand, and quick enough for a page."""

import time

import numpy as np
import pandas as pd
import pytest

from workbench.findings.beside import beside, diversity


def table(*rows):
    """Previews: (id, checkpoint or None, prompt, seed), with a finish that doubles with the id."""
    return pd.DataFrame(
        {
            "preview_id": [row[0] for row in rows],
            "checkpoint_id": pd.array([row[1] for row in rows], dtype="Int64"),
            "is_base": [row[1] is None for row in rows],
            "base_model": "embedded",
            "clip_skip": 1,
            "prompt": [row[2] for row in rows],
            "seed": [row[3] for row in rows],
            "strength": 1.0,
            "is_confirm": False,
            "picture_status": "ok",
            "saturation": [0.1 * row[0] for row in rows],
            "clipping": [0.01 * row[0] for row in rows],
            "sharpness": [2.0 ** (row[0] % 9) for row in rows],
        }
    )


def unit(*vectors):
    seen = np.array(vectors, dtype=np.float32)
    return seen / np.linalg.norm(seen, axis=1, keepdims=True)


PREVIEWS = table((1, None, 0, 7), (2, None, 0, 8), (3, 5, 0, 7), (4, 5, 0, 8), (5, 5, 1, 7))
IDS = np.array([1, 2, 3, 4, 5])
SEEN = unit((1, 0), (0, 1), (3, 4), (4, 3), (1, 0))


def test_drift_is_the_angle_to_the_base_row_s_picture_of_the_same_cell():
    drift = beside(PREVIEWS, IDS, SEEN)["drift"]
    assert drift[:4].tolist() == pytest.approx([0, 0, 0.4, 0.4], abs=1e-6)
    assert np.isnan(drift[4])  # the base row has no picture of its prompt


def test_diversity_is_the_mean_angle_to_the_other_seeds_pictures():
    found = beside(PREVIEWS, IDS, SEEN)["diversity"]
    assert found[:4].tolist() == pytest.approx([1, 1, 0.04, 0.04], abs=1e-6)  # (3, 4).(4, 3) / 25 = 0.96
    assert np.isnan(found[4])
    three = unit((1, 0), (0, 1), (3, 4))
    # the first is at 1 from the second and 0.4 from the third
    assert diversity(three, np.zeros(3, dtype=int))[0] == pytest.approx((1 + 0.4) / 2, abs=1e-6)


def test_changes_are_differences_and_for_sharpness_doublings():
    found = beside(PREVIEWS, IDS, SEEN)
    assert found["saturation_change"][:4].tolist() == pytest.approx([0, 0, 0.2, 0.2])
    assert found["clipping_change"][:4].tolist() == pytest.approx([0, 0, 0.02, 0.02])
    assert found["sharpness_change"][:4].tolist() == pytest.approx([0, 0, 2, 2])
    assert found.iloc[4].isna().all()


def test_a_broken_picture_is_compared_with_nothing():
    broken = PREVIEWS.assign(picture_status=["black", "ok", "ok", "flat", "ok"])
    changes = beside(broken, IDS, SEEN)["saturation_change"]
    assert np.isnan(changes[[0, 2, 3]]).all() and changes[1] == 0


def test_pictures_of_confirmation_seeds_are_no_siblings_of_the_others():
    apart = PREVIEWS.assign(is_confirm=[False, False, False, True, False])
    assert beside(apart, IDS, SEEN)["diversity"][2:4].isna().all()


def test_what_was_not_seen_is_missing_and_order_does_not_matter():
    order = [3, 0, 2]
    found = beside(PREVIEWS, IDS[order], SEEN[order])
    assert found["drift"][[0, 2]].tolist() == pytest.approx([0, 0.4], abs=1e-6) and np.isnan(found["drift"][3])
    assert found["diversity"][[2, 3]].tolist() == pytest.approx([0.04, 0.04], abs=1e-6)
    nothing = beside(PREVIEWS, np.array([], dtype=int), np.empty((0, 1), dtype=np.float32))
    assert nothing[["drift", "diversity"]].isna().all(axis=None) and nothing["saturation_change"].notna().sum() == 4
    assert beside(PREVIEWS[:0], IDS, SEEN).empty


def test_ten_thousand_previews_take_moments():
    n, seeds = 10_000, 4
    cells = [(i + 1, None if i < 32 else i // 32, i % 32 // seeds, i % seeds) for i in range(n)]
    previews, seen = table(*cells), np.random.default_rng(0).normal(size=(n, 512))
    ids, seen = previews["preview_id"].to_numpy(), unit(*seen)
    started = time.perf_counter()
    found = beside(previews, ids, seen)
    assert time.perf_counter() - started < 3  # 0.1 s on an idle core
    assert found.notna().all(axis=None)
