"""What a scenario is given and what it returns: the forget set, and the labels to train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class TrainingSet:
    """The training set, and nothing else: a scenario cannot touch validation or test data.

    Attributes
    ----------
    labels
        True labels, int64 [n].
    classes
        Names of the classes.
    subjects
        Whom or what each image shows, int64 [n], where the data set knows.
    copies
        A number for each image, int64 [n], the same for images that are equal byte for byte; given
        wherever ``subjects`` are.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    subjects: np.ndarray | None = None
    copies: np.ndarray | None = None


@dataclass(frozen=True)
class ForgetRequest:
    """What a scenario returns: the examples to forget.

    Attributes
    ----------
    forget
        The forget set, bool [n].
    train_labels
        Labels that the original model is trained on, int64 [n], poison included.
    goal
        "removal", or "depoison" where the forgotten examples shall be classified correctly
        afterwards. A method may know the goal, as whoever files the request does.
    note
        What a reader of the results must know about the draw.
    order
        With several requests, one after another: the request (1, ..., k) that asks for an example,
        or 0 for an example that stays, int64 [n].
    """

    forget: np.ndarray
    train_labels: np.ndarray
    goal: Literal["removal", "depoison"]
    note: str = ""
    order: np.ndarray | None = None


def rng_of_draw(rng: np.random.Generator, draw: int) -> np.random.Generator:
    """The generator of draw 0, 1, 2, ...: ``rng`` itself, then its children."""
    if draw == 0:
        return rng
    sequence = rng.bit_generator.seed_seq
    if not isinstance(sequence, np.random.SeedSequence):
        raise TypeError("rng must come from numpy.random.default_rng")
    child = np.random.SeedSequence(sequence.entropy, spawn_key=(*sequence.spawn_key, draw - 1))
    return np.random.Generator(type(rng.bit_generator)(child))


def groups(
    training: TrainingSet, per_class: bool, first: int | None = None
) -> list[tuple[str, np.ndarray]]:
    """The groups that a removal draws from separately: a name, and positions in the training set.

    They are the ``first`` so many classes (by default all), one by one or together.
    """
    labels = range(first or len(training.classes))
    if not per_class:
        return [("the training set", np.flatnonzero(np.isin(training.labels, labels)))]
    return [
        (f"class {training.classes[label]}", np.flatnonzero(training.labels == label))
        for label in labels
    ]


def portion(count: int | None, fraction: float, size: int, place: int, places: int) -> int:
    """How many examples to draw from the group at ``place`` of ``places``, which has ``size``.

    This is the group's share of ``count``, whose remainder goes to the first groups; without a
    count, it is the ``fraction`` of the group.
    """
    if count is None:
        return round(fraction * size)
    return count // places + (place < count % places)
