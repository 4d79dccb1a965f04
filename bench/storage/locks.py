"""Claims: two runs on one store never make the same artefact at once.

A claim is a file beside the artefact to be, made exclusively, that names its owner: machine,
process, and a mark of this very claim. Owners touch their claims every few seconds. A claim is
stale where its process is gone from this machine, or where nobody has touched it for a minute, so
that a killed run never blocks another. Where a claim is lost in spite of that (a machine slept),
two runs make the same artefact: wasted, but not wrong, as artefacts go by content and are whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from bench.storage.files import write_error

BEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


class Claims:
    """The claims of one run, kept alive by a thread; all are given back on leaving the context."""

    def __init__(self) -> None:
        self._held: dict[Path, bytes] = {}
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claims", daemon=True)

    def __enter__(self) -> Claims:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._leaving.set()
        self._thread.join()
        for path in list(self._held):
            self.release(path)

    def take(self, path: Path) -> bool:
        """Claim ``path`` unless another process holds it; UserError where it cannot be written."""
        content = json.dumps(_owner()).encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if _is_stale(path):
                _remove_stale(path)
            try:
                file = path.open("xb")
            except FileExistsError:
                return False
            try:
                with file:
                    file.write(content)
            except OSError:  # half a claim would be waited for
                path.unlink()
                raise
        except OSError as error:
            raise write_error(path, error) from error
        with self._lock:
            self._held[path] = content
        return True

    def mark(self, path: Path) -> bytes:
        """What a claim that is held says: nobody who cannot read the file can know it."""
        return self._held[path]

    def release(self, path: Path) -> None:
        """Give a claim back; nothing happens where somebody took it over as stale."""
        with self._lock:
            content = self._held.pop(path)
        with contextlib.suppress(OSError):  # a claim that stays is stale in a minute
            if path.read_bytes() == content:
                path.unlink()

    def _beat(self) -> None:
        while not self._leaving.wait(BEAT_SECONDS):
            with self._lock:
                held = dict(self._held)
            for path, content in held.items():
                with contextlib.suppress(OSError):
                    if path.read_bytes() == content:
                        os.utime(path)


def _owner() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": host(), "pid": pid, "since": _birth(pid), "mark": uuid.uuid4().hex}


@cache
def host() -> str:
    """This machine (of containers, this one): where a process number means something."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _birth(pid: int) -> str | None:
    """When a process of this machine started; None: it is gone, or the system does not say."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in "ZX" else after_name[19]


def _is_stale(path: Path) -> bool:
    try:
        content, touched = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        return False
    with contextlib.suppress(ValueError, KeyError):  # half written: its age decides
        owner = json.loads(content)
        here = owner["host"] == host() and owner["since"] is not None
        if here and _birth(owner["pid"]) != owner["since"]:
            return True
    old = time.time() - touched > STALE_SECONDS
    return old and _clock(path.parent) - touched > STALE_SECONDS


def _clock(folder: Path) -> float:
    """The time by the clock that stamps files in ``folder``: another machine's, where shared."""
    probe = folder / f".tmp-{uuid.uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _remove_stale(path: Path) -> None:
    """Remove a stale claim, but not the fresh one of who was quicker to remove it."""
    aside = path.with_name(f".tmp-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if not _is_stale(aside):
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()
