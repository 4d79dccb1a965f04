"""Trials by number: drawn from seed, kind and number, tried in processes that may be lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.kind import Given, Kind
from tests.fuzz.watch import PATIENCE, Verdict, limit_memory, watch

LOST = 2 * PATIENCE  # seconds after which a process that tries one input is ended
START_SECONDS = 300.0  # of a process, with what all trials start from


def draw(kind: Kind, seed: int, number: int) -> Given:
    """The input with this number."""
    return kind.draw(random.Random(f"{seed} {kind.name} {number}"))


@contextmanager
def workplace(kind: Kind) -> Iterator[tuple[Path, Path]]:
    """A folder for single trials and one for what all start from; gone at the end."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{kind.name}-") as name:
        home, folder = Path(name) / "home", Path(name) / "trial"
        home.mkdir()
        folder.mkdir()
        os.chdir(folder)
        try:
            kind.prepare(home)
            yield home, folder
        finally:
            os.chdir(here)


def try_one(kind: Kind, given: Given, folder: Path, home: Path) -> Verdict:
    """Try an input in the folder, which is empty before and afterwards."""
    verdict = watch(kind, given, folder, home)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return verdict


def _try_many(kind: Kind, seed: int, numbers: range, pipe: Connection) -> None:
    """In a process of its own: try inputs and send a verdict on each."""
    sys.dont_write_bytecode = True
    with workplace(kind) as (home, folder):
        limit_memory()
        pipe.send((-1, Verdict("accepted")))
        for number in numbers:
            pipe.send((number, try_one(kind, draw(kind, seed, number), folder, home)))
    pipe.close()


@dataclass
class Tally:
    """The counts of one kind, and its failures by number."""

    kind: Kind
    counts: Counter[str]
    failures: dict[int, Verdict]
    slowest: float = 0.0

    def add(self, number: int, verdict: Verdict) -> None:
        """Count one verdict."""
        self.counts["tried"] += 1
        self.counts["failed" if verdict.failed else verdict.outcome] += 1
        self.slowest = max(self.slowest, verdict.seconds)
        if verdict.failed:
            self.failures[number] = verdict

    def __str__(self) -> str:
        names = ("tried", "accepted", "refused", "failed")
        counts = "  ".join(f"{name} {self.counts[name]:>7,}" for name in names)
        return f"{self.kind.name:<9} {counts}  slowest {self.slowest:.1f} s"


class Worker:
    """A process that tries some numbers; one that dies or hangs goes on behind the lost input."""

    def __init__(self, kind: Kind, seed: int, numbers: range):
        self.kind, self.seed, self.left = kind, seed, numbers
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        arguments = (self.kind, self.seed, self.left, theirs)
        self.process = context.Process(target=_try_many, args=arguments, daemon=False)
        self.process.start()
        theirs.close()
        self.deadline = time.monotonic() + START_SECONDS

    def poll(self) -> list[tuple[int, Verdict]]:
        """The verdicts that came since the last look."""
        verdicts = []
        try:
            while self.left and self.pipe.poll(0.0 if verdicts else 0.05):
                number, verdict = self.pipe.recv()
                self.deadline = time.monotonic() + LOST
                if number >= 0:
                    self.left = self.left[1:]
                    verdicts.append((number, verdict))
        except EOFError:
            verdicts.append(self._lost("crash"))
        if self.left and time.monotonic() > self.deadline:
            verdicts.append(self._lost("hang"))
        return verdicts

    def _lost(self, outcome: str) -> tuple[int, Verdict]:
        self.stop()
        number, self.left = self.left[0], self.left[1:]
        detail = f"the process ended with {self.process.exitcode}"
        if self.left:
            self._start()
        return number, Verdict(outcome, detail, LOST if outcome == "hang" else 0.0)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run(kind: Kind, seed: int, numbers: range, jobs: int, seconds: float | None) -> Tally:
    """Try inputs by number in ``jobs`` processes, until all are tried or the time is over."""
    tally = Tally(kind, Counter(), {})
    workers = [Worker(kind, seed, numbers[job::jobs]) for job in range(jobs) if numbers[job::jobs]]
    end = None
    while workers:
        for worker in list(workers):
            for number, verdict in worker.poll():
                end = end or (seconds and time.monotonic() + seconds)  # the start does not count
                tally.add(number, verdict)
            if not worker.left:
                workers.remove(worker)
                worker.process.join()
        if end and time.monotonic() > end:
            break
    for worker in workers:
        worker.stop()
    return tally
