"""Distances to retraining: KLoM, ZRF, MIA-NN, AIN, relearn time, Wasserstein; known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from bench.attacks.ain import ain
from bench.attacks.entropy import Wasserstein, confidence_counts, entropy
from bench.attacks.klom import divergences, klom
from bench.attacks.mia_nn import mia_nn
from bench.attacks.relearn_time import relearn_time
from bench.attacks.zrf import divergences as js_divergences
from bench.attacks.zrf import zrf
from bench.plugins.outputs import Outputs, Population, Relearning
from bench.plugins.removal import FORGOTTEN_TEST, without_classes
from bench.plugins.toy_outputs import toy_outputs
from tests.helpers.outputs import by_name, rng

# Entropy and confidence ---------------------------------------------------------------------------


@given(st.integers(0, 300))
def test_wasserstein_is_scipys_for_any_models_that_stay(seed):
    first, second = rng(seed).integers(0, 9, size=(2, 5, 4)) / 4
    kept = np.flatnonzero(rng(seed + 1).random(5) < 0.7)
    kept = kept if len(kept) else np.array([2])
    found = Wasserstein(first, second)(kept)
    assert found == pytest.approx(wasserstein_distance(first[kept].ravel(), second[kept].ravel()))


def test_every_confidence_is_counted_once():
    counts = confidence_counts(np.array([[0.0, 0.019, 0.02, 0.5, 1.0]]))
    assert counts.sum() == 5
    assert (counts[0, 0], counts[0, 1], counts[0, -1]) == (2, 1, 1)


def test_entropy_and_confidence_are_given_on_all_three_sets():
    outputs = toy_outputs()
    scores = entropy(outputs)
    names = {score.readout for score in scores.scores}
    for part in ("forget", "retain", "test"):
        for measure in ("entropy", "confidence"):
            stem = f"{part}_{measure}"
            assert {stem, f"{stem}_js", f"{stem}_w1"} <= names
    (kept,) = (
        one.values
        for one in scores.per_example
        if (one.row, one.name) == ("retrain", "forget_confidence")
    )
    assert kept.shape == (6, 40)
    assert by_name(scores, "retrain")["forget_confidence"].value == pytest.approx(kept.mean())


# KLoM ---------------------------------------------------------------------------------------------


def test_klom_by_hand():
    """Bins of width 1: unlearned half in the first and the last, retrained all in the first."""
    unlearned, retrained = np.array([[0.0], [20.0]]), np.array([[0.5], [0.5]])
    expected = 0.5 * np.log(0.5 / 1) + 0.5 * np.log(0.5 / 1e-5)
    assert divergences(unlearned, retrained)[0] == pytest.approx(expected, rel=1e-5)


def test_klom_counts_the_largest_margin_that_the_published_code_loses():
    low, high = np.zeros((8, 1)), np.full((8, 1), 5.0)
    assert divergences(low, high, "published")[0] == 0
    assert divergences(low, high)[0] == pytest.approx(np.log(1 / 1e-5), rel=1e-4)


@given(st.integers(0, 200))
def test_klom_does_not_depend_on_order_or_scale(seed):
    unlearned, retrained = rng(seed).normal(size=(2, 9, 3))
    found = divergences(unlearned, retrained)
    order = rng(seed + 1).permutation(9)
    assert divergences(unlearned[order], retrained) == pytest.approx(found)
    assert divergences(8 * unlearned, 8 * retrained) == pytest.approx(found)  # exact in binary
    assert (found >= -1e-12).all()


def test_equal_populations_have_no_divergence():
    values = rng().normal(size=(6, 4))
    assert divergences(values, values) == pytest.approx(0)
    assert divergences(np.ones((3, 2)), np.ones((3, 2))) == pytest.approx(0)


def test_klom_says_why_one_model_has_none():
    scores = klom(toy_outputs(1))
    assert not scores.scores
    assert scores.notes[0] == "klom: not scored, one model has no distribution"
    outputs = toy_outputs(3)
    lone = {row: replace(p, members=p.members[:1]) for row, p in outputs.rows.items()}
    some = replace(outputs, rows=outputs.rows | {row: lone[row] for row in ("retrain", "original")})
    assert "klom: original, retrain not scored, one model has no distribution" in klom(some).notes


# ZRF ----------------------------------------------------------------------------------------------


def test_js_of_the_documented_example():
    p, q = np.log([[0.9, 0.05, 0.05]]), np.log([[0.2, 0.4, 0.4]])
    forward, reverse = js_divergences(p, q)
    assert forward[0] * np.log(2) == pytest.approx(0.2754, abs=1e-4)
    assert reverse[0] / 3 == pytest.approx(0.1172, abs=1e-4)


def test_zrf_is_one_for_a_model_that_guesses_as_the_untrained_one_does():
    outputs = toy_outputs()
    row = Population(np.arange(6), {**outputs.original.logits, **outputs.untrained.logits})
    found = by_name(zrf(replace(outputs, rows={"guess": row})), "guess")
    assert found["zrf"].value == pytest.approx(1)
    assert found["zrf_code"].value == pytest.approx(1)
    sure = np.zeros((6, 40, 3))
    sure[:, :, 0] = 1000
    other = np.zeros((6, 40, 3))
    other[:, :, 1] = 1000
    outputs = replace(
        outputs,
        rows={"sure": Population(np.arange(6), {"forget": sure})},
        untrained=Population(np.arange(6), {"forget": other}),
    )
    assert by_name(zrf(outputs), "sure")["zrf"].value == pytest.approx(0)


# MIA-NN -------------------------------------------------------------------------------------------


def class_removal(seen: float) -> Outputs:
    """Class 0 of 4 is forgotten; its inputs look like class 1 to models that never saw it."""
    count, models = 60, 6
    true = np.arange(count) % 4
    base = toy_outputs(models)
    forgotten = np.zeros(count, dtype=int)
    labels = {
        part: replace(base.labels["test"], train=of, true=of)
        for part, of in zip(
            ("forget", "retain", "validation", "test"),
            (forgotten, true[true > 0], true, true),
            strict=True,
        )
    }

    def population(seed, as_neighbour):
        logits = {}
        for part, of in labels.items():
            size = (models, len(of.true), 4)
            z = rng(seed).normal(size=size) + 5 * np.eye(4)[of.true]
            z[:, of.true == 0, 1] += as_neighbour
            logits[part] = z.astype(np.float32)
        return Population(np.arange(models), logits)

    rows = {"retrain": population(3, 2.0), "mine": population(4, seen)}
    return Outputs(population(1, 0.0), population(2, 2.0), rows, labels)


def test_mia_nn_recognises_a_forgotten_class_by_its_neighbour():
    outputs = without_classes(class_removal(2.0), np.array([0]))
    found = by_name(mia_nn(outputs), "mine")["mia_nn"]
    assert found.gap_interval[0] <= 0 <= found.gap_interval[1]
    emptied = without_classes(class_removal(12.0), np.array([0]))
    assert by_name(mia_nn(emptied), "mine")["mia_nn"].gap < -0.2


def test_mia_nn_needs_a_forgotten_class():
    assert "class" in mia_nn(toy_outputs()).notes[0]


def test_removed_classes_are_gone_from_outputs_and_labels():
    outputs = without_classes(class_removal(0.0), np.array([0]))
    assert outputs.num_classes == 3
    assert set(outputs.labels["forget"].train) == {-1}
    assert set(outputs.labels["test"].true) == {0, 1, 2}
    assert outputs.original.logits["test"].shape == (6, 45, 3)
    assert outputs.original.logits[FORGOTTEN_TEST].shape == (6, 15, 3)
    assert set(outputs.gone[FORGOTTEN_TEST]) == {0}
    same = class_removal(0.0)
    assert without_classes(same, np.array([], dtype=int)) is same


# Relearning ---------------------------------------------------------------------------------------


def relearnt(**steps):
    rows = {row: Relearning(np.array(of), np.array(of) < 40) for row, of in steps.items()}
    outputs = toy_outputs(4)
    shown = {row: outputs.original for row in steps if row != "retrained"}
    return replace(outputs, rows=shown, relearning=rows)


def test_ain_is_the_ratio_of_steps():
    outputs = relearnt(retrained=[10, 20, 10, 20], mine=[1, 2, 1, 2], same=[10, 20, 10, 20])
    scores = ain(outputs)
    assert by_name(scores, "mine")["ain"].value == pytest.approx(0.1)
    assert by_name(scores, "same")["ain"].value == 1
    assert by_name(scores, "mine")["ain"].target == 1
    assert scores.notes == []


def test_relearn_time_is_compared_with_retraining_and_says_who_never_came():
    outputs = relearnt(retrained=[10, 20, 10, 20], mine=[1, 2, 40, 1])
    scores = relearn_time(outputs)
    found = by_name(scores, "mine")["relearn_time"]
    assert (found.value, found.target) == (11, 15)
    assert scores.notes == [
        "relearn-time: had not learnt Df again after 100 epochs: mine (1 of 4 models)"
    ]


def test_what_relearnt_too_slowly_is_one_note_and_retraining_is_in_it_once():
    slow = [40, 40, 1, 1]
    (note,) = relearn_time(relearnt(retrained=slow, mine=[40, 1, 1, 1], retrain=slow)).notes
    assert note.endswith(": mine (1 of 4 models), retrain (2 of 4 models)")
    (note,) = relearn_time(relearnt(retrained=slow, mine=[1, 1, 1, 1], retrain=[1, 1, 1, 1])).notes
    assert note.endswith(": retrained (2 of 4 models)")
