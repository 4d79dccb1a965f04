"""Attacks on one number per model: unlearned or retrained? Vectorised over examples.

All take ``unlearned`` and ``retrained``, float64 [models, examples], and give false positive and
false negative rates [examples, attacks]; 'positive' is the claim 'unlearned'.
"""

from __future__ import annotations

import numpy as np

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
    unlearned: np.ndarray, retrained: np.ndarray, splits: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression on stratified shuffle splits, 10 % held out: mean rates [examples, 1].

    The splits are the same for all examples.
    """
    count = min(len(unlearned), len(retrained))
    held_out = max(1, round(0.1 * count))
    if count - held_out < 1:
        nothing = np.full((unlearned.shape[1], 1), np.nan)
        return nothing, nothing
    false, missed = [], []
    for _split in range(splits):
        u, r = rng.permutation(len(unlearned)), rng.permutation(len(retrained))
        slope, offset = fit_logistic(unlearned[u[held_out:]], retrained[r[held_out:]])
        claims = [
            side * slope + offset > 0 for side in (unlearned[u[:held_out]], retrained[r[:held_out]])
        ]
        missed.append(1 - claims[0].mean(0))
        false.append(claims[1].mean(0))
    return np.mean(false, 0)[:, None], np.mean(missed, 0)[:, None]


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
