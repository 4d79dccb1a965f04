"""The slides' readouts, against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.attacks.detection import detection
from bench.plugins.outputs import Labels, Outputs, Population
from bench.plugins.toy_outputs import toy_outputs
from tests.helpers.outputs import by_name

TRUE = np.array([1, 1, 1, 0, 0])


def says(*claims):
    """Outputs of models that claim these classes, [m, n, 2]."""
    return np.eye(2, dtype=np.float32)[np.array(claims)]


@pytest.fixture
def scores():
    parts = {
        "forget": says([0, 0, 1, 1, 1], [1, 1, 1, 0, 0]),
        "retain": says([1, 0, 0, 1, 0], [0, 0, 0, 0, 0]),
        "validation": says(TRUE, TRUE),
        "test": says([1, 1, 0, 1, 0], TRUE),
    }
    labels = dict.fromkeys(parts, Labels(TRUE, TRUE)) | {"forget": Labels(1 - TRUE, TRUE)}
    mine = Population(np.arange(2), parts)
    right = Population(np.arange(2), dict.fromkeys(parts, says(TRUE, TRUE)))
    return detection(Outputs(mine, right, {"mine": mine}, labels))


@pytest.mark.parametrize(
    ("where", "values"),
    [  # accuracy, precision, recall and F1 of each of the two models
        ("clean", [(2 / 5, 2 / 5), (1 / 2, np.nan), (1 / 3, 0), (2 / 5, 0)]),
        ("poison", [(4 / 5, 0), (2 / 3, 0), (1, 0), (4 / 5, 0)]),
        ("poison_true", [(1 / 5, 1), (1 / 3, 1), (1 / 3, 1), (1 / 3, 1)]),
        ("test", [(3 / 5, 1), (2 / 3, 1), (2 / 3, 1), (2 / 3, 1)]),
    ],
)
def test_detection_by_hand(scores, where, values):
    found = by_name(scores, "mine")
    for measure, expected in zip(("accuracy", "precision", "recall", "f1"), values, strict=True):
        score = found[f"detection_{where}_{measure}"]
        assert score.values == pytest.approx(expected, nan_ok=True), measure
        assert score.value == pytest.approx(np.mean(expected), nan_ok=True)
        assert score.target == pytest.approx(0 if where == "poison" else 1)


def test_the_sample_of_dr_is_named_and_more_classes_are_refused(scores):
    assert "clean: the 5 examples of Dr whose outputs are stored (retain_sample)" in scores.notes
    refused = detection(toy_outputs(classes=3))
    assert (refused.scores, refused.readouts) == ([], [])
    assert refused.notes == ["detection is for two classes, here are 3: see errors"]
