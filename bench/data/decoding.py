"""Decode many image files into one array, on all cores, and report the files that are broken."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.data.cached_arrays import mapped, replacing
from bench.data.faults import Faults, Kind, Remark
from bench.data.file_state import disk_state
from bench.data.image_files import VERSION, ImageFiles, centre
from bench.data.workers import parallel
from bench.errors import UserError, one_line
from bench.outside import shown

MANY = 5000  # files: reading what was kept is faster than decoding so many again
CHUNK = 256  # files for one process at a time


def load_centres(
    paths: Sequence[str], side: int, scratch: Path | None, scale: bool = False
) -> tuple[np.ndarray, Faults]:
    """The result of ``decode_centres``; that of many files is kept in the folder ``scratch``."""
    _refuse_too_much(len(paths), side)
    if scratch is None or len(paths) < MANY:
        return decode_centres(paths, side, 1 if len(paths) < MANY else -1, scale)
    file = scratch / f"{disk_state(paths, f'{VERSION} {side} {scale}')}.npy"
    faults, kept = _kept_faults(_beside(file)), mapped(file, "r")
    if kept is not None and faults is not None:
        return kept, faults
    pixels, faults = decode_centres(paths, side, -1, scale)
    if _keep_faults(_beside(file), faults):
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
        What is unusual about a file, by its position.
    """
    pixels = np.zeros((len(paths), side, side, 3), np.uint8)
    faults: Faults = {}
    starts = range(0, len(paths), CHUNK)
    for start, (decoded, wrong) in zip(starts, _chunks(paths, side, jobs, scale), strict=True):
        pixels[start : start + len(decoded)] = decoded
        faults |= {start + place: remarks for place, remarks in wrong.items()}
    return pixels, faults


def find_faults(files: ImageFiles, scratch: Path | None) -> Faults:
    """Decode each file once to find broken ones; ``scratch`` remembers it if there were none."""
    _refuse_too_much(1, files.side)
    paths = files.paths.tolist()
    file = scratch and scratch / f"{disk_state(paths, f'checked {VERSION} {files.side}')}.npy"
    kept = _kept_faults(file) if file else None
    if kept is not None:
        return kept
    chunks = _chunks(paths, files.side, -1, False, keep=False)
    faults: Faults = {}
    for start, (_none, wrong) in zip(range(0, len(files), CHUNK), chunks, strict=True):
        faults |= {start + place: remarks for place, remarks in wrong.items()}
    if file:
        _keep_faults(file, faults)
    return faults


def _refuse_too_much(count: int, side: int) -> None:
    """Raise UserError where the pixels cannot be kept in this machine's memory."""
    needed, memory = count * side**2 * 3, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise UserError(
            f"{count:,} images of {shown(f'{side} x {side}')} pixels need more memory than the "
            f"{memory / 1e9:.0f} GB of this machine: choose a smaller side"
        )


def _beside(file: Path) -> Path:
    """Where the faults are kept that were found when the pixels of ``file`` were decoded."""
    return file.with_suffix(".faults.npy")


def _kept_faults(file: Path) -> Faults | None:
    """What ``_keep_faults`` kept."""
    content = mapped(file, "r")
    if content is None:
        return None
    return {
        int(place): [Remark(Kind(kind), text) for kind, text in remarks]
        for place, remarks in json.loads(content.tobytes()).items()
    }


def _keep_faults(file: Path, faults: Faults) -> bool:
    """Keep what was found for the next run, unless an image is lost: that may be repaired."""
    if any(kind == Kind.LOST for remarks in faults.values() for kind, _text in remarks):
        return False
    with replacing(file) as partial:
        np.save(partial, np.frombuffer(json.dumps(faults).encode(), np.uint8))
    return True


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
    pixels = np.zeros((len(paths) if keep else 1, side, side, 3), np.uint8)
    faults: Faults = {}
    for place, path in enumerate(paths):
        try:
            pixels[place if keep else 0], remarks = centre(path, side, scale)
        except Exception as error:  # Pillow raises anything for a damaged file
            remarks = [Remark(Kind.LOST, f"unreadable: {shown(one_line(error))}")]
        if remarks:
            faults[place] = remarks
    return pixels, faults
