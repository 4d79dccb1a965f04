"""Processes for one row: cells that run the code of somebody else's plugin are made in them.

Whatever such code does to its process, also unnoticed, no other row can see. A process that dies (a
crash in compiled code, ``os._exit``, lack of memory) costs its row alone.
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
from bench.plugins.chosen import Plugin
from bench.stages.attempt import failure
from bench.stages.cell import Cell
from bench.stages.context import Context

if TYPE_CHECKING:
    from joblib.externals.loky import ProcessPoolExecutor

log = logging.getLogger(__name__)
Work = Callable[[Cell, bool], tuple[Any, ...]]
KEPT = 4  # processes that wait for the next stage of their row; each takes some 300 MB


def start_process() -> ProcessPoolExecutor:
    """A new process, which ends when this one does."""
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(1, initializer=end_with_parent, initargs=(os.getpid(),))


class RowProcesses:
    """The processes of all rows, kept for the next stages of a row: to start one takes long."""

    def __init__(self, start: Callable[[], ProcessPoolExecutor] = start_process):
        self._start = start
        self._idle: list[tuple[str, ProcessPoolExecutor]] = []  # with the row's name; oldest first
        self._all: list[ProcessPoolExecutor] = []
        self._lock = threading.Lock()

    def take(self, row: str) -> ProcessPoolExecutor:
        """A process that has only ever run code of this row."""
        with self._lock:
            for place, (owner, process) in enumerate(self._idle):
                if owner == row:
                    del self._idle[place]
                    return process
            while len(self._idle) >= KEPT:
                self._idle.pop(0)[1].shutdown(kill_workers=True)
            self._all.append(self._start())
            return self._all[-1]

    def give_back(self, row: str, process: ProcessPoolExecutor) -> None:
        """Keep a process for the next cells of its row."""
        with self._lock:
            self._idle.append((row, process))

    def __enter__(self) -> RowProcesses:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> None:
        """End all processes at once: what they made is stored already."""
        with self._lock:
            for process in self._all:
                process.shutdown(kill_workers=True)
            self._all, self._idle = [], []


class Row:
    """Makes the cells of one row and stage in its own processes."""

    def __init__(
        self, context: Context, plugin: Plugin, processes: RowProcesses, work: Work, most: int
    ):
        """``work``: what a process is asked to do for a cell; ``most``: how many there may be."""
        self.context, self.plugin, self.processes = context, plugin, processes
        self._name = plugin.guest.name if plugin.guest else plugin.label
        self._work, self._most = work, most
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
                self.processes.end()  # or the threads would wait for what nobody needs
                raise

    def _make(self, cell: Cell, alone: bool) -> None:
        """Make a cell, once more in a new process if the first one died of it."""
        row = f"{self._name} {self.plugin.label}"
        for is_last in (True,) if self._is_deadly else (False, True):
            process = self.processes.take(row)
            try:
                process.submit(*self._work(cell, alone)).result()
            except BrokenProcessPool:
                if not is_last:
                    log.warning(f"the process of {self._name} died at {cell}; trying again")
                continue
            except UserError:
                raise
            except Exception as error:  # what the plugin did to its process broke our code there
                self._fail(cell, one_line(error), "".join(traceback.format_exception(error)))
            self.processes.give_back(row, process)
            return
        self._is_deadly = True
        reason = "ended its process (a crash in compiled code, os._exit, or lack of memory)"
        self._fail(cell, f"{self._name} {reason}")

    def _fail(self, cell: Cell, reason: str, trace: str = "") -> None:
        key = self.context.key(cell)
        self.context.store.write_failure(cell.stage, key, failure(cell, reason, trace))
