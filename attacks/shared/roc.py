"""ROC curves of pooled scores, and the area under them as an average over pairs of models."""

from __future__ import annotations

import numpy as np


def roc_points(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates for all thresholds, from (0, 0) to (1, 1); ties as one step."""
    scores = np.concatenate([positive.ravel(), negative.ravel()])
    is_positive = np.arange(len(scores)) < positive.size
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    true = np.append(0, is_positive[order].cumsum()[last_of_tie]) / positive.size
    false = np.append(0, (~is_positive[order]).cumsum()[last_of_tie]) / negative.size
    return false, true


def area(false: np.ndarray, true: np.ndarray) -> float:
    """The area under the points of a ROC curve; a tie counts one half."""
    return float(np.trapezoid(true, false))


def tpr_at(false: np.ndarray, true: np.ndarray, fpr: float) -> float:
    """The best true positive rate of a threshold whose false positive rate is at most ``fpr``."""
    return float(true[false <= fpr].max())


def pairwise_auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """AUC of each positive model against each negative one: [m, n] x [k, n] -> float64 [m, k].

    Ties count one half. With as many examples in each, the AUC of the pooled scores is the mean of
    this matrix, also when models are drawn repeatedly: that makes the bootstrap a product.
    """
    levels, place = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    of_positive, of_negative = np.split(place.reshape(-1, positive.shape[1]), [len(positive)])
    table = np.empty((len(positive), len(negative)))
    for column, places in enumerate(of_negative):
        count = np.bincount(places, minlength=len(levels))
        up_to = count.cumsum()
        beaten = 2 * up_to - count  # twice those below, once those that are equal
        table[:, column] = beaten[of_positive].mean(1) / (2 * len(places))
    return table


def resampled_tpr(
    weights: np.ndarray, positive: np.ndarray, negative: np.ndarray, fpr: float, steps: int = 1000
) -> np.ndarray:
    """The true positive rate at ``fpr`` for models drawn with ``weights`` [draws, m]: [draws].

    Thresholds are a fine grid of the negative scores' upper quantiles, so that a draw costs the
    same for any number of examples.
    """
    upper = np.linspace(0, min(1.0, 10 * fpr), steps)
    thresholds = np.unique(np.quantile(negative, 1 - upper, method="higher"))
    hits, alarms = (
        np.array(
            [1 - np.searchsorted(np.sort(row), thresholds, "right") / row.size for row in side]
        )
        for side in (positive, negative)
    )
    allowed = weights @ alarms <= fpr + 1e-12
    return np.where(allowed, weights @ hits, 0.0).max(1)


def thinned(false: np.ndarray, true: np.ndarray, most: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """At most about ``most`` points of a curve, spread evenly on a linear and on a log axis."""
    if len(false) <= most:
        return false, true
    wanted = np.concatenate([np.linspace(0, 1, most // 2), np.logspace(-5, 0, most // 2)])
    keep = np.unique(np.searchsorted(false, wanted, side="right") - 1).clip(0)
    keep = np.unique(np.append(keep, [0, len(false) - 1]))
    return false[keep], true[keep]
