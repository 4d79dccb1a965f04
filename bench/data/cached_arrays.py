"""Arrays kept beside the results for speed: they can be made again from data or from the store.

A file is an .npy with its CRC-32 behind, which numpy does not read: one rename puts both in place.
A CRC notices damage at the speed at which memory is read; of a file of pixels or features that is
little beside the rest that a process does with it.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from bench.storage.files import write_error

CHECK = 4  # bytes


def mapped(file: Path, mode: Literal["r", "c"]) -> np.ndarray | None:
    """The array of a kept file, mapped into memory; None where it is missing.

    None also where it is damaged, which is said: the caller makes it anew.
    """
    if not file.is_file():
        return None
    if not _is_whole(file):
        print(f"damaged file {file} (its checksum does not match): made anew", file=sys.stderr)
        return None
    return np.load(file, mmap_mode=mode, allow_pickle=False)


def _is_whole(file: Path) -> bool:
    if file.stat().st_size <= CHECK:
        return False
    content = np.memmap(file, np.uint8, "r")
    return content[-CHECK:].tobytes() == _check(content[:-CHECK])


def _check(content: np.ndarray) -> bytes:
    return zlib.crc32(content).to_bytes(CHECK, "big")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``file`` when all is written; UserError on a full disk."""
    partial = file.with_suffix(f".{os.getpid()}.partial.npy")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("ab") as end:
            end.write(_check(np.memmap(partial, np.uint8, "r")))
        os.replace(partial, file)
    except OSError as error:
        raise write_error(file, error) from error
    finally:
        partial.unlink(missing_ok=True)


def reserved(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A new float32 .npy file of ``shape``, mapped; OSError now if the disk has no room for it."""
    array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    if hasattr(os, "posix_fallocate"):  # else a full disk would end the process on a later write
        with file.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
    return array
