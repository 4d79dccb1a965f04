"""What a data set hands to the harness: images or rows of a table, labels and their names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.data.copies import copy_numbers
from bench.data.image_files import ImageFiles
from bench.errors import UserError
from bench.outside import shown

LONGEST_NAME = 255  # characters of a class name: what disks allow for a folder


@dataclass(frozen=True)
class Data:
    """A labelled set of images, or of the rows of a table.

    Attributes
    ----------
    name
        Name for tables and reports.
    images
        uint8 [n, height, width, channels], or files that are decoded on demand. The rows of a table
        are float32 [n, 1, 1, features].
    labels
        int64 [n], indices into ``classes``.
    classes
        Names of the classes; what cannot be printed in them (and in ``name``) is shown escaped.
    scale
        Pixel value of white; None for a table. The harness does not standardise tables: a mean or
        deviation taken here would carry information about the forget set.
    subjects
        int64 [n], whom or what each image shows, where the data set knows.
    validation, test
        Indices of these parts where the data set fixes them; None where the harness shall draw
        them. All other examples are for training.
    note
        What a reader of a result must know.
    groups
        Name of each image's source [n], such as its generator; for reports only.
    """

    name: str
    images: np.ndarray | ImageFiles
    labels: np.ndarray
    classes: tuple[str, ...]
    scale: float | None = 255.0
    subjects: np.ndarray | None = None
    validation: np.ndarray | None = None
    test: np.ndarray | None = None
    note: str = ""
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", shown(self.name))
        object.__setattr__(
            self, "classes", tuple(shown(name, LONGEST_NAME) for name in self.classes)
        )
        self._check_shape()
        if self.labels.dtype.kind not in "iu" or self.labels.shape != self.images.shape[:1]:
            raise UserError(
                f"{self.name}: labels must be one integer for each of {len(self.images)} examples, "
                f"not {self.labels.dtype} {self.labels.shape}"
            )
        if len(self.classes) < 2:
            raise UserError(f"{self.name}: a classifier needs at least two classes")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise UserError(
                f"{self.name}: labels must lie in 0..{len(self.classes) - 1}, "
                f"found {self.labels.min()}..{self.labels.max()}"
            )
        for name, values in (("subjects", self.subjects), ("groups", self.groups)):
            if values is not None and values.shape != self.labels.shape:
                raise UserError(
                    f"{self.name}: {name} must be one for each of {len(self.images)} examples, "
                    f"not {values.shape}"
                )
        self._check_part("validation", self.validation)
        self._check_part("test", self.test)

    def _check_part(self, part: str, index: np.ndarray | None) -> None:
        """Raise UserError where a part names an example twice, or one that does not exist."""
        if index is None:
            return
        last = len(self.labels) - 1
        lowest, highest = index.min(initial=last), index.max(initial=0)
        if index.dtype.kind not in "iu" or lowest < 0 or highest > last:
            raise UserError(
                f"{self.name}: {part} must hold the numbers of examples, 0..{last}, "
                f"not {index.dtype} {lowest}..{highest}"
            )
        if len(np.unique(index)) < len(index):
            raise UserError(f"{self.name}: {part} names an example twice")

    def _check_shape(self) -> None:
        shape, kind = self.images.shape, self.images.dtype
        if not self.is_table:
            if len(shape) != 4 or kind != np.uint8:
                raise UserError(f"{self.name}: images must be uint8 NHWC, not {kind} {shape}")
        elif len(shape) != 4 or shape[1:3] != (1, 1) or kind != np.float32:
            raise UserError(
                f"{self.name}: rows of a table (scale = None) must be float32 [n, 1, 1, features], "
                f"not {kind} {shape}"
            )
        elif not np.isfinite(np.asarray(self.images)).all():
            raise UserError(f"{self.name}: a table's values must be finite numbers")

    @property
    def is_table(self) -> bool:
        """Whether these are rows of a table, without height, width or colours."""
        return self.scale is None

    @cached_property
    def fingerprint(self) -> str:
        """A hash of every pixel (of files: of their names and bytes), label and class name."""
        digest = hashlib.sha256(repr((self.images.shape, self.classes, self.scale)).encode())
        if isinstance(self.images, ImageFiles):
            digest.update(self.images.fingerprint.encode())
        else:
            digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels.astype("<i8")).data)
        parts = (("", self.test), ("validation", self.validation), ("subjects", self.subjects))
        for name, fixed in parts:
            if fixed is not None:
                digest.update(name.encode())
                digest.update(np.ascontiguousarray(fixed.astype("<i8")).data)
        return digest.hexdigest()[:32]

    @cached_property
    def copies(self) -> np.ndarray:
        """A number for each example, int64 [n], the same for those that are equal byte for byte."""
        return copy_numbers(self.images)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images; (1, 1) for a table."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def channels(self) -> int:
        """Colour channels of the images, or features of a table."""
        return self.images.shape[3]
