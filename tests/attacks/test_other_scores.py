"""U-LiRA, the simple membership attacks, and distances to retraining: known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.attacks.errors import errors
from bench.attacks.gap import gap
from bench.attacks.mia_efficacy import mia_efficacy
from bench.attacks.shared.efficacy import feature_of
from bench.attacks.shared.error_rates import balanced_error_rates, two_class
from bench.attacks.simple_mia import losses, simple_mia
from bench.attacks.u_lira import attack, log_ratios, u_lira
from bench.plugins.outputs import PARTS, Labels, Outputs, Population
from tests.helpers.outputs import by_name, hand_made, populations, rng

# Errors: balanced, and of two classes -------------------------------------------------------------


def test_balanced_error_is_the_mean_over_the_classes_that_occur():
    """Three of class 0, one wrong; one of class 2, wrong: (1/3 + 1) / 2."""
    logits = np.eye(3, dtype=np.float32)[[[0, 0, 1, 1]]]
    population = Population(np.arange(1), {"test": logits})
    found = balanced_error_rates(population, "test", np.array([0, 0, 0, 2]))
    assert found == pytest.approx([2 / 3])


def test_two_class_readouts_by_hand():
    logits = np.zeros((1, 4, 2), dtype=np.float32)
    logits[0, :, 1] = [-1, 1, 2, 0.5]
    found = two_class(logits, np.array([0, 0, 1, 1]))
    assert found[:, 0] == pytest.approx([3 / 4, 2 / 3, 1, 0.8])
    nothing_claimed = two_class(-np.abs(logits) * [0, 1], np.array([0, 0, 1, 1]))
    assert np.isnan(nothing_claimed[1, 0])
    assert nothing_claimed[2:, 0].tolist() == [0, 0]
    assert np.isnan(two_class(logits, np.zeros(4, dtype=int))).all()
    assert np.isnan(two_class(logits, np.ones(4, dtype=int))).all()
    other = two_class(logits, np.array([0, 0, 1, 1]), positive=0)
    assert other[:, 0] == pytest.approx([3 / 4, 1, 1 / 2, 2 / 3])


def test_two_class_readouts_are_there_for_two_classes_only():
    names = {readout.name for readout in errors(populations(1.0)).readouts}
    assert {"test_auc", "test_precision", "test_recall", "test_f1"} <= names
    assert "test_auc" not in {readout.name for readout in errors(hand_made()).readouts}


# U-LiRA -------------------------------------------------------------------------------------------


def test_log_ratios_by_hand_judge_each_model_by_the_others():
    """1, 3, 5 under N(4, 2), N(3, 8), N(2, 2) of their others; N(14, 8), ... of the retrained."""
    unlearned, retrained = np.array([[1.0], [3.0], [5.0]]), np.array([[8.0], [12.0], [16.0]])
    found, _ = log_ratios(unlearned, retrained, pooled=False, per_example=True)
    own = stats.norm([4, 3, 2], np.sqrt([2, 8, 2]))
    other = stats.norm([14, 12, 10], np.sqrt([8, 32, 8]))
    expected = own.logpdf(unlearned[:, 0]) - other.logpdf(unlearned[:, 0])
    assert found[:, 0] == pytest.approx(expected)


def test_identical_populations_cannot_be_told_apart_and_disjoint_ones_can():
    values = rng(1).normal(size=(6, 20))
    assert attack(values, values, "auto")[0] == 0.5
    assert attack(values, values, "auto")[1] == 0.5
    assert attack(values + 100, values, "auto").tolist() == [1, 1, 1, 1]
    constant = np.ones((6, 20))
    assert attack(constant, constant, "example")[0] == 0.5


def test_the_population_attack_misses_what_differs_from_example_to_example():
    values = rng(1).normal(size=(2, 40, 50))
    shift = np.where(np.arange(50) % 2, 3.0, -3.0)
    centre = np.where(np.arange(50) < 25, 10.0, -10.0)
    found = attack(values[0] + centre + shift, values[1] + centre, "auto")
    assert found[0] > 0.85
    assert found[3] < 0.65


@pytest.mark.parametrize("variance", ["example", "pooled"])
def test_the_advantage_over_chance_is_centred_at_zero(variance):
    found = [attack(*rng(seed).normal(size=(2, 8, 10)), variance)[[0, 1, 3]] for seed in range(200)]
    error = np.std(found, axis=0) / np.sqrt(200)
    assert (np.abs(np.mean(found, axis=0) - 0.5) < 3.5 * error + 1e-3).all()


@given(st.integers(0, 300))
def test_order_and_exchange_of_populations_do_not_matter(seed):
    unlearned, retrained = rng(seed).normal(size=(2, 7, 4))
    found = attack(unlearned, retrained, "example")
    order = rng(seed + 1).permutation(7)
    assert attack(unlearned[order], retrained[order], "example")[:2] == pytest.approx(found[:2])
    assert attack(retrained, unlearned, "example")[:2] == pytest.approx(found[:2])


def test_u_lira_of_a_run_sees_what_was_not_forgotten():
    scores = u_lira(populations(3.0, models=10))
    assert by_name(scores, "original")["ulira_accuracy"].value > 0.8
    low, high = by_name(scores, "retrain")["ulira_auc"].interval
    assert low < 0.5 < high
    assert "two pairs" in u_lira(populations(1.0, models=2)).notes[0]


# Simple membership attack -------------------------------------------------------------------------


def test_losses_by_hand():
    logits = np.log(np.array([[[0.75, 0.25], [0.5, 0.5]]], dtype=np.float32))
    assert np.allclose(losses(logits, np.array([1, 0])), [[np.log(4), np.log(2)]])
    assert np.isfinite(losses(np.float32([[[1000, -1000]]]), np.array([1]))).all()


def parts(forget_scale, models=3, count=60, retain_scale=9.0):
    """Models whose logits of the right label are large on Dr and small on unseen data."""
    labels = {part: Labels(*[np.arange(count) % 3] * 2) for part in PARTS}
    scales = {"forget": forget_scale, "retain": retain_scale, "validation": 1.0, "test": 1.0}
    logits = {}
    for number, (part, scale) in enumerate(scales.items()):
        noise = rng(number).normal(size=(models, count, 3))
        logits[part] = (noise + scale * np.eye(3)[labels[part].true]).astype(np.float32)
    population = Population(np.arange(models), logits)
    return Outputs(population, population, {"mine": population}, labels)


def test_simple_attack_finds_members_and_cannot_tell_unseen_examples():
    assert by_name(simple_mia(parts(9.0)), "mine")["simple_mia"].value > 0.9
    assert by_name(simple_mia(parts(1.0)), "mine")["simple_mia"].value == pytest.approx(
        0.5, abs=0.1
    )
    assert by_name(simple_mia(parts(9.0), against="test"), "mine")["simple_mia"].value > 0.85


# MIA efficacy -------------------------------------------------------------------------------------


def test_efficacy_is_the_share_that_passes_for_unseen():
    for feature in ("confidence", "entropy", "modified-entropy"):
        kept = by_name(mia_efficacy(parts(9.0), feature=feature), "mine")["mia_efficacy"].value
        gone = by_name(mia_efficacy(parts(1.0), feature=feature), "mine")["mia_efficacy"].value
        assert kept < 0.2 < 0.6 < gone, feature


def test_modified_entropy_by_hand():
    logits = np.log(np.array([[[0.5, 0.25, 0.25]]], dtype=np.float32))
    found = feature_of(logits, np.array([0]), "modified-entropy")
    assert found.item() == pytest.approx(-0.5 * np.log(0.5) - 0.5 * np.log(0.75))
    extreme = feature_of(np.float32([[[1000, 0, -1000]]]), np.array([2]), "modified-entropy")
    assert np.isfinite(extreme).all()


# Distances to retraining --------------------------------------------------------------------------


def test_a_model_that_equals_retraining_has_no_gap():
    found = by_name(gap(parts(2.0)), "mine")
    assert found["average_gap"].value == 0
    assert found["tow"].value == 1


def test_gap_by_hand():
    """All wrong on Df where retraining is right, the same elsewhere: ToW 0."""
    outputs = parts(9.0)
    wrong = dict(outputs.original.logits)
    wrong["forget"] = np.roll(wrong["forget"], 1, axis=-1)
    row = Population(outputs.original.members, wrong)
    scores = gap(Outputs(outputs.original, outputs.retrained, {"mine": row}, outputs.labels))
    found = by_name(scores, "mine")
    assert found["tow"].value == pytest.approx(0, abs=0.02)
    assert found["average_gap"].value == pytest.approx((1 + 0 + 0 + 1) / 4, abs=0.06)
