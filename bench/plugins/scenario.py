"""What a scenario is given and what it returns: the forget set, and the labels to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.errors import UserError
from bench.outside import shown

MOST_NAMED = 5  # classes in a note


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


def find_problem(request: ForgetRequest, training: TrainingSet) -> str:
    """What is wrong with what a scenario returned; empty if nothing is."""
    labels, forget, order = training.labels, request.forget, request.order
    if forget.shape != labels.shape or forget.dtype != bool:
        return "forget is not one bool for each training example"
    given = request.train_labels
    if given.shape != labels.shape or given.dtype.kind not in "iu":
        return "train_labels are not one integer for each training example"
    if not ((given >= 0) & (given < len(training.classes))).all():
        return "gave labels that are no class"
    if ((given != labels) & ~forget).any():
        return "changed labels outside the forget set"
    if order is None:
        return ""
    if order.shape != labels.shape or not np.array_equal(order > 0, forget):
        return "order and forget disagree"
    turns = np.unique(order[order != 0])
    if not np.array_equal(turns, np.arange(1, len(turns) + 1)):
        return "order must be 0 for what stays, and 1, ..., k for what k requests ask for"
    return ""


def with_copies(request: ForgetRequest, copies: np.ndarray) -> ForgetRequest:
    """The request that forgets all copies of an example with it, at the first that names one.

    ``copies``: a number for each training example, see `TrainingSet`. Labels stay as they are.
    Raises UserError where a request would ask for nothing that is left.
    """
    turn = np.where(request.forget, 1 if request.order is None else request.order, len(copies) + 1)
    first = np.full(copies.max(initial=0) + 1, len(copies) + 1)
    np.minimum.at(first, copies, turn)
    forget = first[copies] <= len(copies)
    joined = int((forget & ~request.forget).sum())
    text = f"{joined} more examples are forgotten since they equal a forgotten one byte for byte"
    order = None
    if request.order is not None:
        order = np.where(forget, first[copies], 0)
        left, asked = len(np.unique(order[forget])), request.order.max()
        if left < asked:
            raise UserError(
                f"copies = with leaves {asked - left} of {asked} requests empty: earlier requests "
                "take all their examples as copies, so choose fewer or larger requests"
            )
    note = "; ".join(filter(None, [request.note, text]))
    return replace(request, forget=forget, order=order, note=note)


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
        (f"class {shown(training.classes[label])}", np.flatnonzero(training.labels == label))
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


def name_spared(pools: Sequence[tuple[str, np.ndarray]], forget: np.ndarray) -> str:
    """A note that names the groups whose share rounds to no example; empty if there are none."""
    names = [f"{name} ({len(of)})" for name, of in pools if len(of) and not forget[of].any()]
    if not names:
        return ""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (
        f"nothing is forgotten of {', '.join(names[:MOST_NAMED])}{more}: so few training examples "
        "that the share rounds to none"
    )
