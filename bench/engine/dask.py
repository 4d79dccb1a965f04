"""Cells on other machines: a dask scheduler hands them to its workers, and to others if one dies.

A worker that can read the submitting run's lock on a cell sees the same store, by whatever path,
and works in it like a local process. Any other worker keeps a store of its own in a temporary
folder: it is sent the artefacts that a cell reads, as packed files with their checksums, and sends
back what it made, which the submitting side writes. Data sets are not sent: each worker reads its
own copy, and a worker whose data, plugins or version differ would make artefacts with other keys
and is refused.

Why not through joblib's dask backend: joblib (1.6) never notices that dask gave a task up, after
several workers died of it or where a worker cannot import the package, and waits for ever.
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.schema import Config
from bench.engine.execute import execute, is_made, remembered_context
from bench.engine.graph import load_stages
from bench.errors import UserError
from bench.plugins.own_code import own_code
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.storage.locks import host
from bench.storage.store import Packed, Store

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

log = logging.getLogger(__name__)
ArtefactId = tuple[str, str]  # kind and key of an artefact
SECONDS_TO_CONNECT = 10
SECONDS_TO_LOOK, SECONDS_TO_POLL = 5.0, 0.02  # whether workers are left, or cells are finished
QUEUED_PER_THREAD = 2  # cells that are handed out for each that runs


@dataclass(frozen=True)
class Order:
    """All that a worker must know to make one cell."""

    run: str
    config: Config
    plugins: list[dict[str, str]]  # of each the sources of its files by name, its own file first
    token: str
    cell: Cell
    alone: bool
    artefact: ArtefactId
    lock_content: bytes  # what the lock file says, for a worker that can read it
    inputs: list[ArtefactId]
    sent: dict[ArtefactId, Packed] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """The answer to an order: missing artefacts, or what was made (None: it is in the store)."""

    missing: list[ArtefactId] = field(default_factory=list)
    made: Packed | None = None


@contextmanager
def connected(config: Config) -> Iterator[Cluster | None]:
    """The cluster that the configuration names; None where cells are made on this machine."""
    if config.scheduler is None:
        yield None
        return
    import dask
    from distributed import Client
    from distributed.comm import resolve_address

    quiet = {"distributed.admin.large-graph-warning-threshold": "1TB"}  # artefacts are large
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # we print our own message
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
        scheduler = self.client.scheduler
        return "" if scheduler is None else str(scheduler.address)

    def make(self, context: Context, cells: Iterator[Cell], alone: bool) -> Iterator[Cell]:
        """Make all ``cells``, each of which is locked when it is drawn; yields finished ones."""
        from distributed import as_completed

        orders: dict[Future, Order] = {}
        prepare = self._orders(context, alone)
        finished = as_completed(loop=self.client.loop)

        def submit(order: Order) -> None:  # dask 2026.8 loses tasks pinned to a dead worker
            future = self.client.submit(make_on_worker, order, pure=False)
            orders[future] = order
            finished.add(future)

        def refill() -> None:
            threads = sum(self.client.ncores().values())
            while len(orders) < QUEUED_PER_THREAD * max(1, threads):
                cell = next(cells, None)
                if cell is None:
                    return
                submit(prepare(cell))

        try:
            refill()
            for future in self.wait_for(finished):
                order = orders.pop(future)
                reply = self._result(future, order)
                if reply.missing:
                    self.sends = True
                    submit(_add_artefacts(order, context.store, reply.missing))
                    continue
                if reply.made is not None:
                    _keep(context, order, reply.made)
                yield order.cell
                refill()
        finally:
            self.client.cancel(list(orders))

    def wait_for(self, finished: as_completed) -> Iterator[Future]:
        """The finished ones; warns when the last worker is gone and when workers are back."""
        is_idle, look_at = False, 0.0
        while not finished.is_empty():
            if finished.has_ready():
                yield next(finished)
                continue
            now = time.monotonic()
            if now >= look_at:
                was_idle, is_idle = is_idle, self._has_no_worker()
                look_at = now + SECONDS_TO_LOOK
                if is_idle and not was_idle:
                    log.warning(f"no worker: waiting; start some with 'dask worker {self.address}'")
                elif was_idle and not is_idle:
                    log.warning("workers are there, going on")
            time.sleep(SECONDS_TO_POLL)

    def _has_no_worker(self) -> bool:
        try:
            return not self.client.ncores()
        except OSError:  # the futures report a lost scheduler
            return False

    def _orders(self, context: Context, alone: bool) -> Callable[[Cell], Order]:
        """A function that writes the order for a locked cell."""
        config = context.once(Networks).settled_config
        here = {
            "out": str(Path(config.out).resolve()),
            "plugins": [str(Path(file).resolve()) for file in config.plugins],
        }
        sources = [own_code(Path(file)).portable() for file in config.plugins]
        config, token = config.model_copy(update=here), context.token

        def order(cell: Cell) -> Order:
            name = cell.stage, context.key(cell)
            lock_content = context.store.lock_path(*name).read_bytes()
            inputs = [(source.stage, context.key(source)) for source in context.inputs(cell)]
            written = Order(
                self.run, config, sources, token, cell, alone, name, lock_content, inputs
            )
            if not self.sends:
                return written
            sent = [source for source in inputs if not _is_kept(source)]
            return _add_artefacts(written, context.store, sent)

        return order

    def _result(self, future: Future, order: Order) -> Reply:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            raise UserError(
                f"{order.cell}: every worker that tried died (of lack of memory?); see the "
                "workers' logs, then repeat the command to go on"
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


def _keep(context: Context, order: Order, made: Packed) -> None:
    """Store what a worker made; of a cell that is stored already, only its costs."""
    if not context.has(order.cell):
        context.store.unpack(*order.artefact, made)
    elif ".json" in made:  # without it, it could not be timed
        context.store.replace_costs(*order.artefact, json.loads(made[".json"]))


def _add_artefacts(order: Order, store: Store, names: Iterable[ArtefactId]) -> Order:
    return replace(order, sent=order.sent | {name: store.pack(*name) for name in names})


def _is_kept(name: ArtefactId) -> bool:
    """Whether workers keep an artefact, since many cells read it."""
    return load_stages()[name[0]].shared


# On the worker ------------------------------------------------------------------------------------

_one_at_a_time = threading.Lock()  # random state and torch's threads belong to the whole process


def make_on_worker(order: Order) -> Reply:
    """Make the cell of an order, in the store if it is visible from here, else in our own."""
    with _one_at_a_time:
        if _sees_store(order):
            context = _context(order, order.config)
            # A worker that died before its reply may have made it.
            if not is_made(context, order.cell):
                execute(context, order.cell, order.alone)
            return Reply()
        home = _own_folder(order.run)
        store = Store(home / "store")
        for name, packed in order.sent.items():
            store.unpack(*name, packed)
        try:
            missing = [name for name in order.inputs if not store.has(*name)]
            if missing:
                return Reply(missing)
            plugins = _write_plugins(order.plugins, home)
            config = order.config.model_copy(update={"out": str(home), "plugins": plugins})
            execute(_context(order, config), order.cell, order.alone)
            return Reply(made=store.pack(*order.artefact))
        finally:
            for name in {*order.sent, order.artefact}:
                if not _is_kept(name):
                    store.drop(*name)


def _sees_store(order: Order) -> bool:
    lock = Store(Path(order.config.out) / "store").lock_path(*order.artefact)
    try:
        return lock.read_bytes() == order.lock_content
    except OSError:
        return False


def _context(order: Order, config: Config) -> Context:
    context = remembered_context(config, order.token)
    if context.token != order.token or context.key(order.cell) != order.artefact[1]:
        raise UserError(
            f"the worker on {host().split()[0]} has other data, other plugins or another version "
            "than this machine: make them the same"
        )
    return context


def _write_plugins(plugins: list[dict[str, str]], home: Path) -> list[str]:
    for number, sources in enumerate(plugins):
        for name, source in sources.items():
            file = home / "plugins" / str(number) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, "utf-8")
    names = [next(iter(sources)) for sources in plugins]
    return [str(home / "plugins" / str(number) / name) for number, name in enumerate(names)]


@cache
def _temporary(_run: str) -> Any:
    from distributed import get_worker

    return tempfile.TemporaryDirectory(prefix="bench-", dir=get_worker().local_directory)


def _own_folder(run: str) -> Path:
    """A folder of this process for one run; it goes with the process or with dask's own."""
    return Path(_temporary(run).name)
