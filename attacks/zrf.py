"""ZRF, zero retrain forgetting: does the model guess on Df, as a network that never learnt?

Citation: V. S. Chundawat, A. K. Tarun, M. Mandal, M. Kankanhalli, Can Bad Teaching Induce
Forgetting?, AAAI 2023, and its code (vikram2000b/bad-teaching-unlearning, metrics.py).
Equation: ZRF = 1 - mean over Df of JS(M(x), T(x)), T an untrained network, JS in bits: 0 to 1.
Deviations: the published code has KL(m || p) in place of KL(p || m), m the mean of both, in nats,
and averages over examples and classes, so that it is divided by the number of classes; that is the
readout `zrf_code`. Its log of a probability of 0 is infinite; ours is taken from the logits. The
paper uses one untrained network, here each model has one of its own. The value is not an aim by
itself: a retrained model knows the other classes and does not guess. Compare with retraining.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from bench.plugins.attack import declares
from bench.plugins.intervals import score_models
from bench.plugins.outputs import Outputs, Population, Readout, Scores

VERSION = 1
READOUTS = [
    Readout("zrf", "ZRF (paper)", main=True, short="ZRF"),
    Readout("zrf_code", "ZRF (published code)"),
]


@declares(stage="untrained")
def zrf(outputs: Outputs) -> Scores:
    reference = measured(outputs, outputs.retrained)
    scores = []
    for row, population in outputs.rows.items():
        values, theirs = measured(outputs, population), reference[:, population.members]
        for readout, value, target in zip(READOUTS, values, theirs, strict=True):
            rng = outputs.rng("zrf", readout.name)
            scores.append(score_models(row, readout.name, value, target, rng))
    return Scores(READOUTS, scores)


def measured(outputs: Outputs, population: Population) -> np.ndarray:
    """Both definitions for each model, float64 [2, m]."""
    if outputs.untrained is None:
        raise ValueError("zrf needs the outputs of untrained networks")
    untrained = outputs.untrained.logits["forget"][population.members]
    of_model, of_untrained = (
        log_softmax(logits.astype(np.float64), axis=-1)
        for logits in (population.logits["forget"], untrained)
    )
    forward, reverse = divergences(of_model, of_untrained)
    return 1 - np.stack([forward.mean(1), reverse.mean(1) / of_model.shape[2]])


def divergences(log_p: np.ndarray, log_q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """JS in bits, and its reverse (KL from the mean) in nats, over the last axis."""
    log_middle = np.logaddexp(log_p, log_q) - np.log(2)
    middle = np.exp(log_middle)
    forward = sum((np.exp(one) * (one - log_middle)).sum(-1) for one in (log_p, log_q))
    reverse = sum((middle * (log_middle - one)).sum(-1) for one in (log_p, log_q))
    return forward / (2 * np.log(2)), reverse / 2
