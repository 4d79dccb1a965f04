"""How far from retraining a model is in one number: average gap and ToW.

Citation: average gap: C. Fan et al., SalUn: Empowering Machine Unlearning via Gradient-based Weight
Saliency, ICLR 2024; ToW (tug of war): K. Zhao et al., What Makes Unlearning Hard and What to Do
About It, NeurIPS 2024.
Equations, per model and against the retrained model of its pair, accuracies from 0 to 1:
  average gap = mean of |difference| of the errors on Df, Dr and test data and of MIA efficacy;
  ToW = (1 - |dDf|) (1 - |dDr|) (1 - |dtest|), 1 for a model that errs like retraining;
  ToW-MIA has the difference of MIA efficacy in place of dDf.
Where no model can be right on Df, because its classes are removed, there is no error on Df: the
average gap is the mean of the other three, and ToW does not exist. The same holds for other parts
without an example.
Deviations: the papers compare with a mean over retrained models or with the one of equal seed; ours
is the latter. The row `retrain` shows what two honest retrainings differ by, the floor of the gap.
MIA efficacy takes validation data as unseen (see mia-efficacy). Errors on Df are against the label
that was trained.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.attacks.shared.efficacy import efficacies
from bench.attacks.shared.error_rates import error_rates
from bench.plugins.attack import declares
from bench.plugins.intervals import score_models
from bench.plugins.outputs import NO_CLASS, Outputs, Population, Readout, Scores

VERSION = 4
NAMES = ["error on Df", "error on Dr", "error on test data", "MIA efficacy"]
READOUTS = [
    Readout("average_gap", "average gap to retraining", "low", 0.0, percent=True),
    Readout("tow", "ToW", "high", 1.0),
    Readout("tow_mia", "ToW-MIA", "high", 1.0),
]


@declares(reports=("forget", "retain", "test"))
def gap(outputs: Outputs) -> Scores:
    reference = measures(outputs, outputs.retrained)
    missing = [
        name for name, values in zip(NAMES, reference, strict=True) if np.isnan(values).all()
    ]
    why = f"there is no {' and no '.join(missing)}" if missing else ""
    scores = []
    for row, population in outputs.rows.items():
        differences = np.abs(measures(outputs, population) - reference[:, population.members])
        for readout, values in zip(READOUTS, summaries(differences), strict=True):
            rng, target = outputs.rng("gap", readout.name), np.full(len(values), readout.target)
            scores.append(score_models(row, readout.name, values, target, rng))
    notes = [f"average gap: {why}; it is the mean of the others"] if missing else []
    return Scores([replace(readout, undefined=why) for readout in READOUTS], scores, notes)


def summaries(differences: np.ndarray) -> np.ndarray:
    """Average gap, ToW and ToW-MIA, [3, m], of the absolute differences on ``measures``.

    The average leaves out what is nan for some model; products are nan then.
    """
    known = differences[~np.isnan(differences).any(1)]
    average = known.mean(0) if len(known) else np.full(differences.shape[1], np.nan)
    return np.stack([average, (1 - differences[:3]).prod(0), (1 - differences[1:]).prod(0)])


def measures(outputs: Outputs, population: Population) -> np.ndarray:
    """Errors on Df, Dr and test data, and MIA efficacy, of each model: float64 [4, m].

    What does not exist is nan: against labels of removed classes every model would be wrong.
    """
    labels = outputs.labels
    removed = (labels["forget"].train == NO_CLASS).any()
    on_forget = error_rates(population, "forget", labels["forget"].train)
    return np.stack(
        [
            np.full(len(population), np.nan) if removed else on_forget,
            error_rates(population, "retain", labels["retain"].train),
            error_rates(population, "test", labels["test"].true),
            efficacies(outputs, population),
        ]
    )
