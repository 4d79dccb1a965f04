"""Locks, so that two runs on one store never make the same artefact at once.

A lock is a file beside the artefact: a lease of filelock, which names the machine and process of
its owner. The owner refreshes it every few seconds. A killed run's lock expires immediately on the
same machine, and after a minute without refresh elsewhere. If a lock is lost in spite of that (a
laptop slept), two runs make the same artefact. That wastes time and harms nothing, since artefacts
are stored by content and written whole. So do two machines of the same name that share a store on a
file system which can swap two file names: filelock knows machines by name and, for containers, by
process namespace.

Who waits is told for whom after a few seconds. Times in a lock file are another machine's, whose
clock may be wrong: only our own clock says how long a lock was not refreshed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import stat
import time
from functools import cache
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from bench.errors import UserError
from bench.storage.files import temporary_beside, write_error

log = logging.getLogger(__name__)
LEASE_SECONDS = 60.0  # all versions that share a store must agree on it: filelock insists
HEARTBEAT_SECONDS = 5.0
TELL_SECONDS = 5.0  # after which the user is told for whom a run waits
MOST_HELD = 512  # each held lock needs a thread and an open file; many systems allow 1,024 files


class Locks:
    """The locks that one run holds; leaving the context releases all of them."""

    def __init__(self, lease: float = LEASE_SECONDS, heartbeat: float = HEARTBEAT_SECONDS):
        self._lease_seconds, self._heartbeat_seconds = lease, heartbeat
        self._held: dict[Path, SoftFileLease] = {}
        # A lock of another owner expires after this long under our eyes, by our own clock.
        self._watched: dict[Path, SoftFileLease] = {}
        self._last_seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self._waiting_since: dict[Path, float] = {}
        self._told: set[str] = set()  # owners for whom the user knows that we wait

    def __enter__(self) -> Locks:
        return self

    def __exit__(self, *_error: object) -> None:
        for path in list(self._held):
            self.release(path)

    def take(self, path: Path, what: str = "") -> bool:
        """Lock ``path``; False if another owner has it, or this run holds too many already.

        ``what`` is made under the lock, for the message about whom we wait for. Raises UserError if
        the lock file cannot be written.
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
        _refuse_special(path)
        try:
            taken = _acquire(lease) or (self._remove_expired(path) and _acquire(lease))
        except OSError as error:
            raise write_error(path, error) from error
        if taken:
            for known in (self._watched, self._last_seen, self._waiting_since):
                known.pop(path, None)
            self._held[path] = lease
        else:
            self._watched[path] = lease
            self._tell_who_waits(path, what or path.stem)
        return taken

    def _tell_who_waits(self, path: Path, what: str) -> None:
        """Say once for each owner, after a few seconds, for whom we wait and how long at most."""
        now = time.monotonic()
        waited = now - self._waiting_since.setdefault(path, now)
        owner = owner_of(path)
        if waited < TELL_SECONDS or owner in self._told:
            return
        self._told.add(owner)
        log.warning(
            f"waiting for {owner}, which has been making {what} for {waited:.0f} s or more; if it "
            f"gives no sign of life, its lock {path.name} expires after {self._lease_seconds:.0f} s"
        )

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
    except (Timeout, LeaseSettingsMismatch):  # of another version: it expires by our own clock
        return False
    return True


def _refuse_special(path: Path) -> None:
    """Raise UserError for a lock that is no file, which nobody wrote and nobody would remove."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UserError(f"{path} is no file, so it is not a lock of ours: delete it")


def owner_of(path: Path) -> str:
    """The owner of a lock in words: process and machine, as far as its file says."""
    try:
        lines = path.read_text("utf-8", errors="replace")[:2000].splitlines()
    except OSError:
        return "another run"
    said = dict(line.partition("=")[::2] for line in lines)
    process = f"process {said['pid']}" if "pid" in said else "a process"
    machine = said.get("host", "")
    here = machine.partition("?")[0] == socket.gethostname()
    return f"{process} on {'this machine' if here else machine or 'an unknown machine'}"


@cache
def host() -> str:
    """This machine; inside a container, this container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
