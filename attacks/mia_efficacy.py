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
from sklearn.svm import SVC

from bench.attacks.shared.probabilities import entropy, of_own_class, own_class, probabilities
from bench.config.limits import Count
from bench.plugins.attack import declares
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import Outputs, Population, Readout, Scores

VERSION = 3
READOUTS = [Readout("mia_efficacy", "MIA efficacy", percent=True, main=True, short="efficacy")]
Feature = Literal[
    "confidence",
    "entropy",
    "modified-entropy",
    "correctness",
    "probabilities",
    "uncorrected-modified-entropy",
]
TINY = 1e-30  # logarithms end at -69


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


def efficacies(
    outputs: Outputs,
    population: Population,
    feature: Feature = "confidence",
    against: str = "validation",
    examples: int = 300,
    pick: str = "spread",
) -> np.ndarray:
    """The efficacy of each model, float64 [m]."""
    labels = outputs.labels
    kinds = {"retain": labels["retain"].train, against: labels[against].true}
    size = min(examples, *(len(of) for of in kinds.values()))
    features = {}
    for part, of in kinds.items():
        last = (size if pick == "first" else len(of)) - 1
        chosen = np.linspace(0, last, size).round().astype(int)
        features[part] = feature_of(population.logits[part][:, chosen], of[chosen], feature)
    forgotten = feature_of(population.logits["forget"], labels["forget"].train, feature)
    return np.array(
        [
            _efficacy(features["retain"][i], features[against][i], forgotten[i])
            for i in range(len(population))
        ]
    )


def _efficacy(seen: np.ndarray, unseen: np.ndarray, forgotten: np.ndarray) -> float:
    classifier = SVC(C=3, gamma="auto", kernel="rbf", random_state=0, cache_size=500)
    classifier.fit(np.concatenate([seen, unseen]), np.repeat([1, 0], [len(seen), len(unseen)]))
    return float(1 - classifier.predict(forgotten).mean())


def feature_of(logits: np.ndarray, labels: np.ndarray, feature: Feature) -> np.ndarray:
    """What the attacker sees of each output: float64 [m, n, k], k = 1 for all but probabilities."""
    p = probabilities(logits)
    if feature == "probabilities":
        return p
    index = own_class(p, labels)
    found = {
        "confidence": lambda: of_own_class(p, labels),
        "entropy": lambda: entropy(logits),
        "modified-entropy": lambda: modified_entropy(p, index),
        "correctness": lambda: (p.argmax(-1) == labels).astype(float),
        "uncorrected-modified-entropy": lambda: uncorrected_modified_entropy(p, labels),
    }[feature]()
    return found[..., None]


def modified_entropy(p: np.ndarray, index: np.ndarray) -> np.ndarray:
    """-(1 - p_y) log p_y - sum over other classes of p_c log(1 - p_c)."""
    own = np.take_along_axis(p, index, -1)[..., 0]
    others = p * np.log(np.maximum(1 - p, TINY))
    np.put_along_axis(others, index, 0.0, -1)
    return -(1 - own) * np.log(np.maximum(own, TINY)) - others.sum(-1)


def uncorrected_modified_entropy(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What the first published code computes: every class among the labels is treated as own."""
    weights = np.where(np.isin(np.arange(p.shape[-1]), labels), 1 - p, p)
    return -(weights * np.log(np.where(p > 0, p, TINY))).sum(-1)
