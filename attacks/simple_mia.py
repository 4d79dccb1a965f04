"""Simple membership attack: are forgotten examples' losses those of examples never seen?

Citation: the starting kit of the unlearning competition of NeurIPS 2023
(unlearning-challenge/starting-kit).
Equation: logistic regression (C = 1) of one model's cross-entropy losses, Df against as many unseen
examples; accuracy over 10 stratified shuffle splits, 10 % held out. Per model; the target is what
retrained models score.
Deviations: the kit takes test data as unseen. Test data are what is reported, so ours are
validation data (against=test is the kit). Of the larger set as many are drawn as the smaller has,
the same for all rows. For poisoned examples the
loss is that of the label that was trained, and 0.5 is not what retraining scores: a model that
never learnt the wrong labels gives them large losses.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import log_softmax

from bench.attacks.shared.distinguish import held_out_claims
from bench.attacks.shared.probabilities import of_own_class
from bench.config.limits import Count
from bench.plugins.attack import declares
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import Outputs, Population, Readout, Scores

VERSION = 2
READOUTS = [
    Readout("simple_mia", "simple membership accuracy", percent=True, main=True, short="simple")
]


@declares(learns_from="against")
def simple_mia(
    outputs: Outputs,
    *,
    against: Literal["validation", "test"] = "validation",
    splits: Count = 10,
) -> Scores:
    rng = outputs.rng("simple-mia", against)
    labels = {"forget": outputs.labels["forget"].train, against: outputs.labels[against].true}
    size = min(len(of) for of in labels.values())
    if size < 2:
        return Scores(READOUTS, [], notes=["simple-mia: not scored, it needs two of each kind"])
    drawn = {part: np.sort(rng.permutation(len(of))[:size]) for part, of in labels.items()}

    def accuracies(population: Population) -> dict[str, np.ndarray]:
        members, others = (
            losses(population.logits[part][:, chosen], labels[part][chosen]).T
            for part, chosen in drawn.items()
        )
        return {"simple_mia": attack_accuracy(members, others, splits)}

    return Scores(
        READOUTS,
        score_rows(outputs, accuracies, lambda _name: outputs.rng("simple-mia", "bootstrap")),
    )


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy of each output, float64 [m, n], for logits [m, n, classes]."""
    return -of_own_class(log_softmax(logits.astype(np.float64), axis=-1), labels)


def attack_accuracy(members: np.ndarray, others: np.ndarray, splits: int) -> np.ndarray:
    """Mean accuracy of each model's attack on what is held out: losses [n, m] x [k, m] -> [m]."""
    claims = held_out_claims(members, others, splits)
    return np.mean([(claim == truth[:, None]).mean(0) for claim, truth in claims], axis=0)
