"""Classification errors on Df (against both labels), Dr, validation and test data.

Equation: error = share of examples whose largest logit is not the label's, per model; the row's
number is the mean over models. The target is the mean of the retrained population.
Deviations: none; ties between logits go to the first class. For poisoned examples the label that
the original was trained on and the true label differ: both errors are given, so that forgetting the
wrong label and learning the right one are told apart.
"""

from __future__ import annotations

import numpy as np

from attacks.shared.intervals import score_models
from bench.outputs import Outputs, Population, Readout, Scores

VERSION = 1

READOUTS = [
    Readout("forget_error", "error on Df, trained label", percent=True, main=True, short="Df err"),
    Readout(
        "forget_error_true", "error on Df, true label", percent=True, main=True, short="Df true"
    ),
    Readout("retain_error", "error on Dr", percent=True, main=True, short="Dr err"),
    Readout("validation_error", "error on validation set", percent=True),
    Readout("test_error", "error on test set", percent=True, main=True, short="test err"),
]
WHERE = {
    "forget_error": ("forget", "train"),
    "forget_error_true": ("forget", "true"),
    "retain_error": ("retain", "train"),
    "validation_error": ("validation", "true"),
    "test_error": ("test", "true"),
}


def errors(outputs: Outputs) -> Scores:
    scores = []
    for readout, (part, kind) in WHERE.items():
        labels = getattr(outputs.labels[part], kind)
        reference = error_rates(outputs.retrained, part, labels)
        for row, population in outputs.rows.items():
            values = error_rates(population, part, labels)
            paired = reference[population.members]
            rng = outputs.rng("errors", readout)
            scores.append(score_models(row, readout, values, paired, rng))
    return Scores(READOUTS, scores)


def error_rates(population: Population, part: str, labels: np.ndarray) -> np.ndarray:
    """The error of each model, float64 [m]."""
    return (population.logits[part].argmax(-1) != labels).mean(-1)
