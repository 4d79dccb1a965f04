"""Notes on what was learned: said where it holds, silent where it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import bench
from bench.plugins.outputs import PARTS, Labels, Population
from bench.stages.learned import learning_notes, unchanged_note
from bench.stages.networks import Networks
from bench.training.prediction import predict
from tests.helpers.tiny_run import tiny

CLASSES = ("ant", "bee", "cat", "dog")


def says(labels, wrong=0.0, instead=0):
    """Outputs of two models that answer these labels, and ``instead`` for a share of them."""
    answers = labels.copy()
    answers[: round(wrong * len(labels))] = instead
    return np.repeat(np.eye(4, dtype=np.float32)[answers][None], 2, axis=0)


def notes(shares=(1, 1, 1, 1), forget=0.0, retain=0.0, test=0.0, poison=False, retrained=0.0):
    """The notes on populations with these errors, on data of these shares of classes."""
    of = np.random.default_rng(0).permutation(np.repeat(np.arange(4), np.array(shares) * 10))
    instead = int(np.bincount(of).argmax())
    labels = {part: Labels(of, of) for part in PARTS}
    if poison:
        labels["forget"] = Labels(of, (of + 1) % 4)
    errors = {"forget": forget, "retain": retain, "validation": 0.0, "test": test}

    def population(errors):
        logits = {p: says(labels[p].train, error, instead) for p, error in errors.items()}
        return Population(np.arange(2), logits)

    again = population(errors | {"retain": retrained})
    return learning_notes(population(errors), again, labels, CLASSES)


def test_good_models_need_no_note():
    assert notes() == []
    assert notes(test=0.5) == []


@pytest.mark.parametrize(("retrained", "advice"), [(0.0, "check the test set's labels"), (1.0, "")])
def test_retrained_models_that_are_no_better_than_a_constant_answer(retrained, advice):
    (note,) = notes(test=1.0, retrained=retrained)
    assert "no better than a constant answer on the test set" in note
    assert "75.0 %" in note
    assert advice in note
    assert bool(advice) == ("check" in note)


def test_a_test_set_of_one_class_says_nothing():
    (note,) = notes(shares=(0, 3, 0, 0))
    assert "the test set holds the class bee alone" in note


@pytest.mark.parametrize(
    ("errors", "advice"),
    [
        ({"forget": 1.0, "retain": 1.0}, "train longer"),
        ({"forget": 1.0, "retain": 0.0, "poison": True}, "its labels are wrong"),
        ({"forget": 1.0, "retain": 0.0}, "these examples or their labels are hard"),
        ({"forget": 1.0, "retain": 1.0, "shares": (17, 1, 1, 1)}, "imbalanced"),
    ],
)
def test_train_longer_is_advised_only_where_it_helps(errors, advice):
    (note,) = [note for note in notes(**errors) if "did not learn the forget set" in note]
    assert advice in note
    assert ("train longer" in note) == (advice == "train longer")


def population(seed, models=3, **changes):
    logits = {
        part: np.random.default_rng([seed, place]).normal(size=(models, 5, 4)).astype(np.float32)
        for place, part in enumerate(PARTS)
    }
    return Population(np.arange(models), logits | changes)


def test_a_method_that_returned_its_input_is_named():
    given = population(0)
    assert unchanged_note("ssd", given, population(1)) == []
    assert "ssd: returned every model as it was given" in unchanged_note("ssd", given, given)[0]
    nearly = {part: array.copy() for part, array in given.logits.items()}
    nearly["test"][1] += 1e-6
    some = dataclasses.replace(given, logits=nearly)
    assert "returned 2 of 3 models as it was given" in unchanged_note("ssd", given, some)[0]


def test_from_one_original_every_model_is_compared_with_that_one():
    given = population(0)
    first = {part: np.repeat(array[:1], 3, axis=0) for part, array in given.logits.items()}
    copies = Population(np.arange(3), first, start=0)
    assert "every model" in unchanged_note("ssd", given, copies)[0]
    own = dataclasses.replace(given, start=0)
    assert unchanged_note("ssd", own, copies) != []  # at a later request: member by member
    assert "1 of 3" in unchanged_note("ssd", own, copies)[0]


def test_failed_models_and_parts_that_grew_do_not_matter():
    given = population(0)
    kept = {part: array[1:] for part, array in given.logits.items()}
    kept["forget"] = np.zeros((2, 9, 4), np.float32)  # more is forgotten by now
    assert "every model" in unchanged_note("ssd", given, Population(np.array([1, 2]), kept))[0]
    lone = dataclasses.replace(given, members=np.array([5, 6, 7]))
    assert unchanged_note("ssd", lone, given) == []


def test_a_model_without_finite_outputs_is_lost_and_costs_nothing_else(tmp_path, monkeypatch):
    load, asked = Networks.load_model, []

    def logits_of(model, examples):
        broken = (asked[-1].row, asked[-1].member) == ("neggrad", 1)
        return predict(model, examples) * (float("inf") if broken else 1.0)

    def load_model(self, cell):
        asked.append(cell)
        return load(self, cell)

    monkeypatch.setattr(Networks, "load_model", load_model)
    monkeypatch.setattr("bench.stages.predict.logits_of", logits_of)
    few = {"models": 3, "train": {"epochs": 1, "batch_size": 32}, "scenario": "random"}
    run = bench.run(tiny(tmp_path, methods="neggrad,ssd", attacks="errors", **few), quiet=True)
    (failure,) = run.failed["neggrad"]
    assert (failure["member"], failure["stage"]) == (1, "predict")
    assert "non-finite outputs on the" in failure["reason"]
    counts = {score.row: score.count for score in run.scores_of.scores}
    assert (counts["neggrad"], counts["ssd"]) == (2, 3)
    assert run.record["rows"]["neggrad"]["done"] == 2
