"""What a run keeps for its report beside scores: by hand, on a few outputs."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.split import Split
from bench.plugins.dataset import Data
from bench.plugins.outputs import Labels, Outputs, Population
from bench.plugins.removal import FORGOTTEN_TEST, without_classes
from bench.results.extras import extras
from bench.stages.split import with_samples


def said(*classes):
    """Two models that both say these classes."""
    return np.stack([np.eye(3, dtype=np.float32)[list(classes)]] * 2)


def made(forget_labels, test_labels, **row):
    """A run of three classes: the row and retrained models, that say what is in ``row``."""
    labels = {
        part: Labels(np.array(of), np.array(of))
        for part, of in (("forget", forget_labels), ("test", test_labels))
    }
    labels |= dict.fromkeys(("retain", "validation"), labels["test"])
    logits = {part: said(*classes) for part, classes in row.items()}
    logits |= dict.fromkeys(("retain", "validation"), logits["test"])
    models = Population(np.arange(2), logits)
    return Outputs(models, models, {"mine": models}, labels)


def split(data=None, **more):
    """The split of six images, the first two forgotten, the last three tested on."""
    images = np.arange(6 * 4 * 4, dtype=np.uint8).reshape(6, 4, 4, 1)
    classes, groups = ("a", "b", "c"), more.get("groups")
    data = data or Data("made", images, np.array([0, 1, 2, 0, 1, 2]), classes, groups=groups)
    names, numbers = np.unique(groups, return_inverse=True) if "groups" in more else (None, None)
    drawn = Split(
        train=np.arange(3),
        validation=np.array([], int),
        test=np.arange(3, 6),
        forget=np.array([0, 1]),
        retain=np.array([2]),
        retain_sample=np.array([2]),
        train_labels=np.array([1, 0, 2]),
        true_labels=np.array([0, 1, 2]),
        validation_labels=np.array([], int),
        test_labels=np.array([0, 1, 2]),
        goal="removal",
        data=data.name,
        fingerprint=data.fingerprint,
        classes=classes,
        scale=data.scale,
        groups=numbers,
        group_names=names,
    )
    return with_samples(drawn, data)


def test_shares_of_what_is_called_what():
    outputs = made([0, 0, 1], [0, 1, 2], forget=(0, 2, 1), test=(0, 1, 1))
    found = extras(split(), outputs)
    assert found["confusion|forget|true"].tolist() == [0, 1]
    assert found["confusion|forget|mine"].tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    assert found["confusion|test|retrained"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_a_forgotten_class_keeps_its_number_and_has_no_column():
    outputs = made([0, 0], [0, 1, 2], forget=(1, 2), test=(2, 1, 2))
    found = extras(split(), without_classes(outputs, np.array([0])))
    assert found["confusion|called"].tolist() == [1, 2]
    assert found["confusion|forget|true"].tolist() == [0]
    assert found["confusion|forget|mine"].tolist() == [[0.5, 0.5]]
    assert found[f"confusion|{FORGOTTEN_TEST}|mine"].tolist() == [[0, 1]]
    assert found["confusion|test|true"].tolist() == [1, 2]


def test_samples_carry_both_labels_and_their_source():
    groups = np.array(["x", "y", "x", "x", "y", "y"])
    found = extras(split(groups=groups), made([0], [0, 1, 2], forget=(0,), test=(0, 0, 2)))
    assert found["samples|train_labels"].tolist() == [1, 0]
    assert found["samples|true_labels"].tolist() == [0, 1]
    assert found["samples|groups"].tolist() == ["x", "y"]
    assert found["samples|images"].shape == (2, 4, 4, 1)
    assert found["groups|names"].tolist() == ["x", "y"]
    assert found["groups|mine"] == pytest.approx([0, 0.5])


def test_a_table_has_no_samples():
    rows = np.zeros((6, 1, 1, 5), np.float32)
    data = Data("rows", rows, np.array([0, 1, 2, 0, 1, 2]), ("a", "b", "c"), scale=None)
    found = extras(split(data), made([0], [0, 1, 2], forget=(0,), test=(0, 0, 2)))
    assert not any(name.startswith("samples") for name in found)
