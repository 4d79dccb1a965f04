"""Decode many image files into one array, on all cores, and report the files that are broken."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.data.cached_arrays import mapped, replacing
from bench.data.image_files import ImageFiles, centre
from bench.data.workers import parallel
from bench.errors import UserError, one_line

VERSION = 1
MANY = 5000  # files: reading what was kept is faster than decoding so many again
CHUNK = 256  # files for one process at a time
MOST_LISTED = 20  # files in a message
Faults = dict[int, str]  # what is wrong with a file, by its position


def load_centres(
    paths: Sequence[str], side: int, scratch: Path | None, scale: bool = False
) -> tuple[np.ndarray, Faults]:
    """The result of ``decode_centres``; that of many files is kept in the folder ``scratch``."""
    if scratch is None or len(paths) < MANY:
        return decode_centres(paths, side, 1 if len(paths) < MANY else -1, scale)
    file = scratch / f"{_disk_state(paths, f'{VERSION} {side} {scale}')}.npy"
    kept = mapped(file, "r")
    if kept is not None:
        return kept, {}
    pixels, faults = decode_centres(paths, side, -1, scale)
    if not faults:  # every run reports faults, so nothing that has some is kept
        with replacing(file) as partial:
            np.save(partial, pixels)
    return pixels, faults


def decode_centres(
    paths: Sequence[str], side: int, jobs: int, scale: bool = False
) -> tuple[np.ndarray, Faults]:
    """Decode the central pixels of each file.

    Memory is that of the result, and one chunk for each process.

    Parameters
    ----------
    paths
        The files.
    side
        Height and width of what is taken, in pixels.
    jobs
        Processes; -1 for one on each core.
    scale
        First resize each image so that its shorter side has ``side`` pixels.

    Returns
    -------
    numpy.ndarray
        uint8 [n, side, side, 3], in the order of ``paths``. A file that cannot be read or is too
        small stays black; one that is not 8-bit RGB is converted.
    dict
        What is wrong with a file, by its position.
    """
    pixels = np.zeros((len(paths), side, side, 3), np.uint8)
    faults: Faults = {}
    starts = range(0, len(paths), CHUNK)
    for start, (decoded, wrong) in zip(starts, _chunks(paths, side, jobs, scale), strict=True):
        pixels[start : start + len(decoded)] = decoded
        faults |= {start + place: fault for place, fault in wrong.items()}
    return pixels, faults


def find_faults(files: ImageFiles, scratch: Path | None) -> Faults:
    """Decode each file once to find broken ones; ``scratch`` remembers that there were none."""
    paths = files.paths.tolist()
    passed = scratch and scratch / f"{_disk_state(paths, f'checked {files.side}')}.checked"
    if passed and passed.is_file():
        return {}
    chunks = _chunks(paths, files.side, -1, False, keep=False)
    faults: Faults = {}
    for start, (_none, wrong) in zip(range(0, len(files), CHUNK), chunks, strict=True):
        faults |= {start + place: fault for place, fault in wrong.items()}
    if passed and not faults:
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.touch()
    return faults


def drop_unreadable(paths: Sequence[str], faults: Faults, broken: str) -> tuple[np.ndarray, str]:
    """The positions of readable files, and a note about the others.

    Raises UserError with a list of all that have faults if ``broken`` is ``stop``.
    """
    lost = [place for place, fault in faults.items() if fault.startswith("unreadable")]
    if faults and broken == "stop":
        lines = [f"  {paths[place]}: {fault}" for place, fault in sorted(faults.items())]
        more = f"\n  and {len(faults) - MOST_LISTED} more" if len(faults) > MOST_LISTED else ""
        raise UserError(
            f"{len(faults)} of {len(paths)} images are not 8-bit RGB that can be read; repair or "
            "remove them, or go on without them by [broken=skip]:\n"
            + "\n".join(lines[:MOST_LISTED])
            + more
        )
    notes = []
    if lost:
        notes.append(f"{len(lost)} of {len(paths)} images could not be read and are left out")
    if len(faults) > len(lost):
        notes.append(f"{len(faults) - len(lost)} images were converted to RGB")
    return np.setdiff1d(np.arange(len(paths)), lost), ", ".join(notes)


def _disk_state(paths: Sequence[str], purpose: str) -> str:
    """A hash of the files as they are on this disk now."""
    digest = hashlib.sha256(purpose.encode())
    for path in paths:
        state = os.stat(path) if os.path.exists(path) else None  # a link may lead nowhere
        known = f"{state.st_size} {state.st_mtime_ns}" if state else "nowhere"
        digest.update(f"{path} {known}\n".encode())
    return digest.hexdigest()[:32]


def _chunks(
    paths: Sequence[str], side: int, jobs: int, scale: bool, keep: bool = True
) -> Iterator[tuple[np.ndarray, Faults]]:
    from joblib import delayed

    chunks = [list(paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    if jobs == 1 or len(chunks) < 4:
        yield from (_decode(chunk, side, scale, keep) for chunk in chunks)
        return
    yield from parallel(jobs, return_as="generator")(
        delayed(_decode)(chunk, side, scale, keep) for chunk in chunks
    )


def _decode(paths: Sequence[str], side: int, scale: bool, keep: bool) -> tuple[np.ndarray, Faults]:
    """Decode one chunk; without ``keep``, only to find faults."""
    from PIL import Image

    pillow_errors = (
        OSError, SyntaxError, ValueError, OverflowError, struct.error, Image.DecompressionBombError,
    )  # fmt: skip
    pixels = np.zeros((len(paths) if keep else 1, side, side, 3), np.uint8)
    faults: Faults = {}
    for place, path in enumerate(paths):
        try:
            pixels[place if keep else 0], fault = centre(path, side, scale)
        except pillow_errors as error:
            fault = f"unreadable: {one_line(error)}"
        if fault:
            faults[place] = fault
    return pixels, faults
