"""Execute: make one cell and store it, the same way in every process and on every machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from bench.config.schema import Config
from bench.engine.graph import load_stages, open_context
from bench.stages.cell import Cell, CellFailedError
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks, warm_up
from bench.storage.provenance import versions
from bench.training.devices import one_thread
from bench.training.memory import give_back, keep_freed

log = logging.getLogger(__name__)


def execute(context: Context, cell: Cell, alone: bool) -> None:
    """Make one cell in this process and store it.

    ``alone``: nothing else runs on the machine, so its wall time is taken.
    """
    keep_freed()
    with one_thread():
        if alone:
            context.once(warm_up)
        make_and_store(context, cell, alone)
    give_back()  # between cells nothing is kept, or an idle worker would seem to leak


def is_made(context: Context, cell: Cell) -> bool:
    """Whether a cell is stored, with its time where the configuration wants that taken."""
    if not context.has(cell):
        return False
    is_timed = context.stages[cell.stage].timed and cell.member < context.config.timed
    return not is_timed or context.record(cell)["cost"]["time_s"] is not None


def make_and_store(context: Context, cell: Cell, alone: bool = False) -> None:
    """Make one cell and store what comes of it, or the reason why it failed.

    Of a cell that is stored already, only the costs are new: other cells were made of its weights.
    """
    key, stage = context.key(cell), context.stages[cell.stage]
    is_stored = context.has(cell)
    try:
        with nullcontext() if stage.reads_outputs_only else _network(context):
            artefact = stage.make(context, cell, alone)
    except CellFailedError as failure:
        if is_stored:
            log.warning(f"{cell} is stored, but could not be timed: {failure}")
        else:
            context.store.write_failure(cell.stage, key, failure.record)
        return
    record = {**artefact.record, "versions": versions()}
    if is_stored:
        context.store.replace_costs(cell.stage, key, record)
    elif artefact.tensors:
        context.store.write_tensors(cell.stage, key, record, artefact.tensors)
    else:
        context.store.write(cell.stage, key, record, **artefact.arrays)


@contextmanager
def _network(context: Context) -> Iterator[None]:
    """Run a user's own network, which must neither raise nor leave the process changed."""
    with context.model.guarded(only_own=True), context.model.watched():
        yield


def execute_in_worker(config: Config, token: str, cell: Cell, alone: bool) -> Cell:
    """Make one cell in a worker process, which keeps the context for the next one."""
    execute(remembered_context(config, token), cell, alone)
    return cell


def work_apart(context: Context, stage: Stage) -> Callable[[Cell, bool], tuple[Any, ...]]:
    """What a process of one row is asked to do for a cell: a function with its arguments."""
    if stage.reads_outputs_only:
        known = context.config, dict(context.keys), context.method_labels
        return lambda cell, _alone: (execute_stored, *known, context.key(cell), cell)
    settled = context.once(Networks).settled_config, context.token

    def work(cell: Cell, alone: bool) -> tuple[Any, ...]:
        keys = {each: context.key(each) for each in (cell, *context.inputs(cell))}
        return execute_apart, *settled, keys, cell, alone

    return work


def execute_apart(
    config: Config, token: str, keys: Mapping[Cell, str], cell: Cell, alone: bool
) -> None:
    """Make one cell in a process of its row, under the keys that the main process computed."""
    context = remembered_context(config, token)
    context.adopt(keys)
    execute(context, cell, alone)


def execute_stored(
    config: Config, keys: Mapping[Cell, str], methods: Sequence[str], key: str, cell: Cell
) -> None:
    """Make a cell from stored outputs in a worker process, without data set or methods."""
    keep_freed()
    context = Context(config, load_stages(), {**keys, cell: key}, methods)
    make_and_store(context, cell)


def remembered_context(config: Config, token: str) -> Context:
    """The context of a configuration, built once in a process that makes many of its cells.

    ``token`` is that of the context which asks: where code or data changed since, a new context is
    built.
    """
    return _context(config.model_dump_json(), token)


@lru_cache(maxsize=2)
def _context(config_json: str, _token: str) -> Context:
    return open_context(Config.model_validate_json(config_json))
