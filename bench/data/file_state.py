"""Whether files changed: on this disk since the last run, and in what they hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.data.cached_arrays import mapped, replacing
from bench.data.image_files import content_digests


def disk_state(paths: Sequence[str], purpose: str) -> str:
    """A hash of the files as they are on this disk now; opens none of them."""
    digest = hashlib.sha256(purpose.encode())
    for path in paths:
        digest.update(os.fsencode(path) + f" {_state(path)}\n".encode())
    return digest.hexdigest()[:32]


def _state(path: str) -> str:
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # a link may lead nowhere
        return "nowhere"
    # Writing moves the time of change even where somebody sets the time of modification back.
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"


def kept_digests(paths: Sequence[str], scratch: Path) -> list[bytes]:
    """The result of ``content_digests``, kept in the folder ``scratch`` for the next run.

    It reads the files again only if the size, a time or the inode of one of them changed.
    """
    file = scratch / f"{disk_state(paths, 'content')}.npy"
    kept = mapped(file, "r")
    if kept is not None:
        return [digest.tobytes() for digest in kept]
    digests = content_digests(paths)
    with replacing(file) as partial:
        np.save(partial, np.frombuffer(b"".join(digests), np.uint8).reshape(len(paths), -1))
    return digests
