"""95 % intervals over models: the bootstrap with expanded percentiles, and the jackknife.

The unit that is resampled is a model (or a pair of models), never an example: examples of one model
share its randomness. With few models plain percentiles are too narrow; they are expanded so that
the interval of a mean has Student's width (T. Hesterberg, What Teachers Should Know About the
Bootstrap, The American Statistician 69, 2015, section 5.3). Below three models there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from bench.plugins.outputs import Outputs, Population, Readout, Replicates, Score

DRAWS = 2000
FEWEST = 3
Interval = tuple[float, float] | None


def bootstrap_weights(rng: np.random.Generator, count: int) -> np.ndarray:
    """How often each of ``count`` models is drawn, as shares: float64 [DRAWS, count]."""
    return rng.multinomial(count, np.full(count, 1 / count), size=DRAWS) / count


def interval(samples: np.ndarray, count: int) -> Interval:
    """The expanded-percentile interval of bootstrap ``samples`` of a number over ``count`` models.

    None below three models, or where a sample is not finite.
    """
    if count < FEWEST or not np.isfinite(samples).all():
        return None
    tail = stats.norm.cdf(-np.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1))
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def score_models(
    row: str,
    readout: str,
    values: np.ndarray,
    reference: np.ndarray,
    rng: np.random.Generator,
) -> Score:
    """A number that each model has: its mean over models, and its gap to retraining.

    ``values``: float [m]; ``reference``: float [m], of the retrained model of each one's pair.
    """
    weights = bootstrap_weights(rng, len(values))
    with np.errstate(invalid="ignore"):  # of two infinities
        difference = values - reference
    return Score(
        row=row,
        readout=readout,
        value=float(values.mean()),
        target=float(reference.mean()),
        count=len(values),
        interval=interval(weights @ values, len(values)),
        spread=spread(values),
        gap=float(difference.mean()),
        gap_interval=interval(weights @ difference, len(values)),
        values=tuple(float(value) for value in values),
        gaps=tuple(float(value) for value in difference),
    )


def score_rows(
    outputs: Outputs,
    measure: Callable[[Population], Mapping[str, np.ndarray]],
    rng: Callable[[str], np.random.Generator],
) -> list[Score]:
    """Numbers that each model has, readout by readout, of every row against its retrained pairs.

    ``measure``: readout -> a number of each model of a population, float [m]. ``rng``: the
    generator for the interval of a readout.
    """
    reference = measure(outputs.retrained)
    rows = {row: measure(population) for row, population in outputs.rows.items()}
    return [
        score_models(row, name, rows[row][name], theirs[population.members], rng(name))
        for name, theirs in reference.items()
        for row, population in outputs.rows.items()
    ]


def score_population(
    row: str, readout: str, value: float, target: float, count: int, bounds: Interval
) -> Score:
    """A number that only a population has, such as an AUC over all models' outputs."""
    gap_bounds = None if bounds is None else (bounds[0] - target, bounds[1] - target)
    return Score(
        row=row,
        readout=readout,
        value=float(value),
        target=target,
        count=count,
        interval=bounds,
        gap=float(value) - target,
        gap_interval=gap_bounds,
    )


def lone_models(attack: str, outputs: Outputs) -> list[str]:
    """A note on the rows of a single model, or none; they are named unless it is all of them."""
    lone = [row for row, population in outputs.rows.items() if len(population) < 2]
    named = "" if len(lone) == len(outputs.rows) else f"{', '.join(lone)} "
    return [f"{attack}: {named}not scored, one model has no distribution"] if lone else []


def spread(values: np.ndarray) -> float | None:
    """Standard deviation over models; None for a single one."""
    return float(values.std(ddof=1)) if len(values) > 1 else None


def jackknife(
    statistics: Callable[[np.ndarray], np.ndarray],
    count: int,
    highest: Sequence[float],
    groups: int = 20,
    least: int = 1,
) -> tuple[np.ndarray, list[Interval], np.ndarray]:
    """Statistics, and intervals by leaving groups out where drawing models twice would bias.

    ``statistics`` takes the indices of the models that stay and gives float64 [k], from 0 to
    ``highest`` [k]. Normal theory with Student's quantile, cut off there; None below three models
    or where a value is not finite. Also the statistics with each group left out, [groups, k].
    ``least``: models that the statistics need; where fewer would be left there is no interval.
    """
    everyone = np.arange(count)
    centre = statistics(everyone)
    largest_block = -(-count // min(count, groups))
    if count < FEWEST or count - largest_block < least:
        return centre, [None] * len(centre), np.empty((0, len(centre)))
    blocks = np.array_split(everyone, min(count, groups))
    left_out = np.array([statistics(np.delete(everyone, block)) for block in blocks])
    size = len(blocks)
    with np.errstate(invalid="ignore"):  # of infinities
        error = np.sqrt((size - 1) / size * ((left_out - left_out.mean(0)) ** 2).sum(0))
    half = stats.t.ppf(0.975, size - 1) * error
    return (
        centre,
        [
            (max(float(c - h), 0.0), min(float(c + h), most)) if np.isfinite([c, h]).all() else None
            for c, h, most in zip(centre, half, highest, strict=True)
        ],
        left_out,
    )


def score_jackknife(
    row: str,
    readouts: Sequence[Readout],
    statistics: Callable[[np.ndarray], np.ndarray],
    count: int,
    highest: Sequence[float],
    groups: int = 20,
    least: int = 1,
) -> tuple[list[Score], list[Replicates]]:
    """Numbers that only a population has, by ``jackknife``: scores, and what comparisons need.

    Each readout must have a target of its own.
    """
    values, bounds, left_out = jackknife(statistics, count, highest, groups, least)
    scores = []
    for readout, value, bound in zip(readouts, values, bounds, strict=True):
        if readout.target is None:
            raise ValueError(f"{readout.name} needs a target of its own")
        score = score_population(row, readout.name, value, readout.target, count, bound)
        scores.append(score)
    if not len(left_out):
        return scores, []
    columns = zip(readouts, left_out.T, strict=True)
    return scores, [Replicates(row, r.name, column, "jackknife") for r, column in columns]
