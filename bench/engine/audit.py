"""Audit: what labels and bytes alone tell about a run, said before anything is trained.

Where nothing can be measured, that is an error. Everything else that a reader must know is a note.
It is logged at once, and the run's record keeps it for the report. A check is one function.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.config.schema import Config
from bench.data.split import Split
from bench.engine.copies import describe_copies, find_copies
from bench.errors import UserError
from bench.outside import shown
from bench.plugins.removal import gone_classes
from bench.stages.context import Context

log = logging.getLogger(__name__)
FEW = 0.1  # of the training set: a retain set that small teaches a model little
MOST_NAMED = 5  # classes in a note
EMPTY = {  # what to do where a part has no example
    "validation": "give the data set validation examples, or no such part: then one is drawn",
    "test": "give the data set labelled test examples, or no such part: then one is drawn",
    "forget": "choose a class that has training examples, or a larger share",
    "retain": "choose a smaller share to forget",
}


@dataclass(frozen=True)
class Audit:
    """What was found: ``notes`` in words, and the ``copies`` between every two parts.

    An entry of ``copies`` says how many examples of ``part`` equal one ``of`` another part byte for
    byte, and lists the first of them by their numbers in the data set.
    """

    notes: Sequence[str] = ()
    copies: Sequence[dict[str, Any]] = field(default_factory=list)


def audit(context: Context) -> Audit:
    """Check a run before it begins and log all notes; raises UserError if nothing can be measured.

    Call it by ``context.once``, so that each note is logged once.
    """
    split, data = context.split, context.data
    refuse_unmeasurable(split)
    copies = find_copies(split, data)
    notes = [*notes_on(split, context.config), *describe_copies(copies, data)]
    known = {"data": split.data_note, "scenario": split.note}
    for note in [*(f"{what}: {note}" for what, note in known.items() if note), *notes]:
        log.warning(note)
    return Audit(notes, copies)


# Errors -------------------------------------------------------------------------------------


def refuse_unmeasurable(split: Split) -> None:
    """Raise UserError where some part of a run is empty, or would be once classes are removed."""
    for check in (_empty_part, _one_class_left, _only_removed_classes):
        if problem := check(split):
            raise UserError(problem)


def _empty_part(split: Split) -> str:
    for part, advice in EMPTY.items():
        if not len(getattr(split, part)):
            return f"the {TITLES[part]} is empty, and nothing can be measured without it: {advice}"
    return ""


def _one_class_left(split: Split) -> str:
    left = np.unique(split.train_labels[split.retain])
    if len(left) > 1:
        return ""
    return (
        f"the retain set has examples of {_name(split, left)} alone, and a classifier needs two "
        "classes: choose less to forget"
    )


def _only_removed_classes(split: Split) -> str:
    """Scores leave out what belongs to a removed class; some examples must be left."""
    gone = _gone(split)
    for part in ("validation", "test"):
        labels = np.unique(getattr(split, f"{part}_labels"))
        if np.isin(labels, gone).all():
            return (
                f"every {part} example is of {_name(split, labels)}, which is removed: nothing is "
                f"left to measure on; forget another class, or give the {part} set other examples"
            )
    return ""


# Notes --------------------------------------------------------------------------------------


def notes_on(split: Split, config: Config) -> list[str]:
    """What a reader must know of the parts of a run, in a sentence each."""
    checks: list[Callable[[Split, Config], Iterator[str]]] = [
        _single_examples, _absent_classes, _vanished_classes, _known_subjects, _small_retain_set,
        _large_batches,
    ]  # fmt: skip
    return [note for check in checks for note in check(split, config)]


def _single_examples(split: Split, _config: Config) -> Iterator[str]:
    for part in ("forget", "retain_sample", "validation", "test"):
        if len(getattr(split, part)) == 1:
            yield f"the {TITLES[part]} is a single example: its scores say little"


def _absent_classes(split: Split, _config: Config) -> Iterator[str]:
    """Classes that a part has no example of; what compares classes is not defined there."""
    everyone = np.arange(len(split.classes))
    retained = np.unique(split.true_labels[split.retain])
    present = {
        "train": (everyone, split.true_labels),
        "validation": (everyone, split.validation_labels),
        "test": (everyone, split.test_labels),
        "retain_sample": (retained, split.true_labels[split.retain_sample]),
    }
    for part, (expected, labels) in present.items():
        absent = np.setdiff1d(expected, labels)
        if len(absent):
            yield f"the {TITLES[part]} has no example of {_name(split, absent)}"


def _vanished_classes(split: Split, _config: Config) -> Iterator[str]:
    """Classes that lose their last example, where more than whole classes is forgotten."""
    vanished = np.setdiff1d(split.true_labels, split.true_labels[split.retain])
    if len(vanished) and not np.isin(split.true_labels[split.forget], vanished).all():
        names = _name(split, vanished)
        yield f"nothing is retained of {names}: retrained models see no such example"


def _known_subjects(split: Split, _config: Config) -> Iterator[str]:
    """Unseen examples of subjects that are forgotten as a whole: a request may mean these, too."""
    if split.subjects is None:
        return
    forgotten, retained = (
        split.subjects[split.train[positions]] for positions in (split.forget, split.retain)
    )
    if np.isin(forgotten, retained).any():
        return
    for part in ("validation", "test"):
        examples = getattr(split, part)
        count = np.isin(split.subjects[examples], forgotten).sum()
        if count:
            yield f"{count} of {len(examples)} {part} examples show forgotten subjects"


def _small_retain_set(split: Split, _config: Config) -> Iterator[str]:
    kept, all_of_them = len(split.retain), len(split.train)
    if kept < FEW * all_of_them:
        yield (
            f"the retain set is {100 * kept / all_of_them:.1f} % of the training set ({kept} of "
            f"{all_of_them} examples): retrained models learn from little"
        )


def _large_batches(split: Split, config: Config) -> Iterator[str]:
    size = config.train.batch_size
    for part in ("train", "retain"):
        count = len(getattr(split, part))
        if size > count:
            yield (
                f"train.batch_size = {size} is more than the {count} examples of the "
                f"{TITLES[part]}: an epoch is a single step"
            )
            return


# Words --------------------------------------------------------------------------------------

TITLES = {
    "train": "training set",
    "validation": "validation set",
    "test": "test set",
    "forget": "forget set",
    "retain": "retain set",
    "retain_sample": "scored part of the retain set",
}


def _gone(split: Split) -> np.ndarray:
    return gone_classes(split.train_labels[split.retain], split.train_labels[split.forget])


def _name(split: Split, labels: np.ndarray) -> str:
    """Classes by their names, the first few of many."""
    names = [shown(split.classes[label]) for label in labels[:MOST_NAMED]]
    more = f" and {len(labels) - MOST_NAMED} more" if len(labels) > MOST_NAMED else ""
    return f"{'classes' if len(labels) > 1 else 'class'} {', '.join(names)}{more}"
