"""Attacks on one number per model: unlearned or retrained? Vectorised over examples.

All take ``unlearned`` and ``retrained``, float64 [models, examples], and give false positive and
false negative rates [examples, attacks]; 'positive' is the claim 'unlearned'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit

Fit = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
RIDGE = 1.0  # scikit-learn's default C = 1
NEWTON_STEPS = 25
CONVERGED = 1e-9  # of standardised values; the next step would be its square


def threshold_rates(
    unlearned: np.ndarray, retrained: np.ndarray, both: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Every sample value as a threshold: 'value > t' is unlearned; with ``both``, 'value < t' too.

    Counted along the sorted values rather than by comparing every value with every threshold.
    """
    values = np.concatenate([unlearned, retrained]).T
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, 1)
    place = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    step = np.diff(ordered, axis=1) != 0
    last = np.where(np.pad(step, ((0, 0), (0, 1)), constant_values=True), place, values.shape[1])
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]  # of the values that are equal
    first = np.maximum.accumulate(
        np.where(np.pad(step, ((0, 0), (1, 0)), constant_values=True), place, 0), axis=1
    )
    rates = []
    for is_of_side, count in (
        (order >= len(unlearned), len(retrained)),
        (order < len(unlearned), len(unlearned)),
    ):
        up_to = np.pad(is_of_side.cumsum(1), ((0, 0), (1, 0)))
        above = (count - np.take_along_axis(up_to, last + 1, 1)) / count
        below = np.take_along_axis(up_to, first, 1) / count
        rates.append(np.concatenate([above, below], axis=1) if both else above)
    return rates[0], 1 - rates[1]


def logistic_rates(
    unlearned: np.ndarray, retrained: np.ndarray, splits: int, one_by_one: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression on stratified shuffle splits, 10 % held out: mean rates [examples, 1].

    The splits are scikit-learn's with seed 0, the same for all examples; NaN for fewer than two
    models of a kind. ``one_by_one``: fitted by scikit-learn, which stops where the gradient is
    below 1e-4, so that it learns nothing from values that differ by less.
    """
    if min(len(unlearned), len(retrained)) < 2:
        nothing = np.full((unlearned.shape[1], 1), np.nan)
        return nothing, nothing
    false, missed = [], []
    fit = fit_one_by_one if one_by_one else fit_logistic
    for claims, truth in held_out_claims(unlearned, retrained, splits, fit):
        missed.append(1 - claims[truth].mean(0))
        false.append(claims[~truth].mean(0))
    return np.mean(false, 0)[:, None], np.mean(missed, 0)[:, None]


def held_out_claims(
    positive: np.ndarray, negative: np.ndarray, splits: int, fit: Fit | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Logistic regressions on 90 % of the values, asked about the rest, once for each split.

    ``positive``, ``negative``: [n, columns], one regression per column. Yields the claims that the
    values held out are positive, bool [held out, columns], and the truth, bool [held out].
    """
    values = np.concatenate([negative, positive])
    truth = np.arange(len(values)) >= len(negative)
    size = max(2, int(np.ceil(0.1 * len(values))))
    splitter = StratifiedShuffleSplit(splits, test_size=size, random_state=0)
    for learn, test in splitter.split(values, truth):
        known, learnt = values[learn], truth[learn]
        slope, offset = (fit or fit_logistic)(known[learnt], known[~learnt])
        yield values[test] * slope + offset > 0, truth[test]


def fit_logistic(unlearned: np.ndarray, retrained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset [examples] of one regression per example, by damped Newton steps.

    Minimises the summed log loss plus slope^2 / (2 C) with C = 1; the offset is free: what
    scikit-learn's LogisticRegression does with its defaults, for thousands of examples at once.
    Values are centred and scaled first (and the penalty with them), so that steps stay stable.
    """
    x = np.concatenate([unlearned, retrained])
    y = np.repeat([1.0, 0.0], [len(unlearned), len(retrained)])[:, None]
    centre, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    z = (x - centre) / scale
    penalty = 1 / (RIDGE * scale**2)
    slope, offset = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    moving = np.arange(x.shape[1])  # regressions whose last step was not yet tiny
    for _step in range(NEWTON_STEPS):
        step0, step1 = _newton_step(z[:, moving], y, slope[moving], offset[moving], penalty[moving])
        size = np.maximum(np.abs(step0), np.abs(step1))
        damping = np.minimum(1, 2 / np.maximum(size, 1e-12))
        offset[moving] -= damping * step0
        slope[moving] -= damping * step1
        moving = moving[size > CONVERGED]
        if not len(moving):
            break
    return slope / scale, offset - slope * centre / scale


def _newton_step(
    z: np.ndarray, y: np.ndarray, slope: np.ndarray, offset: np.ndarray, penalty: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Full steps of offset and slope, [examples], for values [n, examples] and labels [n, 1]."""
    p = expit(z * slope + offset)
    weight = np.maximum(p * (1 - p), 1e-10)
    g0, g1 = (p - y).sum(0), ((p - y) * z).sum(0) + penalty * slope
    weighted = weight * z
    h00, h01, h11 = weight.sum(0), weighted.sum(0), (weighted * z).sum(0) + penalty
    determinant = h00 * h11 - h01**2
    return (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant


def fit_one_by_one(unlearned: np.ndarray, retrained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same regressions by scikit-learn with its defaults: slow, to the letter."""
    values = np.concatenate([retrained, unlearned])
    truth = np.repeat([0, 1], [len(retrained), len(unlearned)])
    models = [LogisticRegression().fit(column[:, None], truth) for column in values.T]
    return (
        np.array([model.coef_[0, 0] for model in models]),
        np.array([model.intercept_[0] for model in models]),
    )
