"""Image files that are decoded when an image is needed: the centre of each, or the whole."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 100_000_000  # of one image; a small file may claim any size


class ImageFiles:
    """The central ``side`` x ``side`` pixels of image files, none of them in memory.

    A data set may return this in place of a uint8 array [n, side, side, 3]. One index decodes one
    image; an index array selects files.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[str] | np.ndarray, side: int):
        self.paths, self.side = np.asarray(paths), side

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, at: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, at: np.ndarray | slice) -> ImageFiles: ...

    def __getitem__(self, at: int | np.ndarray | slice) -> np.ndarray | ImageFiles:
        if isinstance(at, (int, np.integer)):
            return centre(str(self.paths[at]), self.side)[0]
        return ImageFiles(self.paths[at], self.side)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.side, self.side, 3

    def whole(self, place: int) -> np.ndarray:
        """All of one image, uint8 [height, width, 3]."""
        return np.asarray(read_rgb(str(self.paths[place]))[0])

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the file names below their common folder, and of the file sizes in bytes."""
        root = os.path.commonpath([os.path.dirname(path) for path in self.paths])
        digest = hashlib.sha256(f"files {self.side}".encode())
        for path in self.paths:
            digest.update(f"{os.path.relpath(path, root)} {os.stat(path).st_size}\n".encode())
        return digest.hexdigest()


def centre(path: str, side: int, scale: bool = False) -> tuple[np.ndarray, str]:
    """The central pixels of one file, uint8 [side, side, 3], and what is unusual about the file.

    ``scale``: first resize the image so that its shorter side has ``side`` pixels.
    """
    from PIL import Image

    whole, fault = read_rgb(path, 0 if scale else side)
    width, height = whole.size
    if scale:
        factor = side / min(width, height)
        width, height = (max(side, round(length * factor)) for length in (width, height))
        whole = whole.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(whole.crop((left, top, left + side, top + side))), fault


def read_rgb(path: str, smallest: int = 0) -> tuple[Image.Image, str]:
    """One file as RGB, and what is unusual about it; ValueError if it is huge or too small."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise ValueError(f"{width} x {height} pixels, more than {MOST_PIXELS}")
            if min(width, height) < smallest:
                raise ValueError(f"{width} x {height} pixels, smaller than {smallest} x {smallest}")
            fault = "" if image.mode == "RGB" else f"mode {image.mode}, converted"
            image.load()  # before cropping: a truncated file must not pass
            return image.convert("RGB"), fault
