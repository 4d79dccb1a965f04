"""MIA efficacy: which share of the forget set an attacker takes for never seen.

Citation: J. Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, and its code;
features of L. Song, P. Mittal, Systematic Evaluation of Privacy Risks of Machine Learning Models,
2021.
Equation: a support vector machine (RBF, C = 3, gamma = 1 / features) learns retain (seen) against
unseen outputs of the model; efficacy = share of Df that it calls unseen. Features: confidence p_y;
entropy; modified entropy -(1 - p_y) log p_y - sum over c other than y of p_c log(1 - p_c);
correctness; all probabilities.
Deviations: the published code takes the test set as unseen, which is what is reported; ours are
validation data (against=test is the code's). It takes as many retain examples as there are unseen
ones, the first (pick=first); ours are spread evenly over the set, for data that are sorted by
class, and at most 300 of each (examples=N for more), which a classifier of one number does not
miss. Its modified entropy, until it was corrected, treated every class that occurs among the labels
as if it were y, with log p_c in place of log(1 - p_c); ours is the formula
(feature=uncorrected-modified-entropy is that code's). Higher is not better, and no value is ideal
by itself: compare with retraining.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from bench.attacks.shared.efficacy import Feature, efficacies
from bench.config.limits import Count
from bench.plugins.attack import declares
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import Outputs, Population, Readout, Scores

VERSION = 3
READOUTS = [
    Readout(
        "mia_efficacy",
        "MIA efficacy",
        percent=True,
        main=True,
        short="efficacy",
        undefined="the attacker has no unseen example to learn from",
    )
]


@declares(learns_from="against")
def mia_efficacy(
    outputs: Outputs,
    *,
    feature: Feature = "confidence",
    against: Literal["validation", "test"] = "validation",
    examples: Count = 300,
    pick: Literal["spread", "first"] = "spread",
) -> Scores:
    def efficacy(population: Population) -> dict[str, np.ndarray]:
        return {"mia_efficacy": efficacies(outputs, population, feature, against, examples, pick)}

    rows = score_rows(outputs, efficacy, lambda _name: outputs.rng("mia-efficacy"))
    return Scores(READOUTS, rows)
