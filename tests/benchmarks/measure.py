"""What the benchmarks share: rows of numbers with n and spread, and how they are printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.storage.provenance import provenance


@dataclass(frozen=True)
class Row:
    """One number of a benchmark: minimum, median and maximum over ``n`` measurements."""

    part: str
    what: str
    unit: str
    minimum: float
    median: float
    maximum: float
    n: int

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def row(part: str, what: str, unit: str, values: Sequence[float]) -> Row:
    """The row of some measurements."""
    low, middle, high = (float(value) for value in np.quantile(values, [0, 0.5, 1]))
    return Row(part, what, unit, low, middle, high, len(values))


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of ``work``."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine() -> dict[str, Any]:
    """What the numbers depend on, besides the code."""
    found = provenance("cpu")
    libraries = {name: found["libraries"][name] for name in ("torch", "numpy")}
    return {"processor": found["processor"], "cores": found["cores"], **libraries}


HEADER = f"{'part':<9} {'what':<52} {'unit':<8} {'min':>9} {'median':>9} {'max':>9}   n"


def line(found: Row) -> str:
    """A row for a terminal, under HEADER."""
    values = (f"{value:>9.3g}" for value in (found.minimum, found.median, found.maximum))
    return f"{found.part:<9} {found.what:<52} {found.unit:<8} {' '.join(values)} {found.n:>3}"


def markdown(found: Row) -> str:
    """A row of the README's table."""
    spread = f"{found.minimum:.3g} to {found.maximum:.3g}" if found.n > 1 else ""
    value = f"{found.median:.3g} {found.unit}".rstrip()
    return f"| {found.what} | {value} | {spread} | {found.n} |"
