"""Progress on stderr: a bar with time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.messages import tell

Report = Callable[[str, int, int], None]  # what is made, how much is done, how much there is

SECONDS_BETWEEN_LINES = 15.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Report]:
    """A bar with time left on a terminal, plain lines elsewhere; always on stderr."""
    if quiet:
        yield lambda _stage, _done, _total: None
    elif sys.stderr is not None and sys.stderr.isatty():
        with _progress_bar() as report:
            yield report
    else:
        yield _plain_lines()


@contextmanager
def _progress_bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks or bar.tasks[tasks[stage]].finished:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield report


def _plain_lines() -> Report:
    started: dict[str, float] = {}
    first: dict[str, float] = {}  # when the first cell was done: it waits for workers to start
    last = 0.0

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == 0:
            started[stage] = now
        if done <= 1:
            first[stage] = now
        if done not in (0, total) and now - last < SECONDS_BETWEEN_LINES:
            return
        last = now
        elapsed = now - started.setdefault(stage, now)
        left = ""
        if 1 < done < total:
            left = f", about {(now - first[stage]) / (done - 1) * (total - done):.0f} s left"
        tell(f"{stage}: {done}/{total} ({elapsed:.0f} s{left})")

    return report
