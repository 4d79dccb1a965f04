"""What a scenario sees and what it answers: who is to be forgotten, and what was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class TrainingSet:
    """The training set, and nothing else: a scenario cannot touch validation or test data.

    ``labels``: true labels, int64 [n]; ``classes``: their names; ``subjects``: who or what each
    image shows, int64 [n], where the data set knows; then also ``copies``, the same number for
    images that are equal byte for byte.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    subjects: np.ndarray | None = None
    copies: np.ndarray | None = None


@dataclass(frozen=True)
class ForgetRequest:
    """A scenario's answer.

    ``forget``: bool [n], the forget set; ``train_labels``: int64 [n], what the original model is
    trained on (poison included); ``goal``: what the request is for. A method may know the goal, as
    whoever files such a request does: poison is to be unlearned *and* classified right afterwards.
    ``note``: what a reader of the results must know of the draw. ``order``: where there are several
    requests, one after another, which of them (1, ..., k) asks for an example, int64 [n]; 0: kept.
    """

    forget: np.ndarray
    train_labels: np.ndarray
    goal: Literal["removal", "depoison"]
    note: str = ""
    order: np.ndarray | None = None


def numbered(rng: np.random.Generator, draw: int) -> np.random.Generator:
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
    """What a removal draws from by itself: a name, and positions in the training set.

    Each class (the ``first`` so many), or all of them together.
    """
    labels = range(first or len(training.classes))
    if not per_class:
        return [("the training set", np.flatnonzero(np.isin(training.labels, labels)))]
    return [
        (f"class {training.classes[label]}", np.flatnonzero(training.labels == label))
        for label in labels
    ]


def portion(count: int | None, fraction: float, size: int, place: int, places: int) -> int:
    """How many to draw from the group of ``size`` at ``place``: its share of ``count``, or of it.

    The remainder of a count goes to the first groups.
    """
    if count is None:
        return round(fraction * size)
    return count // places + (place < count % places)
