"""Runs cells: timed ones alone on the machine, the others side by side, with progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.schema import Config
from bench.stages.context import ORIGINAL, RETRAINED, UNTRAINED, Cell, Experiment, remembered
from bench.storage.locks import Claims, host
from bench.storage.store import Store, content_key
from bench.training.devices import one_thread

if TYPE_CHECKING:
    from bench.engine.cluster import Cluster

PAUSE_SECONDS = 0.2  # between two looks at what another run is making
Report = Callable[[str, int, int], None]


def run_cells(
    experiment: Experiment,
    cells: list[Cell],
    timed: int,
    report: Report,
    cluster: Cluster | None = None,
) -> None:
    """Make every cell that is not there yet, here or on a ``cluster``.

    Members below ``timed`` run one at a time with nothing beside them, so that their wall time is
    theirs; the rest use all jobs. A finished cell is stored at once, so nothing is lost by a kill.
    What another run is making on the same store is left to it, and waited for.
    """
    missing = [cell for cell in cells if not experiment.has(cell)]
    if not missing:
        return
    alone = [cell for cell in missing if cell.member < timed]
    together = [cell for cell in missing if cell.member >= timed]
    stage, done = missing[0].stage, 0
    report(stage, done, len(missing))
    with Claims() as claims:
        for batch, is_alone in [*(([cell], True) for cell in alone), (together, False)]:
            for _finished in _Batch(experiment, is_alone, cluster, claims).make(batch):
                done += 1
                report(stage, done, len(missing))


@dataclass
class _Batch:
    """Cells that are made side by side, each claimed when its turn comes."""

    experiment: Experiment
    alone: bool
    cluster: Cluster | None
    claims: Claims

    def make(self, cells: list[Cell]) -> Iterator[Cell]:
        """Make all cells that no other run makes meanwhile; yields those that are finished."""
        if not self.alone:
            yield from self._until_there(cells)
            return
        machine = self.cluster.address if self.cluster else host()
        turn = self.experiment.store.claim_path("alone", content_key(machine=machine))
        while not self.claims.take(turn):
            time.sleep(PAUSE_SECONDS)
        try:
            yield from self._until_there(cells)
        finally:
            self.claims.release(turn)

    def _until_there(self, cells: list[Cell]) -> Iterator[Cell]:
        while cells:
            elsewhere: list[Cell] = []  # another run is at it
            there: list[Cell] = []  # another run made it
            trouble: list[Exception] = []
            for cell in self._engine(self._claimed(cells, elsewhere, there, trouble)):
                self.claims.release(self._claim(cell))
                yield cell
            yield from there
            if trouble:
                raise trouble[0]
            if len(elsewhere) == len(cells):
                time.sleep(PAUSE_SECONDS)
            cells = elsewhere

    def _claimed(
        self,
        cells: list[Cell],
        elsewhere: list[Cell],
        there: list[Cell],
        trouble: list[Exception],
    ) -> Iterator[Cell]:
        """Cells to make now. ``trouble`` is put aside: joblib would lose what its thread raises."""
        try:
            for cell in cells:
                if not self.claims.take(self._claim(cell)):
                    elsewhere.append(cell)
                elif self.experiment.has(cell):
                    self.claims.release(self._claim(cell))
                    there.append(cell)
                else:
                    yield cell
        except Exception as error:
            trouble.append(error)

    def _claim(self, cell: Cell) -> Path:
        return self.experiment.store.claim_path(cell.stage, self.experiment.key(cell))

    def _engine(self, cells: Iterator[Cell]) -> Iterable[Cell]:
        if self.cluster:
            return self.cluster.make(
                self.experiment, cells, self.alone, lambda c: self.claims.mark(self._claim(c))
            )
        return _in_parallel(self.experiment, cells, self.alone)


def _in_parallel(experiment: Experiment, cells: Iterator[Cell], alone: bool) -> Iterator[Cell]:
    jobs = experiment.jobs
    if jobs == 1:
        for cell in cells:
            with one_thread():
                make(experiment, cell, alone)
            yield cell
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, batch_size=1, return_as="generator_unordered")
    known = experiment.told, experiment.token, experiment.request
    yield from parallel(delayed(_make_in_worker)(*known, cell, alone) for cell in cells)


def _make_in_worker(
    config: Config, token: str, request: int | None, cell: Cell, alone: bool
) -> Cell:
    with one_thread():
        make(remembered(config, token, request), cell, alone)
    return cell


def release_workers() -> None:
    """Have idle worker processes end beside what is left to do: the exit would wait for them."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor(reuse=True).shutdown(wait=False)  # else it is replaced, and waited for


_warm: set[Store] = set()


def make(experiment: Experiment, cell: Cell, alone: bool) -> None:
    """Make one cell and store it."""
    from bench.stages.features import features
    from bench.stages.predict import predict, untrained
    from bench.stages.relearn import relearn
    from bench.stages.train import train
    from bench.stages.unlearn import prepare, unlearn
    from bench.training.memory import give_back, keep_freed

    keep_freed()
    if alone and experiment.store not in _warm:
        _warm_up(experiment)
        _warm.add(experiment.store)
    stages = {
        "features": features,
        "train": train,
        "prepare": prepare,
        "unlearn": unlearn,
        "predict": predict,
        "untrained": untrained,
        "relearn": relearn,
    }
    stages[cell.stage](experiment, cell, alone)
    give_back()  # between cells nothing is kept, or an idle worker would seem to leak


def _warm_up(experiment: Experiment) -> None:
    """A few training steps, not timed: the first ones of a process pay for its start."""
    import torch

    from bench import seeds

    rng = seeds.torch_rng("warm-up")
    few = experiment.part("train").take(torch.arange(min(256, len(experiment.part("train")))))
    settings = experiment.recipe.settings.model_copy(update={"epochs": 2})
    recipe = replace(experiment.recipe, settings=settings)
    recipe.train(recipe.fresh_model(rng), few, rng)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Report]:
    """A bar with time left on a terminal, plain lines elsewhere; always on stderr."""
    if quiet:
        yield lambda _stage, _done, _total: None
    elif sys.stderr.isatty():
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
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks or bar.tasks[tasks[stage]].finished:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done)

        yield report


def _plain_lines(every_s: float = 15.0) -> Report:
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
        if done not in (0, total) and now - last < every_s:
            return
        last = now
        elapsed = now - started.setdefault(stage, now)
        left = ""
        if 1 < done < total:
            left = f", about {(now - first[stage]) / (done - 1) * (total - done):.0f} s left"
        print(f"{stage}: {done}/{total} ({elapsed:.0f} s{left})", file=sys.stderr, flush=True)

    return report


def plan(experiment: Experiment) -> list[list[Cell]]:
    """All cells of an experiment, in groups that must follow one another."""
    members = range(experiment.config.models)
    starts = sorted({experiment.start(member) for member in members})
    trained = (ORIGINAL, RETRAINED)
    relearning = experiment.attacks_with("relearn")
    untrained = [UNTRAINED] if experiment.attacks_with("untrained") else []
    prepared = [label for label, plugin in experiment.methods.items() if plugin().prepares()]
    if experiment.before:  # it was prepared when the originals were trained
        prepared = []
    return [
        [Cell("train", row, i) for row in trained for i in members],
        [Cell("prepare", row, i) for row in prepared for i in starts],
        [Cell("unlearn", row, i) for row in experiment.methods for i in members],
        [Cell("predict", row, i) for row in experiment.rows for i in members],
        [Cell("untrained", row, i) for row in untrained for i in members],
        [
            Cell("relearn", row, i, a)
            for a in relearning
            for row in experiment.rows
            for i in members
        ],
    ]
