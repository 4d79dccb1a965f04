"""Cells on other machines: a dask scheduler hands them to its workers, and to others if one dies.

A worker that can read the submitting run's claim on a cell sees the same store, by whatever path,
and works in it like a local process. Any other worker keeps a store of its own in a temporary
folder: it is sent the artefacts that a cell needs, as packed files with their checksums, and sends
back what it made, which the submitting side writes. Data sets are not sent: each worker reads its
own copy, and a worker whose data, plugins or version differ would make artefacts with other keys
and is refused.

Why not through joblib's dask backend: joblib (1.6) never notices that dask gave a task up, after
several workers died of it or where a worker cannot import the package, and waits for ever.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.schema import Config
from bench.errors import UserError
from bench.stages.context import ORIGINAL, RETRAINED, Cell, Experiment, remembered
from bench.storage.store import Packed, Store

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

Name = tuple[str, str]  # kind and key of an artefact
SECONDS_TO_CONNECT = 10
SECONDS_TO_LOOK, SECONDS_TO_POLL = 5.0, 0.02  # whether workers are left, or cells are finished
AHEAD = 2  # cells that are handed out for each that runs
KEPT = {"split", "features"}  # what many cells need; a worker keeps it


@dataclass(frozen=True)
class Order:
    """All that a worker must know to make one cell."""

    run: str
    config: Config
    plugins: list[tuple[str, str]]  # file name, source
    token: str
    request: int | None
    cell: Cell
    alone: bool
    name: Name
    mark: bytes  # what the claim says, for who can read it
    needs: list[Name]
    given: dict[Name, Packed] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What came of an order: lacking artefacts, or what was made (None: it is in the store)."""

    lacking: list[Name] = field(default_factory=list)
    made: Packed | None = None


def check_backend(config: Config) -> None:
    """Raise UserError where what the configuration says of a cluster cannot be meant."""
    if config.backend == "local":
        if config.scheduler is not None:
            raise UserError("scheduler is for backend = dask: add --backend dask")
        return
    if config.scheduler is None:
        raise UserError("backend = dask needs --scheduler ADDRESS, for example tcp://host:8786")
    if find_spec("distributed") is None:
        raise UserError("backend = dask needs dask: pip install distributed")


@contextmanager
def connected(config: Config) -> Iterator[Cluster | None]:
    """The cluster that the configuration names; None where cells are made on this machine."""
    check_backend(config)
    if config.scheduler is None:
        yield None
        return
    import logging

    import dask
    from distributed import Client
    from distributed.comm import resolve_address

    quiet = {"distributed.admin.large-graph-warning-threshold": "1TB"}  # artefacts are large
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # told in our own words
    with dask.config.set(quiet):
        try:
            resolve_address(config.scheduler)
            client = Client(config.scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"scheduler = {config.scheduler}: no dask scheduler answers there; start one with "
                "'dask scheduler' and name the address that it prints"
            ) from error
        with client:
            yield Cluster(client)


class Cluster:
    """A connection to a dask scheduler, for one run."""

    def __init__(self, client: Client):
        self.client = client
        self.run = uuid.uuid4().hex
        self.sends = False  # whether there are workers that do not see the store

    @property
    def address(self) -> str:
        return self.client.scheduler.address

    def make(
        self,
        experiment: Experiment,
        cells: Iterator[Cell],
        alone: bool,
        mark: Callable[[Cell], bytes],
    ) -> Iterator[Cell]:
        """Make all ``cells``, each of which is claimed when it is drawn; yields finished ones."""
        from distributed import as_completed

        orders: dict[Future, Order] = {}
        base = _base_order(self.run, experiment, alone)
        finished = as_completed(loop=self.client.loop)

        def submit(order: Order) -> None:  # to any: dask (2026.8) forgets pinned tasks of the dead
            future = self.client.submit(work, order, pure=False)
            orders[future] = order
            finished.add(future)

        def refill() -> None:
            threads = sum(self.client.ncores().values())
            while len(orders) < AHEAD * max(1, threads):
                cell = next(cells, None)
                if cell is None:
                    return
                submit(self._order(base, experiment, cell, mark(cell)))

        try:
            refill()
            for future in self._as_they_come(finished):
                order = orders.pop(future)
                reply = self._result(future, order)
                if reply.lacking:
                    self.sends = True
                    submit(_with(order, experiment.store, reply.lacking))
                    continue
                if reply.made is not None:
                    _receive(experiment, order, reply.made)
                yield order.cell
                refill()
        finally:
            self.client.cancel(list(orders))

    def _as_they_come(self, finished: as_completed) -> Iterator[Future]:
        """The finished ones; says once when there is nobody to work on the others, and waits."""
        alone, look_at = False, 0.0
        while not finished.is_empty():
            if finished.has_ready():
                yield next(finished)
                continue
            now = time.monotonic()
            if now >= look_at:
                was_alone, alone = alone, self._has_no_worker()
                look_at = now + SECONDS_TO_LOOK
                if alone and not was_alone:
                    _say(f"no worker: waiting; start some with 'dask worker {self.address}'")
                elif was_alone and not alone:
                    _say("workers are there, going on")
            time.sleep(SECONDS_TO_POLL)

    def _has_no_worker(self) -> bool:
        try:
            return not self.client.ncores()
        except OSError:  # a lost scheduler is told of by what was handed to it
            return False

    def _order(self, base: Order, experiment: Experiment, cell: Cell, mark: bytes) -> Order:
        wanted = needs(experiment, cell)
        name = cell.stage, experiment.key(cell)
        order = replace(base, cell=cell, name=name, mark=mark, needs=wanted)
        if self.sends:
            order = _with(order, experiment.store, [n for n in wanted if n[0] not in KEPT])
        return order

    def _result(self, future: Future, order: Order) -> Reply:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        what = f"{order.cell.stage} of {order.cell.row} {order.cell.member}"
        try:
            return future.result()
        except KilledWorker as error:
            raise UserError(
                f"{what}: every worker that tried died (of lack of memory?); see the workers' "
                "logs, then repeat the command to go on"
            ) from error
        except CancelledError as error:
            raise UserError(
                f"lost the scheduler {self.address}: start it again and repeat the command to go on"
            ) from error
        except ModuleNotFoundError as error:
            raise UserError(
                f"a worker cannot import {error.name}: install unlearning-bench on all of them, in "
                "the same version as here"
            ) from error


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _base_order(run: str, experiment: Experiment, alone: bool) -> Order:
    config = experiment.config
    here = {
        "out": str(Path(config.out).resolve()),
        "plugins": [str(Path(file).resolve()) for file in config.plugins],
    }
    sources = [(Path(file).name, Path(file).read_text("utf-8")) for file in config.plugins]
    told = experiment.told.model_copy(update=here)
    cell = Cell("", "", 0)
    rest = {"name": ("", ""), "mark": b"", "needs": []}
    return Order(
        run, told, sources, experiment.token, experiment.request, cell, alone=alone, **rest
    )


def _with(order: Order, store: Store, names: Iterable[Name]) -> Order:
    return replace(order, given=order.given | {name: store.pack(*name) for name in names})


def _receive(experiment: Experiment, order: Order, made: Packed) -> None:
    experiment.store.unpack(*_target(experiment, order.cell, made), made)


def _target(experiment: Experiment, cell: Cell, made: Packed) -> Name:
    """Where a packed outcome goes: why something could not be prepared stands with its method."""
    stage = cell.stage if ".json" in made else "unlearn"
    return stage, experiment.key(replace(cell, stage=stage))


def needs(experiment: Experiment, cell: Cell) -> list[Name]:
    """The artefacts that making ``cell`` reads."""
    found = {("split", experiment.split.key): None}
    if experiment.frozen and cell.stage != "features":
        from bench.stages.features import cells as feature_cells

        found |= {("features", experiment.key(piece)): None for piece in feature_cells(experiment)}
    for step, source in _sources(experiment, cell):
        found[(source.stage, step.key(source))] = None
    return list(found)


def _sources(experiment: Experiment, cell: Cell) -> Iterator[tuple[Experiment, Cell]]:
    """The cells whose outcome ``cell`` starts from, each with the request that it belongs to."""
    original = Cell("train", ORIGINAL, experiment.start(cell.member))
    stage = "train" if cell.row in (ORIGINAL, RETRAINED) else "unlearn"
    if cell.stage in ("predict", "relearn"):
        yield experiment, Cell(stage, cell.row, cell.member)
    if cell.stage in ("prepare", "relearn"):
        yield (
            experiment,
            replace(original, member=cell.member) if (cell.stage == "prepare") else original,
        )
    if cell.stage == "unlearn":
        yield experiment, original
        for step in experiment.history[:-1]:
            yield step, cell
        if experiment.methods[cell.row]().prepares():
            yield experiment, replace(original, stage="prepare", row=cell.row)


# On the worker ------------------------------------------------------------------------------------

_one_at_a_time = threading.Lock()  # random state and torch's threads belong to the whole process


def work(order: Order) -> Reply:
    """Make the cell of an order, in the store if it is seen from here, else in one of our own."""
    from bench.engine.local import make, one_thread

    with _one_at_a_time, one_thread():
        if _sees_store(order):
            experiment = _experiment(order, order.config)
            if not experiment.has(order.cell):  # who made it may have died before saying so
                make(experiment, order.cell, order.alone)
            return Reply()
        home = _own_folder(order.run)
        store = Store(home / "store")
        for name, packed in order.given.items():
            store.unpack(*name, packed)
        try:
            lacking = [name for name in order.needs if not store.has(*name)]
            return Reply(lacking) if lacking else _made_apart(order, home)
        finally:
            for name in [*order.given, order.name]:
                if name[0] not in KEPT:
                    store.drop(*name)


def _made_apart(order: Order, home: Path) -> Reply:
    from bench.engine.local import make

    config = order.config.model_copy(
        update={"out": str(home), "plugins": _write_plugins(order.plugins, home)}
    )
    experiment = _experiment(order, config)
    make(experiment, order.cell, order.alone)
    store = experiment.store
    made = store.pack(*order.name)
    if not made:
        made = store.pack(*_target(experiment, order.cell, {}))
    return Reply(made=made)


def _sees_store(order: Order) -> bool:
    claim = Store(Path(order.config.out) / "store").claim_path(*order.name)
    try:
        return claim.read_bytes() == order.mark
    except OSError:
        return False


def _experiment(order: Order, config: Config) -> Experiment:
    experiment = remembered(config, order.token, order.request)
    if experiment.token != order.token or experiment.key(order.cell) != order.name[1]:
        from bench.storage.locks import host

        raise UserError(
            f"the worker on {host().split()[0]} has other data, other plugins or another version "
            "than this machine: make them the same"
        )
    return experiment


def _write_plugins(sources: list[tuple[str, str]], home: Path) -> list[str]:
    files = []
    for number, (name, source) in enumerate(sources):
        files.append(home / "plugins" / str(number) / name)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        files[-1].write_text(source, "utf-8")
    return [str(file) for file in files]


@cache
def _temporary(_run: str) -> Any:
    from distributed import get_worker

    return tempfile.TemporaryDirectory(prefix="bench-", dir=get_worker().local_directory)


def _own_folder(run: str) -> Path:
    """A folder of this process for one run; it goes with the process or with dask's own."""
    return Path(_temporary(run).name)
