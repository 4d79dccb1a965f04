"""Learned: what the stored outputs say of the training, in sentences for under the table.

A table of unlearning means nothing where nothing was learned. These notes name what a reader would
otherwise have to find out: models no better than a constant answer, examples that the originals
never learned, and methods that returned what they were given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.plugins.outputs import Labels, Population

NOT_LEARNED = (
    0.1  # error of the originals on what they were trained on, from which a reader is told
)
UNEVEN = 0.75  # of a guesser's error among even classes: below it, classes are imbalanced


def learning_notes(
    original: Population,
    retrained: Population,
    labels: Mapping[str, Labels],
    classes: tuple[str, ...],
) -> list[str]:
    """What must be known of the trained models before any number of unlearning is read."""
    commonest = int(np.bincount(labels["retain"].train).argmax())
    return [
        *_against_constant(retrained, labels, commonest, classes),
        *_not_learned(original, labels, commonest),
    ]


def _error(population: Population, part: str, labels: np.ndarray, of: Any = slice(None)) -> float:
    """The mean error of all models on the examples ``of`` a part."""
    return float((population.logits[part].argmax(-1) != labels)[:, of].mean())


def _against_constant(
    retrained: Population,
    labels: Mapping[str, Labels],
    commonest: int,
    classes: tuple[str, ...],
) -> list[str]:
    """Whether retrained models are better on the test set than whoever gives one answer to all.

    They must be better by the standard error of the constant answer's error. Only classes that are
    retained count.
    """
    truth, known = labels["test"].true, np.isin(labels["test"].true, labels["retain"].train)
    if not known.any():
        return []
    constant = float((truth[known] != commonest).mean())
    if len(np.unique(truth)) == 1:
        return [
            f"the test set holds the class {classes[truth[0]]} alone: whoever always answers that "
            "has no error, so an error on it says nothing of what was learned"
        ]
    error = _error(retrained, "test", truth, known)
    if error < constant - np.sqrt(constant * (1 - constant) / known.sum()):
        return []
    learned = _error(retrained, "retain", labels["retain"].train) <= NOT_LEARNED
    return [
        f"the retrained models are no better than a constant answer on the test set (error "
        f"{100 * error:.1f} %, always {classes[commonest]}: {100 * constant:.1f} %), so no method "
        "can do damage there"
        + ("; they know the retain set, so check the test set's labels" if learned else "")
    ]


def _not_learned(original: Population, labels: Mapping[str, Labels], commonest: int) -> list[str]:
    """Whether the originals learned the forget set, and if not, what would help."""
    forget = _error(original, "forget", labels["forget"].train)
    if forget <= NOT_LEARNED:
        return []
    retain = _error(original, "retain", labels["retain"].train)
    return [
        f"the originals did not learn the forget set (error {100 * forget:.1f} %; on the retain "
        f"set {100 * retain:.1f} %): there is little to forget; "
        f"{_advice(retain, labels, commonest)}"
    ]


def _advice(retain: float, labels: Mapping[str, Labels], commonest: int) -> str:
    """What would help originals that did not learn the forget set."""
    trained, asked = labels["retain"].train, labels["forget"]
    if retain <= NOT_LEARNED:
        if (asked.train != asked.true).any():
            return "its labels are wrong, and the models generalise instead of learning them"
        return "the rest was learned, so these examples or their labels are hard"
    guess, classes = float((trained != commonest).mean()), len(np.unique(trained))
    if guess < UNEVEN * (1 - 1 / max(classes, 2)) and retain >= guess / 2:
        return (
            "the classes are imbalanced, and a model that answers the commonest one errs in "
            f"{100 * guess:.1f} % already: balance them first"
        )
    return "train longer (train.epochs), or with another network"


def unchanged_note(label: str, given: Population, returned: Population) -> list[str]:
    """A note on a method that returned models whose outputs are, to the bit, what they were.

    ``given``: the models that the method was given, the originals or its own of a request before.
    """
    own = returned.start is None or given.start is not None
    starts = [int(member) if own else returned.start for member in returned.members]
    same = sum(
        _equal(given, list(given.members).index(start), returned, place)
        for place, start in enumerate(starts)
        if start in given.members
    )
    if not same:
        return []
    count = len(returned)
    which = "every model" if same == count else f"{same} of {count} models"
    return [
        f"{label}: returned {which} as it was given (the outputs are equal to the last bit), so "
        "nothing was forgotten"
    ]


def _equal(given: Population, start: int, returned: Population, place: int) -> bool:
    """Whether two models have equal outputs, on all parts whose examples are the same."""
    pairs = [
        (given.logits[part][start], logits[place])
        for part, logits in returned.logits.items()
        if given.logits[part].shape[1:] == logits.shape[1:]
    ]
    return all(np.array_equal(before, after) for before, after in pairs)
