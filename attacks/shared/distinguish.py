"""Attacks on one number per model: unlearned or retrained? Vectorised over examples.

All take ``unlearned`` and ``retrained``, float64 [models, examples], and give false positive and
false negative rates [examples, attacks]; 'positive' is the claim 'unlearned'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Fit = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
RIDGE = 1.0  # scikit-learn's default C = 1
NEWTON_STEPS = 25


def threshold_rates(
    unlearned: np.ndarray, retrained: np.ndarray, both: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Every sample value as a threshold: 'value > t' is unlearned; with ``both``, 'value < t' too.

    Counted by sorted searches rather than by comparing every value with every threshold.
    """
    above = [_share_above(side, unlearned, retrained) for side in (retrained, unlearned)]
    false, caught = above
    rates = [(false, 1 - caught)]
    if both:
        mirrored = [_share_above(-side, -unlearned, -retrained) for side in (retrained, unlearned)]
        rates.append((mirrored[0], 1 - mirrored[1]))
    false, missed = (np.concatenate(parts, axis=1) for parts in zip(*rates, strict=True))
    return false, missed


def _share_above(side: np.ndarray, unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """Share of ``side`` above each value of both populations: [examples, 2 * models]."""
    thresholds = np.concatenate([unlearned, retrained]).T
    ordered = np.sort(side.T, axis=1)
    count = ordered.shape[1]
    found = [
        np.searchsorted(row, t, side="right") for row, t in zip(ordered, thresholds, strict=True)
    ]
    return (count - np.array(found)) / count


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
    from sklearn.model_selection import StratifiedShuffleSplit

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
    for _step in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(z * slope + offset, -500, 500)))
        weight = np.maximum(p * (1 - p), 1e-10)
        g0, g1 = (p - y).sum(0), ((p - y) * z).sum(0) + penalty * slope
        h00, h01, h11 = weight.sum(0), (weight * z).sum(0), (weight * z**2).sum(0) + penalty
        determinant = h00 * h11 - h01**2
        step0 = (h11 * g0 - h01 * g1) / determinant
        step1 = (h00 * g1 - h01 * g0) / determinant
        size = np.maximum(np.abs(step0), np.abs(step1))
        damping = np.minimum(1, 2 / np.maximum(size, 1e-12))
        offset, slope = offset - damping * step0, slope - damping * step1
    return slope / scale, offset - slope * centre / scale


def fit_one_by_one(unlearned: np.ndarray, retrained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same regressions by scikit-learn with its defaults: slow, to the letter."""
    from sklearn.linear_model import LogisticRegression

    values = np.concatenate([retrained, unlearned])
    truth = np.repeat([0, 1], [len(retrained), len(unlearned)])
    models = [LogisticRegression().fit(column[:, None], truth) for column in values.T]
    return (
        np.array([model.coef_[0, 0] for model in models]),
        np.array([model.intercept_[0] for model in models]),
    )
