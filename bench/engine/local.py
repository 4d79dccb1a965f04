"""Make the missing cells of a group, here or on a cluster, with progress and locks.

Timed cells run one at a time with nothing else on the machine, the others in parallel. A finished
cell is stored at once, so nothing is lost by a kill. What another run is making on the same store
is left to it, and waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.data.workers import parallel
from bench.engine.apart import Row, RowProcesses
from bench.engine.execute import execute, execute_in_worker, is_made, make_and_store, work_apart
from bench.engine.graph import Group
from bench.engine.progress import Report
from bench.plugins.chosen import Plugin
from bench.stages.cell import Cell
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.storage.locks import Locks, host
from bench.storage.store import content_key

PAUSE_SECONDS = 0.2  # between two looks at what another run is making
Make = Callable[[Iterator[Cell], bool], Iterator[Cell]]  # cells, and whether each is alone


class Cluster(Protocol):
    """Other machines that make cells, see bench/engine/dask.py."""

    @property
    def address(self) -> str: ...

    def make(self, context: Context, cells: Iterator[Cell], alone: bool) -> Iterator[Cell]: ...


def make_group(
    context: Context,
    group: Group,
    report: Report,
    processes: RowProcesses,
    cluster: Cluster | None = None,
) -> None:
    """Make every cell of a group that is not stored yet; ``processes``: of users' plugins."""
    stage = group.stage
    if stage.reads_outputs_only:
        context.settle(group.cells)
    missing = runnable(context, [cell for cell in group.cells if not is_made(context, cell)])
    if not missing:
        return
    done, total = 0, len(missing)
    report(stage.name, done, total)
    with Locks() as locks:
        for plugin, cells in by_guest(context, stage, missing):
            make = _maker(context, stage, plugin, processes, cluster)
            batch = Batch(context, make, cluster.address if cluster else host(), locks)
            for _cell in _timed_first(context, stage, batch, cells):
                done += 1
                report(stage.name, done, total)


def by_guest(
    context: Context, stage: Stage, cells: list[Cell]
) -> list[tuple[Plugin | None, list[Cell]]]:
    """The cells that run our code alone, then for each plugin that is not ours its own cells."""
    groups: dict[str, tuple[Plugin | None, list[Cell]]] = {"": (None, [])}
    for cell in cells:
        plugin = stage.runs(context, cell)
        own = plugin if plugin and plugin.guest else None
        groups.setdefault(own.label if own else "", (own, []))[1].append(cell)
    return [group for group in groups.values() if group[1]]


def _timed_first(context: Context, stage: Stage, batch: Batch, cells: list[Cell]) -> Iterator[Cell]:
    """Make the timed cells one at a time, then the others in parallel."""
    timed = context.config.timed if stage.timed else 0
    for cell in cells:
        if cell.member < timed:
            yield from batch.make([cell], alone=True)
    yield from batch.make([cell for cell in cells if cell.member >= timed], alone=False)


def _maker(
    context: Context,
    stage: Stage,
    plugin: Plugin | None,
    processes: RowProcesses,
    cluster: Cluster | None,
) -> Make:
    """How cells are made: in processes of their row, in threads, on a cluster, or here."""
    if plugin and (stage.reads_outputs_only or not cluster):
        outputs = stage.reads_outputs_only
        most = context.config.threads if outputs else context.once(Networks).jobs
        return Row(context, plugin, processes, work_apart(context, stage), most).make
    if stage.reads_outputs_only:
        return lambda cells, _alone: in_threads(context, cells)
    return partial(cluster.make if cluster else in_processes, context)


def runnable(context: Context, cells: list[Cell]) -> list[Cell]:
    """The cells whose inputs exist; the others fail for the reason for which an input failed."""
    ready = []
    for cell in cells:
        lost = next((s for s in context.inputs(cell) if _is_lost(context, s)), None)
        if lost is None:
            ready.append(cell)
            continue
        failure = context.failure(lost)
        if failure is None:
            raise RuntimeError(f"{cell} reads {lost}, which was neither made nor failed")
        inherited = failure | {"member": cell.member}
        context.store.write_failure(cell.stage, context.key(cell), inherited)
    return ready


def _is_lost(context: Context, cell: Cell) -> bool:
    """Whether an input is missing; shared stages end the run where they fail."""
    return not context.stages[cell.stage].shared and not context.has(cell)


@dataclass
class Batch:
    """Cells that ``work`` makes on a machine, each locked when its turn comes."""

    context: Context
    work: Make
    machine: str
    locks: Locks

    def make(self, cells: list[Cell], alone: bool) -> Iterator[Cell]:
        """Make all cells that no other run makes meanwhile; yields those that are finished."""
        if not alone:
            yield from self._make_until_stored(cells, alone)
            return
        turn = self.context.store.lock_path("alone", content_key(machine=self.machine))
        while not self.locks.take(turn, "what runs alone on this machine"):
            time.sleep(PAUSE_SECONDS)
        try:
            yield from self._make_until_stored(cells, alone)
        finally:
            self.locks.release(turn)

    def _make_until_stored(self, cells: list[Cell], alone: bool) -> Iterator[Cell]:
        while cells:
            elsewhere: list[Cell] = []  # another run is making it
            stored: list[Cell] = []  # another run made it
            errors: list[Exception] = []
            for cell in self.work(self._lock_each(cells, elsewhere, stored, errors), alone):
                self.locks.release(self._lock_path(cell))
                yield cell
            yield from stored
            if errors:
                raise errors[0]
            if len(elsewhere) == len(cells):
                time.sleep(PAUSE_SECONDS)
            cells = elsewhere

    def _lock_each(
        self,
        cells: list[Cell],
        elsewhere: list[Cell],
        stored: list[Cell],
        errors: list[Exception],
    ) -> Iterator[Cell]:
        """Cells to make now. Errors are put aside: joblib would lose what its thread raises."""
        try:
            for cell in cells:
                if not self.locks.take(self._lock_path(cell), str(cell)):
                    elsewhere.append(cell)
                elif is_made(self.context, cell):
                    self.locks.release(self._lock_path(cell))
                    stored.append(cell)
                else:
                    yield cell
        except Exception as error:
            errors.append(error)

    def _lock_path(self, cell: Cell) -> Path:
        return self.context.store.lock_path(cell.stage, self.context.key(cell))


def in_threads(context: Context, cells: Iterator[Cell]) -> Iterator[Cell]:
    """Make cells in threads of this process, which share what they read."""
    with ThreadPoolExecutor(context.config.threads) as pool:
        futures = {pool.submit(make_and_store, context, cell): cell for cell in cells}
        for future in as_completed(futures):
            future.result()
            yield futures[future]


def in_processes(context: Context, cells: Iterator[Cell], alone: bool) -> Iterator[Cell]:
    """Make cells in this process, or in as many worker processes as there are jobs."""
    networks = context.once(Networks)
    if networks.jobs == 1:
        for cell in cells:
            execute(context, cell, alone)
            yield cell
        return
    from joblib import delayed

    run = parallel(networks.jobs, batch_size=1, return_as="generator_unordered")
    known = networks.settled_config, context.token
    yield from run(delayed(execute_in_worker)(*known, cell, alone) for cell in cells)


def release_workers() -> None:
    """Shut down idle worker processes without waiting, so that the exit does not block."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=False)  # reuse: the running one, not a new one
