"""Entropy of the outputs on Df: does the model look as sure as one that never saw these examples?

Citation: the PGU paper (Hoang et al., WACV 2024, section 4.2 and figure 1) draws histograms of the
log-entropy of the softmax on Df.
Equations: H = -sum_c p_c log p_c in nats; per model the mean over Df. Against the retrained
population: Jensen-Shannon divergence (base 2) of the two histograms of log H, and the Wasserstein
distance of H itself.
Deviations: the paper shows pictures only. Ours have its bins, 100 of width 0.2 between log H = -19
and 1; H below e^-19 (a saturated softmax has log 0 in the published code) counts in the first bin.
With few models two honest populations do not score 0: compare with the `retrain` row.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import wasserstein_distance

from attacks.shared.intervals import jackknife, score_models, score_population
from attacks.shared.probabilities import entropy as entropy_of
from bench.outputs import Outputs, Readout, Scores

VERSION = 1
EDGES = np.linspace(-19, 1, 101)

READOUTS = [
    Readout("forget_entropy", "mean entropy on Df (nats)"),
    Readout("entropy_js", "entropy on Df: JS to retrained", "low", 0.0, main=True, short="H JS"),
    Readout("entropy_w1", "entropy on Df: Wasserstein to retrained (nats)", "low", 0.0),
]


def entropy(outputs: Outputs) -> Scores:
    reference = entropy_of(outputs.retrained.logits["forget"])
    reference_counts = histograms(reference)
    scores, curves = [], {"|edges": EDGES, "retrained|log_entropy": reference_counts.sum(0)}
    for row, population in outputs.rows.items():
        values = entropy_of(population.logits["forget"])
        counts = histograms(values)
        curves[f"{row}|log_entropy"] = counts.sum(0)
        scores.append(
            score_models(
                row,
                "forget_entropy",
                values.mean(1),
                reference.mean(1)[population.members],
                outputs.rng("entropy", "mean"),
            )
        )
        size, paired = len(population), population.members

        def distances(kept, values=values, counts=counts, paired=paired):
            theirs = paired[kept]
            return np.array(
                [
                    js_divergence(counts[kept].sum(0), reference_counts[theirs].sum(0)),
                    wasserstein_distance(values[kept].ravel(), reference[theirs].ravel()),
                ]
            )

        found, bounds = jackknife(distances, size, (1.0, np.inf))
        for name, value, bound in zip(("entropy_js", "entropy_w1"), found, bounds, strict=True):
            scores.append(score_population(row, name, value, 0.0, size, bound))
    return Scores(READOUTS, scores, curves)


def histograms(values: np.ndarray) -> np.ndarray:
    """Counts of log-entropy in the fixed bins, float64 [m, bins], for entropies [m, n]."""
    floor, ceiling = np.exp(EDGES[0]), np.exp(EDGES[-1])
    logs = np.log(np.clip(values, floor, ceiling * (1 - 1e-12)))
    return np.array([np.histogram(row, EDGES)[0] for row in logs], dtype=np.float64)


def js_divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits between histograms over the last axis: 0 to 1."""
    p = first / first.sum(-1, keepdims=True)
    q = second / second.sum(-1, keepdims=True)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log2(ratio)).sum(-1)
