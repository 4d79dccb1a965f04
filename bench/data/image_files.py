"""Image files as arrays, at once or when asked for: the centre of each; what is odd is told."""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bench.config.folders import scratch
from bench.data.cached_arrays import mapped, replacing
from bench.errors import UserError, one_line

if TYPE_CHECKING:
    from PIL import Image

VERSION = 1
MANY = 5000  # files, from which on decoding again costs more than reading what was kept
HUGE = 100_000_000  # pixels
CHUNK = 256
SHOWN = 20  # files in a message


class ImageFiles:
    """The central ``side`` x ``side`` pixels of image files, none of them in memory.

    What a data set may hand over in place of a uint8 array [n, side, side, 3]: a number gives one
    image, decoded now; an index array, the files it names.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[str] | np.ndarray, side: int):
        self.paths, self.side = np.asarray(paths), side

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int | np.ndarray) -> np.ndarray | ImageFiles:
        if np.ndim(at) or isinstance(at, slice):
            return ImageFiles(self.paths[at], self.side)
        return centre(str(self.paths[at]), self.side, False)[0]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), self.side, self.side, 3

    def whole(self, place: int) -> np.ndarray:
        """All of one image, uint8 [height, width, 3]."""
        return np.asarray(read_rgb(str(self.paths[place]))[0])

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the files' names below their common folder, and of their sizes in bytes."""
        root = os.path.commonpath([os.path.dirname(path) for path in self.paths])
        digest = hashlib.sha256(f"files {self.side}".encode())
        for path in self.paths:
            digest.update(f"{os.path.relpath(path, root)} {os.stat(path).st_size}\n".encode())
        return digest.hexdigest()

    def faults(self) -> dict[int, str]:
        """What is wrong with a file, by position: each is decoded once, which is remembered."""
        folder = scratch()
        file = folder and folder / f"{_state(self.paths, f'checked {self.side}')}.checked"
        if file and file.is_file():
            return {}
        chunks = _chunks(self.paths.tolist(), self.side, -1, False, keep=False)
        wrong = {}
        for start, (_none, faults) in zip(range(0, len(self), CHUNK), chunks, strict=True):
            wrong |= {start + place: fault for place, fault in faults.items()}
        if file and not wrong:
            folder.mkdir(parents=True, exist_ok=True)
            file.touch()
        return wrong


def checked(paths: Sequence[str], wrong: dict[int, str], broken: str) -> tuple[np.ndarray, str]:
    """Positions to keep and a note on the rest; raises UserError with the list if asked to stop."""
    lost = [place for place, fault in wrong.items() if fault.startswith("unreadable")]
    if wrong and broken == "stop":
        shown = [f"  {paths[place]}: {fault}" for place, fault in sorted(wrong.items())[:SHOWN]]
        more = f"\n  and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise UserError(
            f"{len(wrong)} of {len(paths)} images are not 8-bit RGB that can be read; mend or "
            "remove them, or go on without them by [broken=skip]:\n" + "\n".join(shown) + more
        )
    parts = []
    if lost:
        parts.append(f"{len(lost)} of {len(paths)} images could not be read and are left out")
    if len(wrong) > len(lost):
        parts.append(f"{len(wrong) - len(lost)} images were converted to RGB")
    return np.setdiff1d(np.arange(len(paths)), lost), ", ".join(parts)


def decoded(
    paths: Sequence[str], side: int, scale: bool = False
) -> tuple[np.ndarray, dict[int, str]]:
    """As ``centres``, by all cores; many files are decoded once and kept in the scratch folder."""
    folder = scratch()
    if folder is None or len(paths) < MANY:
        return centres(paths, side, 1 if len(paths) < MANY else -1, scale)
    file = folder / f"{_state(paths, f'{VERSION} {side} {scale}')}.npy"
    kept = mapped(file, "r")
    if kept is not None:
        return kept, {}
    pixels, wrong = centres(paths, side, -1, scale)
    if not wrong:  # faults are told each time, so nothing is kept that has some
        with replacing(file) as partial:
            np.save(partial, pixels)
    return pixels, wrong


def _state(paths: Sequence[str], what: str) -> str:
    """A hash of the files as they are on this disk now."""
    digest = hashlib.sha256(what.encode())
    for path in paths:
        state = os.stat(path) if os.path.exists(path) else None  # a link may lead nowhere
        known = f"{state.st_size} {state.st_mtime_ns}" if state else "nowhere"
        digest.update(f"{path} {known}\n".encode())
    return digest.hexdigest()[:32]


def centres(
    paths: Sequence[str], side: int, jobs: int, scale: bool = False
) -> tuple[np.ndarray, dict[int, str]]:
    """The central ``side`` x ``side`` pixels of each file, uint8 [n, side, side, 3], in order.

    ``scale``: of the image with its shorter side scaled to ``side``, however small it was.
    Also what is wrong with a file, by position: one that cannot be read or is smaller stays black;
    one that is not 8-bit RGB is converted. Memory is that of the result and one chunk a worker.
    """
    pixels = np.zeros((len(paths), side, side, 3), np.uint8)
    wrong: dict[int, str] = {}
    starts = range(0, len(paths), CHUNK)
    for start, (found, faults) in zip(starts, _chunks(paths, side, jobs, scale), strict=True):
        pixels[start : start + len(found)] = found
        wrong |= {start + place: fault for place, fault in faults.items()}
    return pixels, wrong


def _chunks(
    paths: Sequence[str], side: int, jobs: int, scale: bool, keep: bool = True
) -> Iterator[tuple[np.ndarray, dict[int, str]]]:
    from joblib import Parallel, delayed

    chunks = [list(paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    if jobs == 1 or len(chunks) < 4:
        yield from (decode(chunk, side, scale, keep) for chunk in chunks)
        return
    yield from Parallel(n_jobs=jobs, return_as="generator")(
        delayed(decode)(chunk, side, scale, keep) for chunk in chunks
    )


def decode(
    paths: Sequence[str], side: int, scale: bool, keep: bool = True
) -> tuple[np.ndarray, dict[int, str]]:
    """One chunk of ``centres``; without ``keep`` only what is wrong with it."""
    from PIL import Image

    # What Pillow raises for bad files.
    bad = (OSError, SyntaxError, ValueError, OverflowError, struct.error)
    bad = (*bad, Image.DecompressionBombError)
    pixels, wrong = np.zeros((len(paths) if keep else 1, side, side, 3), np.uint8), {}
    for place, path in enumerate(paths):
        try:
            pixels[place if keep else 0], fault = centre(path, side, scale)
        except bad as error:
            fault = f"unreadable: {one_line(error)}"
        if fault:
            wrong[place] = fault
    return pixels, wrong


def centre(path: str, side: int, scale: bool) -> tuple[np.ndarray, str]:
    """The central pixels of one file, and what is unusual about it."""
    from PIL import Image

    whole, fault = read_rgb(path, 0 if scale else side)
    width, height = whole.size
    if scale:
        factor = side / min(width, height)
        width, height = (max(side, round(length * factor)) for length in (width, height))
        whole = whole.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(whole.crop((left, top, left + side, top + side))), fault


def read_rgb(path: str, least: int = 0) -> tuple[Image.Image, str]:
    """One file as RGB, and what is unusual about it; ValueError where it is huge or too small."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            width, height = image.size
            if width * height > HUGE:
                raise ValueError(f"{width} x {height} pixels, more than {HUGE}")
            if min(width, height) < least:
                raise ValueError(f"{width} x {height} pixels, smaller than {least} x {least}")
            fault = "" if image.mode == "RGB" else f"mode {image.mode}, converted"
            image.load()  # before cropping: a truncated file must not pass
            return image.convert("RGB"), fault
