"""Locks, so that two runs on one store never make the same artefact at once.

A lock is a file beside the artefact: a lease of filelock, which names the machine and process of
its owner. The owner refreshes it every few seconds. A killed run's lock expires immediately on the
same machine, and after a minute without refresh elsewhere. If a lock is lost in spite of that (a
laptop slept), two runs make the same artefact. That wastes time and harms nothing, since artefacts
are stored by content and written whole. So do two machines of the same name that share a store on a
file system which can swap two file names: filelock knows machines by name and, for containers, by
process namespace.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from functools import cache
from pathlib import Path

from filelock import SoftFileLease, Timeout

from bench.storage.files import temporary_beside, write_error

LEASE_SECONDS = 60.0  # all versions that share a store must agree on it: filelock insists
HEARTBEAT_SECONDS = 5.0
MOST_HELD = 512  # each held lock needs a thread and an open file; many systems allow 1,024 files


class Locks:
    """The locks that one run holds; leaving the context releases all of them."""

    def __init__(self, lease: float = LEASE_SECONDS, heartbeat: float = HEARTBEAT_SECONDS):
        self._lease_seconds, self._heartbeat_seconds = lease, heartbeat
        self._held: dict[Path, SoftFileLease] = {}
        # A lock of another owner expires after this long under our eyes, by our own clock.
        self._watched: dict[Path, SoftFileLease] = {}
        self._last_seen: dict[Path, tuple[tuple[int, int], float]] = {}

    def __enter__(self) -> Locks:
        return self

    def __exit__(self, *_error: object) -> None:
        for path in list(self._held):
            self.release(path)

    def take(self, path: Path) -> bool:
        """Lock ``path``; False if another owner has it, or this run holds too many already.

        Raises UserError if the lock file cannot be written.
        """
        if path in self._held or len(self._held) >= MOST_HELD:
            return False
        lease = self._watched.get(path) or SoftFileLease(
            path,
            lease_duration=self._lease_seconds,
            heartbeat_interval=self._heartbeat_seconds,
            thread_local=False,  # threads of joblib take locks that the main thread releases
            blocking=False,
        )
        try:
            taken = _acquire(lease) or (self._remove_expired(path) and _acquire(lease))
        except OSError as error:
            raise write_error(path, error) from error
        if taken:
            self._watched.pop(path, None)
            self._last_seen.pop(path, None)
            self._held[path] = lease
        else:
            self._watched[path] = lease
        return taken

    def release(self, path: Path) -> None:
        """Release a lock; does nothing to the lock of a run that took it over."""
        with contextlib.suppress(OSError):  # a lock file that stays expires in a minute
            self._held.pop(path).release()

    def _remove_expired(self, path: Path) -> bool:
        """Remove a lock file that filelock leaves although nobody refreshes it; True if it is gone.

        filelock takes over an expired lock by swapping two file names in one step. NFS and most
        other network file systems cannot do that. It also leaves an empty lock file alone, whose
        owner was killed before writing its name.
        """
        with contextlib.suppress(FileNotFoundError):
            with path.open("rb") as file:  # opened, so that NFS asks the server how old it is
                state = os.fstat(file.fileno())
            refreshed, now = (state.st_ino, state.st_mtime_ns), time.monotonic()
            before, since = self._last_seen.setdefault(path, (refreshed, now))
            if refreshed != before:
                self._last_seen[path] = refreshed, now
                return False
            # A little later than filelock, which can do it without a gap.
            if now - since < self._lease_seconds + self._heartbeat_seconds:
                return False
            aside = temporary_beside(path)
            os.rename(path, aside)
            if aside.stat().st_ino != state.st_ino:  # the fresh lock of who was quicker
                with contextlib.suppress(OSError):
                    os.link(aside, path)
            aside.unlink()
        return True


def _acquire(lease: SoftFileLease) -> bool:
    try:
        lease.acquire()
    except Timeout:
        return False
    return True


@cache
def host() -> str:
    """This machine; inside a container, this container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
