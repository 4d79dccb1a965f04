"""A cache of arrays that can be computed again from the data set or from the store.

A file is an .npy with its CRC-32 appended, where numpy does not look. So one rename puts both in
place. Checking a CRC is as fast as reading memory: little, beside what follows with the pixels or
features of a file.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from bench.storage.files import write_error

log = logging.getLogger(__name__)
CRC_BYTES = 4


def mapped(file: Path, mode: Literal["r", "c"]) -> np.ndarray | None:
    """The array of a cache file, mapped into memory; None if it is missing or damaged.

    A damaged file is reported on stderr; the caller computes it again.
    """
    if not file.is_file():
        return None
    if not _is_whole(file):
        log.warning("damaged file %s (its checksum does not match): computed again", file)
        return None
    return np.load(file, mmap_mode=mode, allow_pickle=False)


def _is_whole(file: Path) -> bool:
    if file.stat().st_size <= CRC_BYTES:
        return False
    content = np.memmap(file, np.uint8, "r")
    return content[-CRC_BYTES:].tobytes() == _crc(content[:-CRC_BYTES])


def _crc(content: np.ndarray) -> bytes:
    return zlib.crc32(content.data).to_bytes(CRC_BYTES, "big")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write to, renamed to ``file`` at the end; raises UserError on a full disk."""
    partial = file.with_suffix(f".{os.getpid()}.partial.npy")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("ab") as end:
            end.write(_crc(np.memmap(partial, np.uint8, "r")))
        os.replace(partial, file)
    except OSError as error:
        raise write_error(file, error) from error
    finally:
        partial.unlink(missing_ok=True)


def reserved(file: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new float32 .npy file of ``shape``, mapped; raises OSError if the disk has no room."""
    array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    if hasattr(os, "posix_fallocate"):  # otherwise a full disk would kill the process later
        with file.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
    return array
