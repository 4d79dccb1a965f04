"""Scenarios as they are typed: names of classes win over special words, nothing is ignored."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import UserError
from bench.plugins.registry import Registry
from bench.plugins.scenario import TrainingSet

CLASSES = ("fist", "none", "true", "1_000", "007", "1.0", "2024-01-01", "a+b", "a", "3", "nan", "")


def forgotten(text, classes=CLASSES):
    training = TrainingSet(np.arange(len(classes)), classes)
    plugin = Registry().resolve("scenarios", text)
    forget = plugin(training, np.random.default_rng(0)).forget
    return [classes[place] for place in np.flatnonzero(forget)]


@pytest.mark.parametrize("name", [name for name in CLASSES if name])
def test_a_class_is_known_by_its_name_whatever_word_that_is(name):
    assert forgotten(f"class[of={name}]") == [name]
    label = Registry().resolve("scenarios", f"class[of={name}]").label
    assert forgotten(label) == [name]  # as it is printed, it can be typed


def test_names_with_a_plus_can_be_joined_by_plus():
    assert forgotten("class[of=a+b+a+none]") == ["none", "a+b", "a"]
    assert forgotten("class[of=none]", ("x", "y", "none", "z")) == ["none"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class[of=a+a]", "names a twice: name it once"),
        ("class[of=a+none+a+none]", "names a, none twice"),
        ("class[of=None]", "no class 'None'; classes: fist, none,"),
        ("class[of=3,count=2]", "class: of = 3 decides alone, so that count would be ignored"),
        ("class[of=none,draw=1,count=2]", "count and draw would be ignored: drop of or"),
        ("random[count=10,fraction=0.5]", "count = 10 decides alone, so that fraction would be"),
        ("random[fraction=0.1,count=3]", "drop count or fraction"),  # the default of fraction
        ("incremental[count=1,fraction=0.1]", "incremental: count = 1 decides alone"),
        ("subject[count=1,fraction=0.1]", "subject: count = 1 decides alone"),
        ("class[count=true]", "class: count = true: must be a whole number"),
        ("class[count=99999999999999999999]", r"must lie between -2\^63 and 2\^63"),
    ],
)
def test_what_cannot_be_meant_is_one_line(text, words):
    with pytest.raises(UserError, match=words) as caught:
        forgotten(text)
    assert "\n" not in str(caught.value)


def test_a_parameter_that_is_not_given_does_not_count():
    assert len(forgotten("random[count=none,fraction=0.3,per_class=false]")) == 4
