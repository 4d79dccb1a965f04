"""Arrays kept beside the results for speed: they can be made again from data or from the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np

from bench.store import cannot_write


def mapped(file: Path, mode: Literal["r", "c"]) -> np.ndarray | None:
    """The array of a .npy file, mapped into memory; None where it is missing or cut short."""
    if not file.is_file():
        return None
    try:
        return np.load(file, mmap_mode=mode, allow_pickle=False)
    except (ValueError, EOFError):  # its header or its end is missing
        return None


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``file`` when all is written; UserError on a full disk."""
    partial = file.with_suffix(f".{os.getpid()}.partial.npy")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, file)
    except OSError as error:
        raise cannot_write(file, error) from error
    finally:
        partial.unlink(missing_ok=True)


def reserved(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A new float32 .npy file of ``shape``, mapped; OSError now if the disk has no room for it."""
    array = np.lib.format.open_memmap(file, "w+", np.float32, shape)
    if hasattr(os, "posix_fallocate"):  # else a full disk would end the process on a later write
        with file.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
    return array
