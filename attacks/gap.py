"""How far from retraining a model is in one number: average gap and ToW.

Citation: average gap: C. Fan et al., SalUn: Empowering Machine Unlearning via Gradient-based Weight
Saliency, ICLR 2024; ToW (tug of war): K. Zhao et al., What Makes Unlearning Hard and What to Do
About It, NeurIPS 2024.
Equations, per model and against the retrained model of its pair, accuracies from 0 to 1:
  average gap = mean of |difference| of the errors on Df, Dr and test data and of MIA efficacy;
  ToW = (1 - |dDf|) (1 - |dDr|) (1 - |dtest|), 1 for a model that errs like retraining.
Deviations: the papers compare with a mean over retrained models or with the one of equal seed; ours
is the latter. The row `retrain` shows what two honest retrainings differ by, the floor of the gap.
MIA efficacy takes validation data as unseen (see mia-efficacy). Errors on Df are against the label
that was trained.
"""

from __future__ import annotations

import numpy as np

from attacks.errors import error_rates
from attacks.mia_efficacy import efficacies
from attacks.shared.intervals import score_models
from bench.outputs import Outputs, Population, Readout, Scores

VERSION = 1
READOUTS = [
    Readout("average_gap", "average gap to retraining", "low", 0.0, percent=True),
    Readout("tow", "ToW", "high", 1.0),
]


def gap(outputs: Outputs) -> Scores:
    reference = measures(outputs, outputs.retrained)
    scores = []
    for row, population in outputs.rows.items():
        apart = np.abs(measures(outputs, population) - reference[:, population.members])
        found = {"average_gap": (apart.mean(0), 0.0), "tow": ((1 - apart[:3]).prod(0), 1.0)}
        for readout, (values, target) in found.items():
            rng = outputs.rng("gap", readout)
            scores.append(score_models(row, readout, values, np.full(len(values), target), rng))
    return Scores(READOUTS, scores)


def measures(outputs: Outputs, population: Population) -> np.ndarray:
    """Errors on Df, Dr and test data, and MIA efficacy, of each model: float64 [4, m]."""
    labels = outputs.labels
    return np.stack(
        [
            error_rates(population, "forget", labels["forget"].train),
            error_rates(population, "retain", labels["retain"].train),
            error_rates(population, "test", labels["test"].true),
            efficacies(outputs, population, "confidence", "validation"),
        ]
    )
