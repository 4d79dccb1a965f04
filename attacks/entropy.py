"""Entropy and confidence of the outputs: is the model as sure as one that never saw these examples?

Citation: T. Hoang, S. Rana, S. Gupta, S. Venkatesh, Learn to Unlearn for Deep Neural Networks, WACV
2024; section 4.2 and figure 1 draw histograms of the log-entropy of the softmax on Df.
Equations: H = -sum_c p_c log p_c in nats; confidence = p of the label that was trained. On Df, Dr
and test data: per model the mean; against the retrained population the Jensen-Shannon divergence
(base 2) of histograms and the Wasserstein distance W1 = integral of |F_row - F_retrained| of the
values themselves, of all outputs of all models together.
Deviations: the paper shows pictures only. Ours have its bins, 100 of width 0.2 between log H = -19
and 1; H below e^-19 (a saturated softmax has log 0 in the published code) counts in the first bin.
Confidences have 50 bins of width 0.02. With few models two honest populations do not score 0:
compare with the `retrain` row. Values on Df are kept (``per_example``, models x examples). Where a
class was removed, confidence is that of the likeliest class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.attacks.shared.error_rates import why_no_error
from bench.attacks.shared.probabilities import entropy as entropy_of
from bench.attacks.shared.probabilities import of_own_class, probabilities
from bench.plugins.attack import declares
from bench.plugins.intervals import score_jackknife, score_models
from bench.plugins.outputs import (
    EVERY_ROW,
    Curve,
    Outputs,
    Panel,
    PerExample,
    Readout,
    Scores,
    Undefined,
)

VERSION = 2
PLACES = {"forget": "Df", "retain": "Dr", "test": "test data"}
EDGES = np.linspace(-19, 1, 101)
CONFIDENCE_EDGES = np.linspace(0, 1, 51)


def log_entropy_counts(values: np.ndarray) -> np.ndarray:
    """Counts of log-entropy in the fixed bins, float64 [m, bins], for entropies [m, n]."""
    floor, ceiling = np.exp(EDGES[0]), np.exp(EDGES[-1])
    return _counts(np.log(np.clip(values, floor, ceiling * (1 - 1e-12))), EDGES)


def confidence_counts(values: np.ndarray) -> np.ndarray:
    """Counts of confidences [m, n] in the fixed bins, float64 [m, bins]."""
    return _counts(values, CONFIDENCE_EDGES)


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.array([np.histogram(row, edges)[0] for row in values], dtype=np.float64)


@dataclass(frozen=True)
class Measure:
    """A number that each output has, and the fixed bins that it is counted in."""

    name: str
    unit: str
    values: Callable[[np.ndarray, np.ndarray], np.ndarray]  # logits, labels -> [m, n]
    counts: Callable[[np.ndarray], np.ndarray]


MEASURES = [
    Measure("entropy", " (nats)", lambda z, _labels: entropy_of(z), log_entropy_counts),
    Measure(
        "confidence",
        "",
        lambda z, labels: of_own_class(probabilities(z), labels),
        confidence_counts,
    ),
]
PANEL = Panel(
    "entropy",
    "Entropy on the forget set",
    "histogram",
    xlabel="log of the outputs' entropy (nats)",
    ylabel="share",
    xlim=(None, 1),
    edges=EDGES.tolist(),
    behind="retrained models",
    readout="forget_entropy_js",
    symbol="JS",
)


def _readouts(measure: Measure, part: str) -> list[Readout]:
    """The mean and the two distances to retraining."""
    name, where = measure.name, f"{measure.name} on {PLACES[part]}"
    on, main = f"{part}_{name}", (name, part) == ("entropy", "forget")
    return [
        Readout(on, f"mean {where}{measure.unit}"),
        Readout(
            f"{on}_js",
            f"{where}: JS to retrained",
            "low",
            0.0,
            main=main,
            short="H JS" if main else "",
            role="forgetting" if main else "",
            preference=2,
        ),
        Readout(f"{on}_w1", f"{where}: Wasserstein to retrained{measure.unit}", "low", 0.0),
    ]


READOUTS = [r for part in PLACES for measure in MEASURES for r in _readouts(measure, part)]


@declares(reports=("retain", "test"))
def entropy(outputs: Outputs) -> Scores:
    scores, curves, replicates, kept = [], [], [], []
    undefined = []
    for part in PLACES:
        labels = outputs.labels[part].train
        if not len(labels):
            undefined += _nothing(outputs, part)
            continue
        for measure in MEASURES:
            reference = measure.values(outputs.retrained.logits[part], labels)
            reference_counts = measure.counts(reference)
            mean, js, w1 = _readouts(measure, part)
            drawn = js.name == PANEL.readout
            if drawn:
                curves.append(Curve(PANEL.name, EVERY_ROW, reference_counts.sum(0), behind=True))
            for row, population in outputs.rows.items():
                values = measure.values(population.logits[part], labels)
                counts, paired = measure.counts(values), population.members
                if drawn:
                    curves.append(Curve(PANEL.name, row, counts.sum(0)))
                if part == "forget":
                    kept.append(PerExample(row, mean.name, values.astype(np.float32)))
                theirs, rng = reference[paired], outputs.rng("entropy", mean.name)
                scores.append(score_models(row, mean.name, values.mean(1), theirs.mean(1), rng))
                distances = _distances(values, theirs, counts, reference_counts[paired])
                row_scores, left_out = score_jackknife(
                    row, [js, w1], distances, len(values), (1.0, np.inf)
                )
                scores += row_scores
                replicates += left_out
    return Scores(
        READOUTS,
        scores,
        panels=[PANEL],
        curves=curves,
        replicates=replicates,
        per_example=kept,
        undefined=undefined,
    )


def _nothing(outputs: Outputs, part: str) -> list[Undefined]:
    """No number of any row on a part without examples."""
    why = why_no_error(outputs, part)
    readouts = [readout for measure in MEASURES for readout in _readouts(measure, part)]
    return [Undefined(row, r.name, why) for r in readouts for row in outputs.rows]


def _distances(
    values: np.ndarray, theirs: np.ndarray, counts: np.ndarray, their_counts: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """JS and W1 between two populations, [2], of the models that stay."""
    distance = Wasserstein(values, theirs)

    def distances(kept: np.ndarray) -> np.ndarray:
        divergence = js_divergence(counts[kept].sum(0), their_counts[kept].sum(0))
        return np.array([divergence, distance(kept)])

    return distances


class Wasserstein:
    """W1 between the pooled values of two populations [m, n], for any models that stay.

    Values are sorted once: leaving models out only changes the weights of the steps.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray):
        pooled = np.concatenate([first.ravel(), second.ravel()])
        order = np.argsort(pooled, kind="stable")
        self.widths = np.diff(pooled[order])
        sides = [
            sign * np.repeat(np.arange(1, len(side) + 1), side.shape[1])
            for sign, side in ((1, first), (-1, second))
        ]
        self.models = np.concatenate(sides)[order]  # 1, 2, ... of the first, -1, -2, ...
        self.count = len(first)

    def __call__(self, kept: np.ndarray) -> float:
        weights = np.zeros(2 * self.count + 1)  # negative indices reach the second population
        weights[kept + 1] = 1.0
        weights[-(kept + 1)] = -1.0
        steps = weights[self.models].cumsum()[:-1]
        share = len(kept) * (len(self.models) / (2 * self.count))
        return float(np.abs(steps) @ self.widths / share)


def js_divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits between histograms over the last axis: 0 to 1."""
    p = first / first.sum(-1, keepdims=True)
    q = second / second.sum(-1, keepdims=True)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log2(ratio)).sum(-1)
