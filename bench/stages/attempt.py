"""What a method's own code raises becomes a failure of its cell, and stops no other."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.errors import ContractError, UserError
from bench.outside import shown
from bench.plugins.chosen import Plugin
from bench.plugins.interrupts import is_interrupt
from bench.stages.cell import Cell, CellFailedError

LONGEST = 1000  # characters of a reason


@contextmanager
def attempt(cell: Cell, plugin: Plugin) -> Iterator[None]:
    """Turn whatever the body raises into a CellFailedError with the reason and the traceback.

    A plugin that is not ours must also leave the process as it found it. The user's Ctrl-C goes on.
    """
    try:
        with plugin.watched():
            yield
    except CellFailedError:
        raise
    except BaseException as error:
        if is_interrupt(error):
            raise
        known = isinstance(error, (ContractError, UserError))
        parts = [] if known else [type(error).__name__]
        reason = ": ".join(filter(None, [*parts, str(error).partition("\n")[0]]))
        trace = "".join(traceback.format_exception(error))
        raise CellFailedError(failure(cell, reason, trace)) from error


def failure(cell: Cell, reason: str, trace: str = "") -> dict[str, Any]:
    """The record of a cell that failed."""
    return {
        "method": cell.row,
        "member": cell.member,
        "stage": cell.stage,
        "request": cell.request,
        "reason": shown(reason, LONGEST),
        "traceback": trace,
    }
