"""What the benchmarks share: numbers with n and spread, and how to print them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


def row(part: str, what: str, unit: str, values: Sequence[float] | np.ndarray) -> Row:
    """The row of these measurements."""
    low, middle, high = (float(value) for value in np.quantile(values, [0, 0.5, 1]))
    return Row(part, what, unit, low, middle, high, len(values))


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of ``work``."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def machine() -> dict[str, Any]:
    """What the numbers depend on, besides the code."""
    here = provenance("cpu")
    libraries = {name: here["libraries"][name] for name in ("torch", "numpy")}
    return {"processor": here["processor"], "cores": here["cores"], **libraries}


HEADER = f"{'part':<9} {'what':<52} {'unit':<8} {'min':>9} {'median':>9} {'max':>9}   n"


def line(number: Row) -> str:
    """A row for a terminal, under HEADER."""
    values = (f"{value:>9.3g}" for value in (number.minimum, number.median, number.maximum))
    return f"{number.part:<9} {number.what:<52} {number.unit:<8} {' '.join(values)} {number.n:>3}"
