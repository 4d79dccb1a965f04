"""Watches one trial: what it runs, writes and takes, and whether it says no in a readable line."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError
from tests.fuzz.kind import Given, Kind

SECONDS, BYTES = 10.0, 2**30  # of a processor, and of memory: what one input may take
PATIENCE = 6 * SECONDS  # by the clock: what waits that long would wait for ever
LONGEST = 3000  # characters of a message
RUNS = {  # events of Python that no input may cause
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty",
    "subprocess.Popen", "pickle.find_class", "socket.connect", "webbrowser.open",
}  # fmt: skip
WRITES = {"os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.truncate"}
CANARY = "EXECUTED"  # a file with this name: an input was executed
HARMLESS = ("/dev/", "/proc/")
OURS = ("git", "lscpu", "nvidia-smi")  # programs that the harness and its libraries ask

_events: list[str] | None = None  # what the current trial did; None between trials
_allowed: tuple[str, ...] = ()
_is_hooked = False


class TooSlowError(BaseException):
    """Raised in a trial that takes too long, wherever it is."""


@dataclass(frozen=True)
class Verdict:
    """What came of one input: accepted, refused, or a failure with its reason."""

    outcome: str
    detail: str = ""
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether the harness did what it never may."""
        return self.outcome not in ("accepted", "refused")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is None:
        return
    if event == "subprocess.Popen" and str(arguments[1][0]) in OURS:
        return
    if event in RUNS:
        _events.append(f"{event} {arguments!r:.300}")
    elif (event == "open" and _opens_to_write(*arguments[1:3])) or event in WRITES:
        first, last = int(event == "os.symlink"), 1 if event == "open" else 2
        paths = [
            path for path in arguments[first:last] if isinstance(path, str | bytes | os.PathLike)
        ]
        for path in paths:
            whole = os.path.realpath(path := os.fsdecode(path))
            if event != "open":  # this changes a link itself, not what it leads to
                whole = os.path.join(
                    os.path.realpath(os.path.dirname(path)), os.path.basename(path)
                )
            if not whole.startswith((*_allowed, *HARMLESS)):
                _events.append(f"wrote {whole!r:.300} ({event})")


def _opens_to_write(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return not set("wax+").isdisjoint(mode)
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@contextmanager
def recording(folder: Path, home: Path) -> Iterator[list[str]]:
    """What the body runs, and what it writes outside of ``folder`` and ``home``."""
    global _events, _allowed, _is_hooked
    if not _is_hooked:
        sys.addaudithook(_hook)
        _is_hooked = True
    _allowed = tuple(str(place.resolve()) for place in (folder, home))
    _events = seen = []
    try:
        yield seen
    finally:
        _events = None


def watch(kind: Kind, given: Given, folder: Path, home: Path) -> Verdict:
    """Try one input in ``folder`` and judge what happens."""
    _forget_peak()
    before, start = _peak(), time.process_time()
    with recording(folder, home) as events:
        verdict = _attempt(kind, given, folder)
    seconds, grown = time.process_time() - start, _peak() - before
    outcome, detail = verdict.outcome, verdict.detail
    if events or any(folder.rglob(CANARY)):
        outcome, detail = "executed", "; ".join(events) or "a file said so"
    elif leftovers := list(folder.rglob(".tmp-*")):
        outcome, detail = "half-written", ", ".join(map(str, leftovers))
    elif not verdict.failed and seconds > SECONDS:
        outcome, detail = "slow", f"{seconds:.1f} s; {detail}"
    elif not verdict.failed and grown > BYTES:
        outcome, detail = "memory", f"{grown / 2**30:.2f} GiB; {detail}"
    return Verdict(outcome, detail, seconds)


def _attempt(kind: Kind, given: Given, folder: Path) -> Verdict:
    try:
        with _alarm():
            kind.attempt(given, folder)
    except UserError as error:
        if _is_of_memory(error):
            return Verdict("memory", _trace(error))
        fault = _fault(str(error), kind.lines)
        return Verdict("unreadable", f"{error!r:.2000}\n{fault}") if fault else Verdict("refused")
    except KeyboardInterrupt:
        raise
    except TooSlowError as error:
        return Verdict("slow", _trace(error))
    except BaseException as error:  # whatever it is, it is what a user would see
        return Verdict("memory" if _is_of_memory(error) else "traceback", _trace(error))
    return Verdict("accepted")


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise TooSlowError in the body when its time is over."""

    def ring(_signal: int, _frame: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, 1.0)  # again, where a library swallows it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fault(message: str, lines: int) -> str:
    """What is wrong with a message; empty where nothing is."""
    if message.count("\n") >= lines:
        return f"more than {lines} lines"
    if len(message) > LONGEST * lines:
        return f"{len(message)} characters"
    return "" if message.strip() else "empty"


def _is_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        context = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or context
    return False


def _trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error, limit=-12))[-6000:]
    except Exception as again:
        return f"{type(error).__name__}, which cannot be printed: {type(again).__name__}"


def limit_memory() -> None:
    """Make requests for memory fail that go far beyond what an input may take."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 3 * BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """The most bytes of memory in use since ``_forget_peak``; 0 where the system does not say."""
    with suppress(OSError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmHWM"):
                return int(line.split()[1]) * 1024
    return 0
