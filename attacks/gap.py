"""How far from retraining a model is in one number: average gap and ToW.

Citation: average gap: C. Fan et al., SalUn: Empowering Machine Unlearning via Gradient-based Weight
Saliency, ICLR 2024; ToW (tug of war): K. Zhao et al., What Makes Unlearning Hard and What to Do
About It, NeurIPS 2024.
Equations, per model and against the retrained model of its pair, accuracies from 0 to 1:
  average gap = mean of |difference| of the errors on Df, Dr and test data and of MIA efficacy;
  ToW = (1 - |dDf|) (1 - |dDr|) (1 - |dtest|), 1 for a model that errs like retraining;
  ToW-MIA has the difference of MIA efficacy in place of dDf.
Deviations: the papers compare with a mean over retrained models or with the one of equal seed; ours
is the latter. The row `retrain` shows what two honest retrainings differ by, the floor of the gap.
MIA efficacy takes validation data as unseen (see mia-efficacy). Errors on Df are against the label
that was trained.
"""

from __future__ import annotations

import numpy as np

from bench.attacks.shared.efficacy import efficacies
from bench.attacks.shared.error_rates import error_rates
from bench.plugins.attack import declares
from bench.plugins.intervals import score_models
from bench.plugins.outputs import Outputs, Population, Readout, Scores

VERSION = 3
READOUTS = [
    Readout("average_gap", "average gap to retraining", "low", 0.0, percent=True),
    Readout("tow", "ToW", "high", 1.0),
    Readout("tow_mia", "ToW-MIA", "high", 1.0),
]


@declares(reports=("forget", "retain", "test"))
def gap(outputs: Outputs) -> Scores:
    reference = measures(outputs, outputs.retrained)
    scores = []
    for row, population in outputs.rows.items():
        differences = np.abs(measures(outputs, population) - reference[:, population.members])
        for readout, values in zip(READOUTS, summaries(differences), strict=True):
            rng, target = outputs.rng("gap", readout.name), np.full(len(values), readout.target)
            scores.append(score_models(row, readout.name, values, target, rng))
    return Scores(READOUTS, scores)


def summaries(differences: np.ndarray) -> np.ndarray:
    """Average gap, ToW and ToW-MIA, [3, m], of the absolute differences on ``measures``."""
    return np.stack(
        [differences.mean(0), (1 - differences[:3]).prod(0), (1 - differences[1:]).prod(0)]
    )


def measures(outputs: Outputs, population: Population) -> np.ndarray:
    """Errors on Df, Dr and test data, and MIA efficacy, of each model: float64 [4, m]."""
    labels = outputs.labels
    return np.stack(
        [
            error_rates(population, "forget", labels["forget"].train),
            error_rates(population, "retain", labels["retain"].train),
            error_rates(population, "test", labels["test"].true),
            efficacies(outputs, population),
        ]
    )
