"""Which method is better, and do the data support it? Pairs of methods, and ranks with ties.

Two methods unlearned the same originals, so they are compared over the same models. For each
readout, a method's loss is how far it is from where it should be: |gap to the target|, or the gap
itself where low (minus it where high) is better. The difference of two losses has the standard
error of the paired bootstrap over models (for numbers that only a population has, the paired
jackknife), and p by Student's t with N - 1 degrees of freedom. Over all pairs of a readout p is
corrected as S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979. A method's rank
is 1 + the number of methods that are better at the 5 % level: methods with equal ranks do not
differ significantly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from bench import seeds
from bench.plugins.intervals import FEWEST, bootstrap_weights
from bench.plugins.outputs import Readout, Replicates, Score
from bench.results.finished import LEVEL, Comparison, Scored, method_rows


@dataclass(frozen=True)
class Gap:
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


def compare(run: Scored, readouts: Iterable[Readout] | None = None) -> list[Comparison]:
    """All pairs of methods on these readouts, by default all, of the rows that lost no model."""
    pairs = []
    for readout in run.scores_of.readouts if readouts is None else readouts:
        pairs += holm(differences(readout, gaps(run, readout)))
    return pairs


def gaps(run: Scored, readout: Readout) -> dict[str, Gap]:
    """The gap of each method that has all models, where something is known beyond its value."""
    config = run.record["config"]
    count = config["models"]
    scores = {s.row: s for s in run.scores_of.scores if s.readout == readout.name}
    replicates = {one.row: one for one in run.scores_of.replicates if one.readout == readout.name}
    rng = seeds.numpy_rng(config["seed"], "compare", readout.name)
    weights = bootstrap_weights(rng, count) if count >= FEWEST else np.empty((0, count))
    most = max((score.count for score in scores.values()), default=0)
    known = {}
    for row in method_rows(run):
        score = scores.get(row)
        if score is None or score.count < max(most, FEWEST):
            continue
        gap = _gap(score, replicates.get(row), weights)
        if gap is not None:
            known[row] = gap
    return known


def _gap(score: Score, replicates: Replicates | None, weights: np.ndarray) -> Gap | None:
    if score.gap is None or score.target is None:
        return None
    if len(score.gaps) == weights.shape[1]:
        return Gap(score.gap, weights @ np.array(score.gaps), False, score.count)
    if replicates is None or not np.isfinite(replicates.values).all():
        return None
    drawn = replicates.values.astype(np.float64) - score.target
    return Gap(score.gap, drawn, replicates.kind == "jackknife", score.count)


def differences(readout: Readout, rows: Mapping[str, Gap]) -> list[Comparison]:
    """All pairs' differences of losses, with interval and p not yet corrected."""
    losses = {row: gap.loss(readout) for row, gap in rows.items()}
    pairs, names = [], list(rows)
    for place, first in enumerate(names[:-1]):
        seconds = names[place + 1 :]
        centre, drawn = losses[first]
        distances = centre - np.array([losses[name][0] for name in seconds])
        replicates = drawn - np.array([losses[name][1] for name in seconds])
        error, degrees = _errors(replicates, rows[first])
        half = stats.t.ppf(1 - LEVEL / 2, degrees) * error
        ps = p_values(distances, error, degrees)
        columns = zip(seconds, distances, distances - half, distances + half, ps, ps, strict=True)
        pairs += [
            Comparison(readout.name, first, second, *map(float, numbers))
            for second, *numbers in columns
        ]
    return pairs


def _errors(drawn: np.ndarray, gap: Gap) -> tuple[np.ndarray, int]:
    """Standard errors of differences over their draws [pairs, draws], and degrees of freedom."""
    count = drawn.shape[1]
    if gap.jackknife:  # groups are left out in turn
        squares = ((drawn - drawn.mean(1, keepdims=True)) ** 2).sum(1)
        return np.sqrt((count - 1) / count * squares), count - 1
    return drawn.std(1) * np.sqrt(gap.models / (gap.models - 1)), gap.models - 1


def p_values(distances: np.ndarray, error: np.ndarray, degrees: int) -> np.ndarray:
    """Two-sided p of each difference with its standard error.

    Where every model says the same, the error is 0; p is then that of the sign test.
    """
    ps = np.full(len(distances), 2.0**-degrees)
    sure = error <= 1e-12 * np.abs(distances)
    ps[~sure] = 2 * stats.t.sf(np.abs(distances[~sure]) / error[~sure], degrees)
    ps[distances == 0] = 1.0
    return ps


def holm(pairs: list[Comparison]) -> list[Comparison]:
    """The same comparisons with p corrected for their number."""
    corrected, largest = {}, 0.0
    for place, index in enumerate(np.argsort([pair.p for pair in pairs], kind="stable")):
        largest = max(largest, min(1.0, (len(pairs) - place) * pairs[index].p))
        corrected[index] = largest
    return [replace(pair, p_holm=corrected[index]) for index, pair in enumerate(pairs)]


def bold_rows(pairs: Iterable[Comparison]) -> dict[str, set[str]]:
    """Per readout the rows that may be set in bold.

    Such a row is better than some method and worse than none. If a row that may not be bold has a
    value nearer to the target, no row behind it is bold either.
    """
    by_readout: dict[str, list[Comparison]] = {}
    for pair in pairs:
        by_readout.setdefault(pair.readout, []).append(pair)
    return {readout: _best(of_readout) for readout, of_readout in by_readout.items()}


def _best(pairs: list[Comparison]) -> set[str]:
    won = {pair.better for pair in pairs if pair.better is not None}
    lost = {
        row
        for pair in pairs
        if pair.better is not None
        for row in (pair.first, pair.second)
        if row != pair.better
    }
    best = won - lost
    nearer = [
        (pair.first, pair.second) if pair.difference < 0 else (pair.second, pair.first)
        for pair in pairs
        if pair.difference
    ]
    while dimmed := {far for near, far in nearer if far in best and near not in best}:
        best -= dimmed
    return best


def ranks(run: Scored, pairs: Iterable[Comparison]) -> pd.DataFrame:
    """Rank of each method (rows) on each readout (columns, by name); missing if not compared."""
    ranked: dict[str, dict[str, int]] = {r.name: {} for r in run.scores_of.readouts}
    for pair in pairs:
        of_readout = ranked[pair.readout]
        for row in (pair.first, pair.second):
            lost = pair.better is not None and pair.better != row
            of_readout[row] = of_readout.get(row, 1) + lost
    columns = {name: pd.Series(rows, dtype=object) for name, rows in ranked.items()}  # not 1.0
    return pd.DataFrame(columns, index=method_rows(run)).dropna(axis=1, how="all")


def as_table(pairs: Iterable[Comparison]) -> pd.DataFrame:
    """One line per readout and pair; ``better`` is empty where the data do not say.

    ``distance``: from the target. The interval is not corrected for the number of pairs, p_holm is.
    """
    columns = [*Comparison.__dataclass_fields__, "better"]
    lines = [{**vars(pair), "better": pair.better or ""} for pair in pairs]
    table = pd.DataFrame(lines, columns=columns)
    return table.rename(columns={"difference": "distance_first_minus_second"})
