"""From logits to what scores are made of, in float64 and without overflow or log of zero."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, logsumexp

from bench.plugins.outputs import NO_CLASS


def own_class(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each example's label as an index of the last axis of [..., n, classes]: int64 [..., n, 1].

    Where the class was removed, the likeliest class: the claim that is left to be sure of.
    """
    index = np.broadcast_to(labels[:, None], (*values.shape[:-1], 1))
    if (labels == NO_CLASS).any():
        index = np.where(index == NO_CLASS, values.argmax(-1, keepdims=True), index)
    return index


def of_own_class(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The entry of each example's own class: [..., n] of [..., n, classes]."""
    return np.take_along_axis(values, own_class(values, labels), -1)[..., 0]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, float64."""
    return np.exp(log_softmax(logits.astype(np.float64), axis=-1))


def entropy(logits: np.ndarray) -> np.ndarray:
    """Entropy in nats of the softmax over the last axis; 0 where one class has all the mass."""
    log_p = log_softmax(logits.astype(np.float64), axis=-1)
    return np.maximum(-(np.exp(log_p) * log_p).sum(-1), 0.0)


def logit_confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """log p_y - log(1 - p_y), LiRA's logit-scaled confidence, for logits [..., n, classes].

    N. Carlini et al., Membership Inference Attacks From First Principles, S&P 2022, equation 6.
    """
    logits = logits.astype(np.float64)
    index = own_class(logits, labels)
    own = np.take_along_axis(logits, index, -1)[..., 0]
    others = logits.copy()
    np.put_along_axis(others, index, -np.inf, -1)
    return own - logsumexp(others, axis=-1)


def released_confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same as the competition's released scorer has it: softmax by float32 exponentials.

    1e-45 is added to both probabilities, so that values stay within about 103.
    """
    shifted = np.exp(logits - logits.max(-1, keepdims=True)).astype(np.float64)
    p = shifted / shifted.sum(-1, keepdims=True)
    index = own_class(p, labels)
    own = np.take_along_axis(p, index, -1)[..., 0]
    np.put_along_axis(p, index, 0.0, -1)
    return np.log(own + 1e-45) - np.log(p.sum(-1) + 1e-45)


def largest_loss(logits: np.ndarray, _labels: np.ndarray) -> np.ndarray:
    """-log max p: the cross-entropy of the prediction with itself, blind to the label."""
    return -log_softmax(logits.astype(np.float64), axis=-1).max(-1)
