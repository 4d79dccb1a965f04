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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from bench import seeds
from bench.attacks.shared.intervals import FEWEST, bootstrap_weights
from bench.plugins.outputs import Readout, Score

if TYPE_CHECKING:
    from bench.results.run import Run

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


def compare(run: Run, readouts: Iterable[Readout] | None = None) -> list[Comparison]:
    """All pairs of methods on these readouts, by default all, of the rows that lost no model."""
    found = []
    for readout in run.scores_of.readouts if readouts is None else readouts:
        found += holm(differences(readout, replicates(run, readout)))
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


def differences(readout: Readout, rows: Mapping[str, Replicates]) -> list[Comparison]:
    """All pairs' differences of losses, with interval and p not yet corrected."""
    losses = {row: of.loss(readout) for row, of in rows.items()}
    found, names = [], list(rows)
    for place, first in enumerate(names[:-1]):
        centre, drawn = losses[first]
        others = [losses[name] for name in names[place + 1 :]]
        apart = centre - np.array([loss for loss, _ in others])
        error, degrees = _errors(drawn - np.array([of for _, of in others]), rows[first])
        half = stats.t.ppf(1 - LEVEL / 2, degrees) * error
        ps = p_values(apart, error, degrees)
        found += [
            Comparison(readout.name, first, second, *map(float, numbers))
            for second, *numbers in zip(
                names[place + 1 :], apart, apart - half, apart + half, ps, ps, strict=True
            )
        ]
    return found


def _errors(drawn: np.ndarray, of: Replicates) -> tuple[np.ndarray, int]:
    """Standard errors of differences over their draws [pairs, draws], and degrees of freedom."""
    count = drawn.shape[1]
    if of.jackknife:  # groups are left out in turn
        squares = ((drawn - drawn.mean(1, keepdims=True)) ** 2).sum(1)
        return np.sqrt((count - 1) / count * squares), count - 1
    return drawn.std(1) * np.sqrt(of.models / (of.models - 1)), of.models - 1


def p_values(apart: np.ndarray, error: np.ndarray, degrees: int) -> np.ndarray:
    """Two-sided p of each difference with its standard error.

    Where every model says the same, the error is 0; p is then that of the sign test.
    """
    found = np.full(len(apart), 2.0**-degrees)
    sure = error <= 1e-12 * np.abs(apart)
    found[~sure] = 2 * stats.t.sf(np.abs(apart[~sure]) / error[~sure], degrees)
    found[apart == 0] = 1.0
    return found


def holm(pairs: list[Comparison]) -> list[Comparison]:
    """The same comparisons with p corrected for their number."""
    corrected, largest = {}, 0.0
    for place, index in enumerate(np.argsort([pair.p for pair in pairs], kind="stable")):
        largest = max(largest, min(1.0, (len(pairs) - place) * pairs[index].p))
        corrected[index] = largest
    return [replace(pair, p_holm=corrected[index]) for index, pair in enumerate(pairs)]


def ranks(run: Run, comparisons: list[Comparison]) -> pd.DataFrame:
    """Rank of each method (rows) on each readout (columns, by name); missing if not compared."""
    methods = [row for row in run.record["rows"] if row != "retrain"]
    found: dict[str, dict[str, int]] = {r.name: {} for r in run.scores_of.readouts}
    for pair in comparisons:
        ranked = found[pair.readout]
        for row in (pair.first, pair.second):
            lost = pair.better is not None and pair.better != row
            ranked[row] = ranked.get(row, 1) + lost
    whole = {name: pd.Series(ranked, dtype=object) for name, ranked in found.items()}  # not 1.0
    table = pd.DataFrame(whole, index=methods)
    return table.dropna(axis=1, how="all")


def as_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """One line per readout and pair; ``better`` is empty where the data do not say.

    ``distance``: from the target. The interval is not corrected for the number of pairs, p_holm is.
    """
    columns = [*Comparison.__dataclass_fields__, "better"]
    lines = [{**vars(pair), "better": pair.better or ""} for pair in comparisons]
    table = pd.DataFrame(lines, columns=columns)
    return table.rename(columns={"difference": "distance_first_minus_second"})
