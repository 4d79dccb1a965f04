"""The competition's released scorer: its thresholds, evaluated plainly, give the same epsilons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.attacks.forgetting_quality import forgetting_quality, released_quality
from bench.attacks.shared.probabilities import logit_confidence, released_confidence
from bench.attacks.shared.released_scorer import epsilon_table, released_epsilons
from tests.helpers.outputs import populations, rng
from tests.helpers.plain_scorer import DELTA, plainly


@pytest.mark.parametrize("models", [2, 5, 11])
@pytest.mark.parametrize(("shift", "scale"), [(0, 1), (0.7, 1), (-0.4, 0.3), (6, 1), (0, 4)])
def test_epsilons_are_those_of_a_plain_evaluation(models, shift, scale):
    unlearned = shift + scale * rng(1).normal(size=(models, 2))
    retrained = rng(2).normal(size=(models, 2))
    expected = [plainly(unlearned[:, i], retrained[:, i]) for i in range(2)]
    assert np.abs(released_epsilons(unlearned, retrained, DELTA) - expected).max() < 1e-9


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 90), st.sampled_from([0, 1, 2]))
def test_epsilons_of_any_draw_are_those_of_a_plain_evaluation(seed, models, decimals):
    """Rounded values bring ties, within and between populations."""
    unlearned, retrained = rng(seed).normal(size=(2, models))
    if decimals:
        unlearned, retrained = unlearned.round(decimals), retrained.round(decimals)
    found = released_epsilons(unlearned[:, None], retrained[:, None], DELTA)[0]
    assert found == pytest.approx(plainly(unlearned, retrained), abs=1e-9)


def test_many_models_take_the_other_way_of_counting_to_the_same_epsilons(monkeypatch):
    unlearned, retrained = rng(1).normal(0.3, 1, (150, 3)), rng(2).normal(size=(150, 3))
    many = released_epsilons(unlearned, retrained, DELTA)
    monkeypatch.setattr("bench.attacks.shared.released_scorer.FEW", 10**6)
    assert np.array_equal(released_epsilons(unlearned, retrained, DELTA), many)


@settings(max_examples=30)
@given(
    st.integers(-(10**7), 10**7).map(lambda low: low / 5e5),
    st.floats(15, 30),
    st.floats(0.35, 0.65),
)
def test_thresholds_are_those_of_torch_to_the_last_digit(low, length, share):
    """All but the ends of one population lie on a threshold, those of the other just below it."""
    ends = torch.tensor(low), torch.tensor(low + length)
    count = int(np.ceil((ends[1].double() - ends[0].double()).item() * 100))
    grid = torch.linspace(*ends, count).double().numpy()
    value = grid[int(share * count)]
    unlearned, retrained = np.full((2, 20), value)
    retrained[:] = np.nextafter(value, -np.inf)
    unlearned[[0, -1]] = retrained[[0, -1]] = grid[[0, -1]]
    found = released_epsilons(unlearned[:, None], retrained[:, None], DELTA)[0]
    assert found == pytest.approx(np.log(0.95 / 0.05), abs=1e-3)
    assert found == pytest.approx(plainly(unlearned, retrained), abs=1e-9)


def test_table_of_epsilons_by_hand():
    table = epsilon_table(4, DELTA)
    assert table[0, 0] == np.inf
    assert table[0, 2] == table[2, 0] == table[4, 4] == -np.inf
    assert table[1, 2] == pytest.approx(np.log(0.5 / 0.25), abs=1e-4)
    assert table[3, 3] == 0


def test_known_answers():
    same = np.ones((6, 3))
    values = rng(3).normal(size=(6, 3))
    assert np.isnan(released_epsilons(same, same, DELTA)).all()  # the released code stops
    assert released_epsilons(same, values, DELTA).tolist() == [50] * 3  # peaky
    assert released_epsilons(values, values + 100, DELTA).tolist() == [50] * 3  # apart
    assert released_epsilons(values, values, DELTA).max() < 5


@given(st.integers(0, 500))
def test_order_of_models_and_exchange_of_populations_do_not_matter(seed):
    unlearned, retrained = rng(seed).normal(size=(2, 7, 2))
    found = released_epsilons(unlearned, retrained, DELTA)
    order = rng(seed + 1).permutation(7)
    assert np.array_equal(released_epsilons(unlearned[order], retrained, DELTA), found)
    assert np.array_equal(released_epsilons(retrained, unlearned, DELTA), found)


def test_points_by_hand():
    """N = 9: ceil(ln 8) = 3, so six bins; 0.2, 0.7 and 2.9 score, 3.0 and 50 do not."""
    found = released_quality(np.array([0.2, 0.7, 2.9, 3.0, 50.0]), 9)
    assert found == pytest.approx((1 + 1 / 2 + 1 / 32) / 5)
    assert np.isnan(released_quality(np.array([0.0]), 2))  # no bins
    assert np.isnan(released_quality(np.array([0.0, np.nan]), 9))


def test_identical_gaussians_score_what_was_measured_elsewhere():
    """On other draws: 0.18 at N = 8, 0.16 at 64, 0.21 at 512; a shift of 10 scores 0."""
    for models, expected in ((8, 0.18), (64, 0.16), (512, 0.21)):
        unlearned, retrained = rng(7).normal(size=(2, models, 60))
        found = released_quality(released_epsilons(unlearned, retrained, DELTA), models)
        assert found == pytest.approx(expected, abs=0.05)
        apart = released_epsilons(unlearned + 10, retrained, DELTA)
        assert released_quality(apart, models) == 0


def test_confidence_equals_the_stable_one_where_that_is_not_extreme():
    logits, labels = rng(4).normal(size=(3, 5, 4)).astype(np.float32), np.array([0, 1, 2, 3, 0])
    assert np.allclose(
        released_confidence(logits, labels), logit_confidence(logits, labels), atol=1e-5
    )
    extreme = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], dtype=np.float32)
    found = released_confidence(extreme, np.array([0, 0]))
    assert np.allclose(found, [-np.log(1e-45), np.log(1e-45)])


def test_the_variant_scores_every_row_of_a_run():
    scores = forgetting_quality(populations(1.0), variant="competition").scores
    assert {score.row for score in scores} == {"original", "retrain", "over"}
    assert all(0 <= score.value <= 1 for score in scores if score.readout == "forgetting_quality")
