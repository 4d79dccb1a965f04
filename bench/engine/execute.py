"""Execute: make one cell and store it, the same way in every process and on every machine."""

from __future__ import annotations

import logging
from functools import lru_cache

from bench.config.schema import Config
from bench.engine.graph import open_context
from bench.stages.cell import Cell, CellFailedError
from bench.stages.context import Context
from bench.stages.networks import warm_up
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
    key, is_stored = context.key(cell), context.has(cell)
    try:
        artefact = context.stages[cell.stage].make(context, cell, alone)
    except CellFailedError as failure:
        if is_stored:
            log.warning(f"{cell} is stored, but could not be timed: {failure}")
        else:
            context.store.write_failure(cell.stage, key, failure.record)
        return
    if is_stored:
        context.store.replace_costs(cell.stage, key, artefact.record)
    elif artefact.tensors:
        context.store.write_tensors(cell.stage, key, artefact.record, artefact.tensors)
    else:
        context.store.write(cell.stage, key, artefact.record, **artefact.arrays)


def execute_in_worker(config: Config, token: str, cell: Cell, alone: bool) -> Cell:
    """Make one cell in a worker process, which keeps the context for the next one."""
    execute(remembered_context(config, token), cell, alone)
    return cell


def remembered_context(config: Config, token: str) -> Context:
    """The context of a configuration, built once in a process that makes many of its cells.

    ``token`` is that of the context which asks: where code or data changed since, a new context is
    built.
    """
    return _context(config.model_dump_json(), token)


@lru_cache(maxsize=2)
def _context(config_json: str, _token: str) -> Context:
    return open_context(Config.model_validate_json(config_json))
