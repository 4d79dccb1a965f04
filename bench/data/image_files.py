"""Image files that are decoded when an image is needed: the centre of each, or the whole."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np

from bench.data.colours import Remark, upright_rgb
from bench.outside import reading, refuse_special

if TYPE_CHECKING:
    from PIL import Image

VERSION = 2  # raise it when a file gives other pixels
# Formats that Pillow itself decodes, from a header that states the size; no format that would
# start another program (EPS starts Ghostscript) or only describes data of others (HDF5, GRIB).
FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA",
    "TIFF", "WEBP",
)  # fmt: skip
HEAVY = ("JPEG2000", "WEBP")  # their decoders keep several copies of an image
MOST_PIXELS = 72_000_000  # of one image, half as many of a heavy format; a file may claim any size
MOST_SCANS = 100  # of a progressive JPEG: each passes over all pixels, however few bytes it takes

# Pillow logs details of damaged files, without their names, before it raises: nobody needs both.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class ImageFiles:
    """The central ``side`` x ``side`` pixels of image files, none of them in memory.

    A data set may return this in place of a uint8 array [n, side, side, 3]. One index decodes one
    image; an index array selects files.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        paths: Sequence[str] | np.ndarray,
        side: int,
        hash_files: Callable[[Sequence[str]], Sequence[bytes]] | None = None,
    ) -> None:
        """``hash_files``: what hashes the content of files, if not ``content_digests``."""
        self.paths, self.side = np.asarray(paths), side
        self._hash_files = hash_files or content_digests

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, at: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, at: np.ndarray | slice) -> ImageFiles: ...

    def __getitem__(self, at: int | np.ndarray | slice) -> np.ndarray | ImageFiles:
        if isinstance(at, (int, np.integer)):
            path = str(self.paths[at])
            with reading(path, "an image"):
                return centre(path, self.side)[0]
        return ImageFiles(self.paths[at], self.side, self._hash_files)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.side, self.side, 3

    def whole(self, place: int) -> np.ndarray:
        """All of one image, uint8 [height, width, 3]."""
        path = str(self.paths[place])
        with reading(path, "an image"):
            return np.asarray(read_rgb(path)[0])

    @cached_property
    def digests(self) -> Sequence[bytes]:
        """The SHA-256 of each file's bytes: equal where files are copies of one another."""
        return self._hash_files(self.paths.tolist())

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the file names below their common folder, and of what each file holds."""
        paths = self.paths.tolist()
        root = os.path.commonpath([os.path.dirname(path) for path in paths])
        digest = hashlib.sha256(f"files {VERSION} {self.side}".encode())
        for path, content in zip(paths, self.digests, strict=True):
            digest.update(os.fsencode(os.path.relpath(path, root)) + b"\0" + content)
        return digest.hexdigest()


def content_digests(paths: Sequence[str]) -> list[bytes]:
    """The SHA-256 of each file's bytes; UserError for a file that cannot be read."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(_digest, paths))


def _digest(path: str) -> bytes:
    with reading(path, "an image file"), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def centre(path: str, side: int, scale: bool = False) -> tuple[np.ndarray, list[Remark]]:
    """The central pixels of one file, uint8 [side, side, 3], and what is unusual about the file.

    ``scale``: first resize the image so that its shorter side has ``side`` pixels.
    """
    from PIL import Image

    whole, remarks = read_rgb(path, 0 if scale else side, side if scale else 0)
    width, height = whole.size
    if scale:
        width, height = _scaled(width, height, side)
        whole = whole.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(whole.crop((left, top, left + side, top + side))), remarks


def _scaled(width: int, height: int, side: int) -> tuple[int, int]:
    """The size at which the shorter side has ``side`` pixels."""
    factor = side / min(width, height)
    return max(side, round(width * factor)), max(side, round(height * factor))


def read_rgb(path: str, smallest: int = 0, scale: int = 0) -> tuple[Image.Image, list[Remark]]:
    """One file as RGB, and what is unusual about it.

    ``smallest``: how many pixels the shorter side must have; ``scale``: to how many it will be
    resized. UserError for a pipe; ValueError, before anything is decoded, for an image that is too
    small or that is, or will be, huge; whatever Pillow raises for a file that is damaged.
    """
    from PIL import Image

    refuse_special(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about details of a file that do not matter
        with Image.open(path, formats=FORMATS) as image:
            if min(image.size) < smallest:
                raise ValueError(f"{_words(image.size)}, smaller than {smallest} x {smallest}")
            _refuse_huge(path, image, _scaled(*image.size, scale) if scale else image.size)
            return upright_rgb(image)


def _refuse_huge(path: str, image: Image.Image, later: tuple[int, int]) -> None:
    """Raise ValueError if it would take much time or memory to decode and resize an image."""
    most = MOST_PIXELS // (1 + (image.format in HEAVY))
    for size in (image.size, later):
        if size[0] * size[1] > most:
            raise ValueError(f"{_words(size)}, more than {most:,}")
    if image.info.get("progressive"):
        with open(path, "rb") as file:
            scans = file.read().count(b"\xff\xda")
        if scans > MOST_SCANS:
            raise ValueError(f"a progressive JPEG of {scans} scans, more than {MOST_SCANS}")


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
