"""Files that parameters of a plugin name: their content belongs to what the plugin is."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any


def hashes_of(params: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each file that a parameter names, by the name of the parameter."""
    found = {}
    for name, value in params.items():
        for place, text in enumerate(_texts(value)):
            if digest := _hash(text):
                found[f"{name}.{place}" if place else name] = digest
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | os.PathLike):
        yield os.fspath(value)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)


def _hash(text: str) -> str | None:
    """A hash of the file's content; None where ``text`` is the path of no regular file."""
    path = Path(text).expanduser()
    try:
        state = path.stat()
    except (OSError, ValueError, RuntimeError):  # no such file, or no path at all
        return None
    if not text or not stat.S_ISREG(state.st_mode):
        return None
    # The time of a change cannot be set back by whoever edits the file.
    return _of_content(path.resolve(), state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=64)
def _of_content(path: Path, _size: int, _mtime: int, _ctime: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
