"""Errors of each model of a population, and what two classes allow besides."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from bench.plugins.outputs import Population


def error_rates(population: Population, part: str, labels: np.ndarray) -> np.ndarray:
    """The error of each model, float64 [m]."""
    return (population.logits[part].argmax(-1) != labels).mean(-1)


def balanced_error_rates(population: Population, part: str, labels: np.ndarray) -> np.ndarray:
    """The mean over classes of the error of each model, float64 [m]; 0 without examples."""
    if not len(labels):
        return np.zeros(len(population))
    wrong = population.logits[part].argmax(-1) != labels
    return np.mean([wrong[:, labels == label].mean(-1) for label in np.unique(labels)], axis=0)


def two_class(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """ROC AUC, precision, recall and F1 for class 1: float64 [4, m], of logits [m, n, 2]."""
    positive = labels == 1
    many, few = positive.sum(), (~positive).sum()
    ranks = rankdata(logits[..., 1].astype(np.float64) - logits[..., 0], axis=-1)
    above = ranks[:, positive].sum(-1) - many * (many + 1) / 2
    claimed = logits.argmax(-1) == 1
    hits = (claimed & positive).sum(-1)
    precision, recall = hits / np.maximum(claimed.sum(-1), 1), hits / max(many, 1)
    f1 = 2 * hits / np.maximum(claimed.sum(-1) + many, 1)
    auc = above / (many * few) if many and few else np.full(len(logits), 0.5)
    return np.stack([auc, precision, recall, f1])
