"""Image files as arrays: the centre of each, by worker processes; what is odd is told."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

HUGE = 100_000_000  # pixels
CHUNK = 256


def centres(paths: Sequence[str], side: int, jobs: int) -> tuple[np.ndarray, dict[int, str]]:
    """The central ``side`` x ``side`` pixels of each file, uint8 [n, side, side, 3], in order.

    Also what is wrong with a file, by position: one that cannot be read or is smaller stays black;
    one that is not 8-bit RGB is converted. Memory is that of the result and one chunk a worker.
    """
    pixels = np.zeros((len(paths), side, side, 3), np.uint8)
    wrong: dict[int, str] = {}
    starts = range(0, len(paths), CHUNK)
    for start, (found, faults) in zip(starts, _chunks(paths, side, jobs), strict=True):
        pixels[start : start + len(found)] = found
        wrong |= {start + place: fault for place, fault in faults.items()}
    return pixels, wrong


def _chunks(
    paths: Sequence[str], side: int, jobs: int
) -> Iterator[tuple[np.ndarray, dict[int, str]]]:
    from joblib import Parallel, delayed

    chunks = [list(paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    if jobs == 1 or len(chunks) < 4:
        yield from (decode(chunk, side) for chunk in chunks)
        return
    yield from Parallel(n_jobs=jobs, return_as="generator")(
        delayed(decode)(chunk, side) for chunk in chunks
    )


def decode(paths: Sequence[str], side: int) -> tuple[np.ndarray, dict[int, str]]:
    """One chunk of ``centres``."""
    pixels, wrong = np.zeros((len(paths), side, side, 3), np.uint8), {}
    for place, path in enumerate(paths):
        try:
            pixels[place], fault = centre(path, side)
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for bad files
            fault = f"unreadable: {type(error).__name__}: {error}".replace("\n", " ")
        if fault:
            wrong[place] = fault
    return pixels, wrong


def centre(path: str, side: int) -> tuple[np.ndarray, str]:
    """The central pixels of one file, and what is unusual about it."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            width, height = image.size
            if width * height > HUGE:
                raise ValueError(f"{width} x {height} pixels, more than {HUGE}")
            if min(width, height) < side:
                raise ValueError(f"{width} x {height} pixels, smaller than {side} x {side}")
            fault = "" if image.mode == "RGB" else f"mode {image.mode}, converted"
            left, top = (width - side) // 2, (height - side) // 2
            image.load()  # before cropping: a truncated file must not pass
            cut = image.crop((left, top, left + side, top + side))
            return np.asarray(cut.convert("RGB")), fault
