"""What tables and reports read of a finished run, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.plugins.outputs import Scores
from bench.plugins.rows import CONSTANT, ORIGINAL, RETRAIN

LEVEL = 0.05  # of significance


@dataclass(frozen=True)
class Comparison:
    """Two methods on one readout: the first one's loss minus the second's, and what supports it."""

    readout: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def better(self) -> str | None:
        """The method that the data support, if any."""
        if self.p_holm >= LEVEL or self.difference == 0:
            return None
        return self.first if self.difference < 0 else self.second


class Scored(Protocol):
    """The little that tables need: a run's record and its scores."""

    @property
    def record(self) -> dict[str, Any]:
        """What ``run.json`` holds."""

    @property
    def scores_of(self) -> Scores:
        """The scores of all attacks."""


class Finished(Scored, Protocol):
    """All that a report needs: the run also has a folder, images, comparisons and requests."""

    @property
    def folder(self) -> Path:
        """Where the run lies."""

    @property
    def extras(self) -> Mapping[str, np.ndarray]:
        """What is shown beside scores, as ``bench.results.extras`` names it."""

    @property
    def compared(self) -> list[Comparison]:
        """Every pair of methods on every readout."""

    @property
    def requests(self) -> Sequence[Finished]:
        """One run for each of several requests, or the run alone."""


def method_rows(run: Scored) -> list[str]:
    """The methods that are compared, in the order of the configuration."""
    return [row for row in run.record["rows"] if row != RETRAIN]


def row_order(run: Scored) -> list[str]:
    """All rows of a table: original and retrain first, the constant predictor last."""
    return [ORIGINAL, RETRAIN, *method_rows(run), CONSTANT]
