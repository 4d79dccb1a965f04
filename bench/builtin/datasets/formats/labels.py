"""Labels and class names as people hand them over, checked before anything is made of them."""

from __future__ import annotations

import numpy as np

from bench.errors import UserError
from bench.outside import shown, shown_list

NUMBER_THEM = "names, y = numpy.unique(y, return_inverse=True) numbers them"
HINTS = {  # by the kind of a dtype
    "b": "save y.astype(int)",
    "f": "save y.astype(int) if they are whole",
    "U": f"{NUMBER_THEM}; save names as class_names",
    "S": f"{NUMBER_THEM}; save names as class_names",
}


def whole_numbers(name: str, labels: np.ndarray) -> np.ndarray:
    """Labels as int64 [n]; raises UserError for anything but a whole number for each example."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise UserError(
            f"{name} is {labels.dtype} {labels.shape}; allowed: one integer an image; "
            "of one column for each class, save y.argmax(1)"
        )
    if labels.dtype.kind not in "iu" or not 1 <= labels.ndim <= 2:
        hint = HINTS.get(labels.dtype.kind, NUMBER_THEM)
        raise UserError(
            f"{name} is {labels.dtype} {labels.shape}; allowed: one integer an image; {hint}"
        )
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) <= np.iinfo(np.int64).max:
        raise UserError(
            f"{name} holds {labels.min()}..{labels.max()}: labels must be 0, 1, 2, ...; "
            f"{NUMBER_THEM}"
        )
    return labels.reshape(-1).astype(np.int64)


def class_names(train: np.ndarray, test: np.ndarray, names: np.ndarray | None) -> tuple[str, ...]:
    """The names of the classes, given or numbers; each has to have a training example.

    A label can be any number, so nothing of its size is made before it is known to be small.
    """
    known = np.unique(train)
    named = 0 if names is None else names.size
    largest = max(int(known[-1]), int(test.max(initial=0)), named - 1)
    if largest >= len(known):
        gaps = np.flatnonzero(known != np.arange(len(known)))
        missing = gaps[0] if len(gaps) else len(known)
        raise UserError(
            f"label {missing} has no training image, but labels or class_names go up to {largest}; "
            f"labels count from 0 without gaps: {NUMBER_THEM}"
        )
    if names is None:
        return tuple(map(str, range(len(known))))
    return _texts(names, len(known))


def _texts(names: np.ndarray, count: int) -> tuple[str, ...]:
    """Class names as texts: as many as there are classes, and each another one."""
    if names.dtype.kind not in "USiu" or names.shape != (count,):
        raise UserError(
            f"class_names is {shown(names.dtype)} {names.shape}; allowed: {count} texts, one for "
            "each class, in the order of the labels"
        )
    raw = [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names]
    twice = {name for name in raw if raw.count(name) > 1}
    if twice:
        raise UserError(f"class_names holds {shown_list(sorted(twice))} more than once")
    if "" in raw:
        raise UserError(f"class_names: class {raw.index('')} has an empty name")
    return tuple(raw)
