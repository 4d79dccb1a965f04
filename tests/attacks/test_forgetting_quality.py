"""Forgetting quality: algorithm 1 line by line, and the attacks that feed it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from bench.attacks.forgetting_quality import (
    bin_of,
    example_epsilons,
    forgetting_quality,
    quality_of,
)
from bench.attacks.shared.distinguish import fit_logistic, logistic_rates, threshold_rates
from bench.plugins.outputs import Outputs, Population
from tests.helpers.outputs import by_name, hand_made, populations, rng

# Forgetting quality: algorithm 1, line by line ----------------------------------------------------

DELTA = 0.01


def one(*rates):
    """Epsilon of one example under attacks with these (FPR, FNR)."""
    false, missed = np.array(rates, dtype=float).T
    return example_epsilons(false[None], missed[None], DELTA)[0]


def test_algorithm_1_both_rates_zero_is_a_perfect_separation():
    assert one((0, 0)) == np.inf
    assert one((0.5, 0.5), (0, 0)) == np.inf


def test_algorithm_1_one_rate_zero_is_discarded():
    assert one((0, 0.3), (0.2, 0.3)) == one((0.2, 0.3))
    assert one((0.3, 0), (0.2, 0.3)) == one((0.2, 0.3))


def test_algorithm_1_takes_the_larger_of_both_directions():
    expected = max(np.log(0.99 - 0.1) - np.log(0.4), np.log(0.99 - 0.4) - np.log(0.1))
    assert one((0.1, 0.4)) == pytest.approx(expected)
    assert one((0.4, 0.1)) == pytest.approx(expected)


def test_algorithm_1_nan_max_keeps_the_number_beside_a_nan():
    # FPR = 1: log(1 - delta - 1) is NaN, the other direction is log(0.99 - 0.2) - log(1).
    assert one((1.0, 0.2)) == pytest.approx(np.log(0.79))
    assert one((1.0, 1.0), (0.4, 0.4)) == one((0.4, 0.4))


def test_algorithm_1_takes_the_strongest_attack():
    assert one((0.4, 0.4), (0.1, 0.1), (0.3, 0.3)) == one((0.1, 0.1))


def test_algorithm_1_with_nothing_left_is_zero_here():
    assert one((0, 0.5), (0.5, 0), (1, 1)) == 0


def test_bins_and_quality_by_hand():
    epsilons = np.array([-3.0, 0, 0.49, 0.5, 1.2, 5.99, 6.0, 6.5, 40, np.inf])
    assert bin_of(epsilons).tolist() == [1, 1, 1, 2, 3, 12, 13, 13, 13, 13]
    assert quality_of("report", np.array([0.1, 0.6, np.inf]), 9) == pytest.approx(
        (1 + 0.5 + 2**-12) / 3
    )


@given(st.integers(1, 12), st.integers(0, 1000))
def test_threshold_rates_equal_plain_counting(models, seed):
    unlearned = rng(seed).integers(0, 5, size=(models, 3)).astype(float)
    retrained = rng(seed + 1).integers(0, 5, size=(models + 1, 3)).astype(float)
    false, missed = threshold_rates(unlearned, retrained, both=True)
    for example in range(3):
        u, r = unlearned[:, example], retrained[:, example]
        values = np.sort(np.concatenate([u, r]))
        above = [((r > t).mean(), (u <= t).mean()) for t in values]
        below = [((r < t).mean(), (u >= t).mean()) for t in values]
        found = np.stack([false[example], missed[example]], axis=1)
        assert np.allclose(found, above + below)


def test_the_one_way_threshold_misses_a_shift_downwards():
    """The published attack sees nothing of it; both directions do."""
    values = rng(3).normal(size=(64, 40))
    shifted = rng(4).normal(size=(64, 40)) - 1
    quality = {}
    for both in (True, False):
        quality[both] = quality_of(
            "report", example_epsilons(*threshold_rates(shifted, values, both), DELTA), 64
        )
    assert quality[False] > 0.9
    assert quality[True] < 0.2


@pytest.mark.parametrize(("models", "expected"), [(8, 0.46), (64, 0.52), (512, 0.89)])
def test_one_way_quality_of_equal_gaussians_is_near_what_was_measured_elsewhere(models, expected):
    unlearned, retrained = rng(1).normal(size=(2, models, 60))
    epsilons = example_epsilons(*threshold_rates(unlearned, retrained, False), DELTA)
    found = quality_of("report", epsilons, models)
    assert found == pytest.approx(expected, abs=0.12)


def test_logistic_fits_equal_scikit_learns():
    unlearned, retrained = rng(5).normal(1, 2, (15, 6)), rng(6).normal(0, 1, (15, 6))
    unlearned[:, 5] += 30  # separable
    slope, offset = fit_logistic(unlearned, retrained)
    target = np.repeat([1, 0], 15)
    for example in range(6):
        x = np.concatenate([unlearned[:, example], retrained[:, example]])[:, None]
        model = LogisticRegression(tol=1e-10, max_iter=1000).fit(x, target)
        assert slope[example] == pytest.approx(model.coef_[0, 0], rel=1e-4)
        assert offset[example] == pytest.approx(model.intercept_[0], rel=1e-4, abs=1e-6)


def test_logistic_rates_of_separated_and_constant_values():
    false, missed = logistic_rates(np.full((10, 2), 5.0), np.zeros((10, 2)), 3)
    assert false.max() == missed.max() == 0
    false, missed = logistic_rates(np.ones((10, 1)), np.ones((10, 1)), 3)
    assert false + missed == 1


def test_equal_populations_score_high_and_separate_ones_low():
    scores = forgetting_quality(populations(30.0))
    original, retrain = (
        by_name(scores, row)["forgetting_quality"] for row in ("original", "retrain")
    )
    assert original.value == pytest.approx(2**-12)
    assert retrain.value > 100 * original.value
    assert retrain.interval[0] < retrain.value < retrain.interval[1]


def test_the_final_score_multiplies_accuracy_ratios():
    outputs = hand_made()
    found = by_name(forgetting_quality(outputs), "mine")
    assert found["final_score"].value == found["forgetting_quality"].value
    worse = Population(
        np.arange(2),
        {
            **outputs.rows["mine"].logits,
            "test": outputs.rows["mine"].logits["test"][:, :, [2, 0, 1]],
        },
    )
    found = by_name(
        forgetting_quality(
            Outputs(outputs.original, outputs.retrained, {"mine": worse}, outputs.labels)
        ),
        "mine",
    )
    accuracy = (np.array([[1, 2, 0], [1, 1, 0]]) == [0, 1, 2]).mean()
    assert found["final_score"].value == pytest.approx(
        found["forgetting_quality"].value * accuracy / (5 / 6)
    )
