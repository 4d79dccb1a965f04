"""Scores against hand-computed values, known answers and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from bench.attacks.entropy import EDGES, js_divergence, log_entropy_counts
from bench.attacks.errors import errors
from bench.attacks.forgetting_quality import forgetting_quality
from bench.attacks.membership import f1_score, membership
from bench.attacks.shared.crossfit import split_pairs
from bench.attacks.shared.probabilities import (
    entropy,
    largest_loss,
    logit_confidence,
    probabilities,
)
from bench.attacks.shared.roc import pairwise_auc, resampled_tpr, roc_points, thinned, tpr_at
from bench.attacks.u_lira import u_lira
from bench.plugins.intervals import bootstrap_weights, interval, jackknife, score_models
from bench.plugins.toy_outputs import toy_outputs
from bench.stages.gather import constant_predictor
from tests.helpers.outputs import by_name, hand_made, populations, rng


def competition(outputs):
    return forgetting_quality(outputs, variant="competition")


# Probabilities ------------------------------------------------------------------------------------


def test_probabilities_by_hand():
    logits = np.array([[0.0, np.log(3.0)], [0.0, 0.0]])
    assert np.allclose(probabilities(logits), [[0.25, 0.75], [0.5, 0.5]])
    assert np.allclose(entropy(logits)[1], np.log(2))
    assert np.allclose(logit_confidence(logits, np.array([1, 0])), [np.log(3), 0])
    assert np.allclose(largest_loss(logits, None), [-np.log(0.75), np.log(2)])


def test_huge_logits_give_finite_numbers():
    logits = np.array([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0]])
    assert np.allclose(entropy(logits), [0, np.log(3)])
    assert np.allclose(logit_confidence(logits, np.array([0, 1])), [1000, -np.log(2)])
    assert np.isfinite(largest_loss(logits, None)).all()


# Intervals ----------------------------------------------------------------------------------------


def test_the_interval_of_a_mean_is_as_wide_as_students():
    values = rng().normal(size=12)
    samples = bootstrap_weights(rng(1), 12) @ values
    low, high = interval(samples, 12)
    half = stats.t.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    assert high - low == pytest.approx(2 * half, rel=0.1)


def test_intervals_cover_the_truth():
    covered = 0
    for seed in range(300):
        values = rng(seed).normal(size=10)
        low, high = interval(bootstrap_weights(rng(seed + 1000), 10) @ values, 10)
        covered += low <= 0 <= high
    assert 0.90 < covered / 300 < 0.99


def test_few_models_have_no_interval():
    assert interval(np.zeros(10), 2) is None
    assert interval(np.array([np.nan]), 5) is None
    _value, bounds, _left_out = jackknife(lambda kept: np.array([0.5]), 2, [1.0])
    assert bounds == [None]


def test_a_jackknife_that_would_leave_too_few_models_has_no_interval():
    _value, bounds, left_out = jackknife(lambda kept: np.array([0.5]), 3, [1.0], least=3)
    assert bounds == [None]
    assert len(left_out) == 0
    three = populations(1.0, models=3)
    for attack, readout in ((u_lira, "ulira_auc"), (competition, "forgetting_quality")):
        assert by_name(attack(three), "retrain")[readout].interval is None


def test_the_jackknife_of_a_mean_is_students_interval():
    values = rng().uniform(5, 6, size=15)
    _value, ((low, high),), _left_out = jackknife(
        lambda kept: values[kept].mean(keepdims=True), 15, [np.inf]
    )
    expected = stats.t.interval(0.95, 14, values.mean(), stats.sem(values))
    assert np.allclose((low, high), expected)


def test_gaps_are_paired():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    score = score_models("row", "readout", values, values - 1, rng())
    assert (score.value, score.target, score.gap, score.spread) == (
        2.5,
        1.5,
        1.0,
        values.std(ddof=1),
    )
    assert np.allclose(score.gap_interval, 1.0)


# Errors -------------------------------------------------------------------------------------------


def test_errors_by_hand():
    found = by_name(errors(hand_made()), "mine")
    assert found["forget_error"].value == pytest.approx((0 + 1 / 3) / 2)
    assert found["forget_error_true"].value == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert list(found["test_error"].values) == pytest.approx([0, 1 / 3])
    assert found["forget_error"].gap == 0


# Entropy ------------------------------------------------------------------------------------------


def test_js_divergence_by_hand():
    assert js_divergence(np.array([1.0, 0]), np.array([0, 5.0])) == pytest.approx(1)
    assert js_divergence(np.array([1.0, 3]), np.array([2.0, 6])) == pytest.approx(0)
    # p = (1/2, 1/2), q = (1, 0), middle (3/4, 1/4)
    expected = (0.5 * np.log2(2 / 3) + 0.5 * np.log2(2) + np.log2(4 / 3)) / 2
    assert js_divergence(np.array([1.0, 1]), np.array([1.0, 0])) == pytest.approx(expected)


@given(st.integers(0, 1000))
def test_js_divergence_is_symmetric_and_bounded(seed):
    p, q = rng(seed).integers(0, 5, size=(2, 8)) + np.eye(8)[:2]
    assert 0 <= js_divergence(p, q) <= 1
    assert js_divergence(p, q) == pytest.approx(js_divergence(q, p))


def test_every_entropy_is_counted_once():
    values = np.array([[0.0, 1e-30, np.exp(-18.95), 0.5, np.log(10), np.exp(1)]])
    counts = log_entropy_counts(values)
    assert counts.sum() == 6
    assert counts[0, 0] == 3
    assert len(EDGES) == 101


# ROC ----------------------------------------------------------------------------------------------


def test_roc_by_hand():
    false, true = roc_points(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    assert false.tolist() == [0, 0, 0.5, 1]
    assert true.tolist() == [0, 0.5, 1, 1]
    assert tpr_at(false, true, 0.0) == 0.5
    assert tpr_at(false, true, 0.49) == 0.5
    assert tpr_at(false, true, 0.5) == 1.0


@given(st.integers(0, 300))
def test_pooled_auc_is_the_mean_of_the_pairwise_ones(seed):
    positive = rng(seed).integers(0, 6, size=(4, 7)).astype(float)
    negative = rng(seed + 1).integers(0, 6, size=(3, 7)).astype(float)
    scores = np.concatenate([positive.ravel(), negative.ravel()])
    truth = np.repeat([1, 0], [positive.size, negative.size])
    table = pairwise_auc(positive, negative)
    assert table.mean() == pytest.approx(roc_auc_score(truth, scores))
    false, true = roc_points(positive, negative)
    assert np.trapezoid(true, false) == pytest.approx(table.mean())
    drawn = np.array([0, 0, 2, 3])
    repeated = pairwise_auc(positive[drawn], negative).mean()
    shares = np.bincount(drawn, minlength=4) / 4
    assert shares @ table @ np.full(3, 1 / 3) == pytest.approx(repeated)


def test_resampled_tpr_of_the_whole_population_is_the_tpr():
    positive, negative = rng(1).normal(1, 1, (5, 400)), rng(2).normal(0, 1, (5, 400))
    for fpr in (0.01, 0.1):
        exact = tpr_at(*roc_points(positive, negative), fpr)
        found = resampled_tpr(np.full((1, 5), 0.2), positive, negative, fpr)[0]
        assert found == pytest.approx(exact, abs=0.01)


def test_thinning_keeps_the_ends_and_the_area():
    false, true = roc_points(rng(1).normal(1, 1, 20000), rng(2).normal(0, 1, 20000))
    few_false, few_true = thinned(false, true)
    assert len(few_false) < 1100
    assert (few_false[0], few_true[-1]) == (0, 1)
    assert np.trapezoid(few_true, few_false) == pytest.approx(np.trapezoid(true, false), abs=1e-3)


def test_f1_by_hand():
    # 10 members of which 8 are found, 10 others of which 4 are called members: 2*8/(2*8+4+2)
    assert f1_score(0.8, 0.4) == pytest.approx(16 / 22)


# Membership ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pairs", "folds"), [(20, 5), (20, 20), (7, 3), (3, 5), (5, 2)])
def test_cross_fitting_tests_each_pair_once_and_never_on_what_it_learnt(pairs, folds):
    rounds = split_pairs(rng().permutation(pairs), folds)
    assert sorted(np.concatenate([test for _f, _v, test in rounds])) == list(range(pairs))
    for fit, validate, test in rounds:
        assert len(fit)
        assert len(validate)
        assert sorted([*fit, *validate, *test]) == list(range(pairs))


def test_one_fold_is_the_papers_split():
    ((fit, validate, test),) = split_pairs(np.arange(50), 1)
    assert (len(fit), len(validate), len(test)) == (40, 5, 5)


def test_membership_tells_apart_what_differs_and_only_that():
    scores = membership(populations(4.0), folds=5, trees=20)
    found = {row: by_name(scores, row)["mia_auc"] for row in ("original", "retrain", "over")}
    assert found["original"].value > 0.95
    assert found["original"].interval[0] > 0.9
    assert found["retrain"].interval[0] < 0.5 < found["retrain"].interval[1]
    assert found["over"].value < 0.4  # forgotten too much: the Streisand effect
    assert by_name(scores, "original")["mia_tpr1"].value > 0.1


def test_the_chance_level_of_f1_is_estimated_too():
    """The gap's interval must hold 0 for equal populations about as often as it says."""
    held = 0
    for seed in range(40):
        outputs = populations(2.0, models=10, examples=20, seed=100 * seed)
        low, high = by_name(membership(outputs, trees=5, tune=False), "retrain")[
            "mia_f1"
        ].gap_interval
        held += low <= 0 <= high
    assert held >= 35


def test_membership_on_one_split_tests_few_pairs():
    scores = membership(populations(4.0, models=20), folds=1, trees=10)
    assert {score.count for score in scores.scores} == {2}


def test_membership_says_what_too_few_pairs_mean():
    assert membership(populations(1.0, models=1)).notes
    two = membership(populations(1.0, models=2), trees=10)
    assert "published settings" in two.notes[0]
    assert {score.count for score in two.scores} == {2}


# Sanity rows --------------------------------------------------------------------------------------


def test_a_constant_predictor_is_wrong_on_all_but_its_class():
    outputs = toy_outputs()
    constant = constant_predictor(outputs.original, outputs.labels["retain"])
    commonest = np.bincount(outputs.labels["retain"].train).argmax()
    assert (constant.logits["test"].argmax(-1) == commonest).all()


def test_an_attacker_that_would_be_tested_on_what_it_learnt_is_refused(monkeypatch):
    everyone = np.arange(8)
    monkeypatch.setattr(
        "bench.attacks.shared.crossfit.split_pairs",
        lambda *_: [(everyone[:6], everyone[6:7], everyone)],
    )
    with pytest.raises(ValueError, match="both learnt from and tested"):
        membership(populations(1.0), trees=5)
