"""What a method's own code raises becomes a failure of its cell, and stops no other."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import ContractError, UserError
from bench.stages.cell import Cell, CellFailedError


@contextmanager
def attempt(cell: Cell) -> Iterator[None]:
    """Turn whatever the body raises into a CellFailedError with the reason and the traceback."""
    try:
        yield
    except (Exception, SystemExit) as error:
        known = isinstance(error, (ContractError, UserError))
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        record = {
            "method": cell.row,
            "member": cell.member,
            "stage": cell.stage,
            "request": cell.request,
            "reason": reason.partition("\n")[0],
            "traceback": "".join(traceback.format_exception(error)),
        }
        raise CellFailedError(record) from error
