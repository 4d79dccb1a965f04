"""Which method is better, and do the data support it? Pairs of methods, and ranks with ties.

Two methods unlearned the same originals, so they are compared over the same models. For each
readout, a method's loss is how far it is from where it should be: |gap to the target|, or the gap
itself where low (minus it where high) is better. The difference of two losses has the standard
error of the paired bootstrap over models (for numbers that only a population has, the paired
jackknife), and p by Student's t with N - 1 degrees of freedom. Over all pairs of a readout p is
corrected as S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979. A method's rank
is 1 + the number of methods that are better at the 5 % level: equal ranks are not told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from attacks.shared.intervals import FEWEST, bootstrap_weights
from bench import seeds
from bench.outputs import Readout, Score

if TYPE_CHECKING:
    from bench.results import Run

LEVEL = 0.05


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


@dataclass(frozen=True)
class Replicates:
    """A row's gap to its target, and the gap over draws of models (or with groups left out)."""

    centre: float
    drawn: np.ndarray
    jackknife: bool
    models: int

    def loss(self, readout: Readout) -> tuple[float, np.ndarray]:
        """How far from where it should be: the estimate, and over the draws."""
        if readout.better == "target":
            return abs(self.centre), np.abs(self.drawn)
        sign = 1 if readout.better == "low" else -1
        return sign * self.centre, sign * self.drawn


def compare(run: Run) -> list[Comparison]:
    """All pairs of methods on all readouts, of the rows that lost no model."""
    found = []
    for readout in run.scores_of.readouts:
        rows = replicates(run, readout)
        pairs = [
            difference(readout, first, second, rows) for first, second in combinations(rows, 2)
        ]
        found += holm(pairs)
    return found


def replicates(run: Run, readout: Readout) -> dict[str, Replicates]:
    """What is known of each method's gap beyond its value; methods without all models lack."""
    count, curves = run.record["config"]["models"], run.scores_of.curves
    methods = [row for row in run.record["rows"] if row != "retrain"]
    scores = {s.row: s for s in run.scores_of.scores if s.readout == readout.name}
    rng = seeds.numpy_rng(run.record["config"]["seed"], "compare", readout.name)
    weights = bootstrap_weights(rng, count) if count >= FEWEST else np.empty((0, count))
    most = max((score.count for score in scores.values()), default=0)
    found = {}
    for row in methods:
        score = scores.get(row)
        if score is None or score.count < max(most, FEWEST):
            continue
        of_row = _replicates(score, readout, row, curves, weights)
        if of_row is not None:
            found[row] = of_row
    return found


def _replicates(
    score: Score,
    readout: Readout,
    row: str,
    curves: Mapping[str, np.ndarray],
    weights: np.ndarray,
) -> Replicates | None:
    if len(score.gaps) == weights.shape[1]:
        return Replicates(score.gap, weights @ np.array(score.gaps), False, score.count)
    for kind in ("draws", "left_out"):
        drawn = curves.get(f"{row}|{kind}|{readout.name}")
        if drawn is not None and len(drawn) and np.isfinite(drawn).all():
            gaps = drawn.astype(np.float64) - score.target
            return Replicates(score.gap, gaps, kind == "left_out", score.count)
    return None


def difference(
    readout: Readout, first: str, second: str, rows: Mapping[str, Replicates]
) -> Comparison:
    """The difference of two losses, its interval and its p, not yet corrected."""
    (a, drawn_a), (b, drawn_b) = (rows[row].loss(readout) for row in (first, second))
    apart, drawn, of = a - b, drawn_a - drawn_b, rows[first]
    if of.jackknife:  # groups are left out in turn
        degrees = len(drawn) - 1
        error = np.sqrt(degrees / len(drawn) * ((drawn - drawn.mean()) ** 2).sum())
    else:
        degrees = of.models - 1
        error = drawn.std() * np.sqrt(of.models / degrees)
    half = stats.t.ppf(1 - LEVEL / 2, degrees) * error
    p = p_value(apart, error, degrees)
    return Comparison(readout.name, first, second, apart, apart - half, apart + half, p, p)


def p_value(apart: float, error: float, degrees: int) -> float:
    """Two-sided p of ``apart`` with standard error ``error``.

    Where every model says the same, the error is 0; p is then that of the sign test.
    """
    if apart == 0:
        return 1.0
    if error <= 1e-12 * abs(apart):
        return 2.0**-degrees
    return float(2 * stats.t.sf(abs(apart) / error, degrees))


def holm(pairs: list[Comparison]) -> list[Comparison]:
    """The same comparisons with p corrected for their number."""
    corrected, largest = {}, 0.0
    for place, index in enumerate(np.argsort([pair.p for pair in pairs], kind="stable")):
        largest = max(largest, min(1.0, (len(pairs) - place) * pairs[index].p))
        corrected[index] = largest
    return [
        Comparison(**{**asdict(pair), "p_holm": corrected[index]})
        for index, pair in enumerate(pairs)
    ]


def ranks(run: Run, comparisons: list[Comparison]) -> pd.DataFrame:
    """Rank of each method (rows) on each readout (columns, by name); missing if not compared."""
    methods = [row for row in run.record["rows"] if row != "retrain"]
    found = pd.DataFrame(index=methods, columns=[r.name for r in run.scores_of.readouts])
    for pair in comparisons:
        for row in (pair.first, pair.second):
            lost = pair.better is not None and pair.better != row
            before = found.loc[row, pair.readout]
            found.loc[row, pair.readout] = (1 if pd.isna(before) else before) + lost
    return found.dropna(axis=1, how="all")


def as_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """One line per readout and pair; ``better`` is empty where the data do not say.

    ``distance``: from the target. The interval is not corrected for the number of pairs, p_holm is.
    """
    columns = [*Comparison.__dataclass_fields__, "better"]
    lines = [{**asdict(pair), "better": pair.better or ""} for pair in comparisons]
    table = pd.DataFrame(lines, columns=columns)
    return table.rename(columns={"difference": "distance_first_minus_second"})
