"""The split of a run: who is trained on, validated on, tested on and forgotten, and every label.

It holds all that scores and reports need of a data set, so that they need the data set itself no
more: labels, class names, groups, subjects, and the few forgotten images that a report shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

SAMPLES = 12  # forgotten examples that a report shows


@dataclass(frozen=True)
class Split:
    """Indices into the data set, both labels of every training example, and the data's own facts.

    ``train``, ``validation`` and ``test`` number the data set's examples; ``forget``, ``retain``
    and ``retain_sample`` (the fixed part of the retain set that predictions are made for) are
    positions in ``train``. ``train_labels`` are what the original model was trained on, poison
    included; ``true_labels`` are those of the training set. ``order``: where there are several
    requests, which of them asks for each training example, 0: none. Then ``forget`` is what the
    first ``request`` of them asked for, and ``retain`` the rest. ``groups``: for each example of
    the data set the number of its source in ``group_names``. ``subjects``: who each example shows.
    ``sample_images`` are those at the positions ``sample_places`` in ``train``.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    forget: np.ndarray
    retain: np.ndarray
    retain_sample: np.ndarray
    train_labels: np.ndarray
    true_labels: np.ndarray
    validation_labels: np.ndarray
    test_labels: np.ndarray
    goal: Literal["removal", "depoison"]
    data: str
    fingerprint: str
    classes: tuple[str, ...]
    scale: float | None = None
    note: str = ""
    data_note: str = ""
    order: np.ndarray | None = None
    groups: np.ndarray | None = None
    group_names: np.ndarray | None = None
    subjects: np.ndarray | None = None
    sample_places: np.ndarray | None = None
    sample_images: np.ndarray | None = None
    request: int | None = None

    @classmethod
    def restored(cls, record: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Split:
        """The split that ``record`` and ``arrays`` describe, see ``facts`` and ``arrays``.

        Raises ValueError where its parts do not fit together: the store may come from anybody.
        """
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in record.items() if name in known}
        split = cls(**values | dict(arrays) | {"classes": tuple(record["classes"])})
        split.refuse_misfits()
        return split

    def refuse_misfits(self) -> None:
        """Raise ValueError where an array has not the length of others, or points beyond them."""
        count, classes = len(self.train), len(self.classes)
        examples = 1 + max(int(part.max(initial=0)) for part in (self.train, self.test))
        for part in ("train", "validation", "test"):
            _require(part, getattr(self, part), None, None)
        for part in ("forget", "retain", "retain_sample"):
            _require(part, getattr(self, part), None, count)
        for part in ("train_labels", "true_labels"):
            _require(part, getattr(self, part), count, classes)
        _require("validation_labels", self.validation_labels, len(self.validation), classes)
        _require("test_labels", self.test_labels, len(self.test), classes)
        if self.order is not None:
            _require("order", self.order, count, count)
        if self.groups is not None and self.group_names is not None:
            _require("groups", self.groups, None, len(self.group_names))
            if len(self.groups) < examples:
                raise ValueError("groups: too few")
        if self.sample_places is not None and self.sample_images is not None:
            _require("sample_places", self.sample_places, len(self.sample_images), count)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    @property
    def facts(self) -> dict[str, Any]:
        """All that is no array, as plain values."""
        facts = {n: v for n, v in vars(self).items() if v is not None and n not in self.arrays}
        return facts | {"classes": list(self.classes)}

    @property
    def requests(self) -> int:
        """How many requests follow one another; 0: there is a single one, without an order."""
        return 0 if self.order is None else int(self.order.max())

    @property
    def asked(self) -> np.ndarray:
        """What a method is asked to forget now: the latest request's examples alone."""
        if self.order is None or self.request is None:
            return self.forget
        return np.flatnonzero(self.order == self.request)

    def after(self, request: int) -> Split:
        """Who is forgotten and who is left when requests 1 to ``request`` have been made."""
        if self.order is None:
            raise ValueError("this split has a single request")
        gone = (self.order > 0) & (self.order <= request)
        forget, retain = np.flatnonzero(gone), np.flatnonzero(~gone)
        return replace(self, forget=forget, retain=retain, request=request)

    @property
    def samples(self) -> np.ndarray:
        """Positions in ``train`` of the forgotten examples that a report shows."""
        by_class = self.forget[np.argsort(self.true_labels[self.forget], kind="stable")]
        places = np.linspace(0, len(by_class) - 1, min(SAMPLES, len(by_class))).round().astype(int)
        return by_class[places]

    def groups_of(self, examples: np.ndarray) -> np.ndarray | None:
        """The names of these examples' groups; None where the data set knows none."""
        if self.groups is None or self.group_names is None:
            return None
        return self.group_names[self.groups[examples]]


def _require(name: str, array: np.ndarray, length: int | None, below: int | None) -> None:
    """Raise ValueError unless an array holds whole numbers from 0, so many and so low."""
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{name}: {array.dtype} {array.shape}, expected whole numbers [n]")
    if length is not None and len(array) != length:
        raise ValueError(f"{name}: {len(array)} numbers, expected {length}")
    if len(array) and (array.min() < 0 or (below is not None and array.max() >= below)):
        raise ValueError(f"{name}: {array.min()} to {array.max()}, expected 0 to below {below}")
