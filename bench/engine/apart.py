"""Processes for one row: cells that run the code of somebody else's plugin are made in them.

Whatever such code does to its process, also unnoticed, no other row can see. The processes end
with the row. One that dies (a crash in compiled code, ``os._exit``, lack of memory) costs that row
alone.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from bench.data.workers import end_with_parent
from bench.errors import UserError, one_line
from bench.plugins.chosen import Guest
from bench.stages.attempt import failure
from bench.stages.cell import Cell
from bench.stages.context import Context, Stage

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

log = logging.getLogger(__name__)
Work = Callable[[Cell, bool], tuple[Any, ...]]


class OwnProcesses:
    """The processes of one row, started when they are needed."""

    def __init__(self, context: Context, stage: Stage, guest: Guest, work: Work, most: int):
        """``work``: what a process is asked to do for a cell; ``most``: how many there may be."""
        self.context, self.stage, self.guest = context, stage, guest
        self._work, self._most = work, most
        self._idle: list[ProcessPoolExecutor] = []
        self._all: list[ProcessPoolExecutor] = []
        self._lock = threading.Lock()
        self._is_deadly = False  # whether a cell of this row killed two processes

    def make(self, cells: Iterator[Cell], alone: bool) -> Iterator[Cell]:
        """Make cells in as many processes as there are jobs; yields those that are finished."""
        most = 1 if alone else self._most
        running: dict[Future[None], Cell] = {}
        with ThreadPoolExecutor(most) as threads:
            try:
                while True:
                    while len(running) < most and (cell := next(cells, None)) is not None:
                        running[threads.submit(self._make, cell, alone)] = cell
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        cell = running.pop(future)
                        future.result()
                        yield cell
            except BaseException:
                self.end(kill=True)  # or the threads would wait for what nobody needs
                raise

    def __enter__(self) -> OwnProcesses:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self, kill: bool = False) -> None:
        """End all processes."""
        with self._lock:
            for process in self._all:
                process.shutdown(wait=not kill, kill_workers=kill)
            self._all, self._idle = [], []

    def _make(self, cell: Cell, alone: bool) -> None:
        """Make a cell, once more in a new process if the first one died of it."""
        for is_last in (True,) if self._is_deadly else (False, True):
            process = self._take()
            try:
                process.submit(*self._work(cell, alone)).result()
            except BrokenProcessPool:
                if not is_last:
                    log.warning(f"the process of {self.guest.name} died at {cell}; trying again")
                continue
            except UserError:
                raise
            except Exception as error:  # what the plugin did to its process broke our code there
                self._fail(cell, one_line(error), "".join(traceback.format_exception(error)))
            with self._lock:
                self._idle.append(process)
            return
        self._is_deadly = True
        reason = "ended its process (a crash in compiled code, os._exit, or lack of memory)"
        self._fail(cell, f"{self.guest.name} {reason}")

    def _take(self) -> ProcessPoolExecutor:
        from joblib.externals.loky import ProcessPoolExecutor

        with self._lock:
            if not self._idle:
                ends = {"initializer": end_with_parent, "initargs": (os.getpid(),)}
                self._idle.append(ProcessPoolExecutor(max_workers=1, **ends))
                self._all.append(self._idle[-1])
            return self._idle.pop()

    def _fail(self, cell: Cell, reason: str, trace: str = "") -> None:
        key = self.context.key(cell)
        self.context.store.write_failure(cell.stage, key, failure(cell, reason, trace))
