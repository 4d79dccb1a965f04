"""MIA efficacy: which share of the forget set an attacker takes for never seen.

Citation: J. Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023, and its code;
features of L. Song, P. Mittal, Systematic Evaluation of Privacy Risks of Machine Learning Models,
2021.
Equation: a support vector machine (RBF, C = 3, gamma = 1 / features) learns retain (seen) against
unseen outputs of the model; efficacy = share of Df that it calls unseen. Features: confidence p_y;
entropy; modified entropy -(1 - p_y) log p_y - sum over c other than y of p_c log(1 - p_c).
Deviations: the published code takes the test set as unseen, which is what is reported; ours are
validation data (against=test is the code's). It takes the first retain examples, ours as many as
there are unseen, in order (the same). Its modified entropy picks its rows by the whole list of
labels and has log p_c in place of log(1 - p_c); ours is the formula. Higher is not better, and no
value is ideal by itself: compare with retraining.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from attacks.shared.intervals import score_models
from attacks.shared.probabilities import entropy, probabilities
from bench.outputs import Outputs, Population, Readout, Scores

VERSION = 1
READOUTS = [Readout("mia_efficacy", "MIA efficacy", percent=True)]
Feature = Literal["confidence", "entropy", "modified-entropy"]


def mia_efficacy(
    outputs: Outputs,
    *,
    feature: Feature = "confidence",
    against: Literal["validation", "test"] = "validation",
) -> Scores:
    reference = efficacies(outputs, outputs.retrained, feature, against)
    return Scores(
        READOUTS,
        [
            score_models(
                row,
                "mia_efficacy",
                efficacies(outputs, population, feature, against),
                reference[population.members],
                outputs.rng("mia-efficacy"),
            )
            for row, population in outputs.rows.items()
        ],
    )


def efficacies(
    outputs: Outputs, population: Population, feature: Feature, against: str
) -> np.ndarray:
    """The efficacy of each model, float64 [m]."""
    labels = outputs.labels
    kinds = {"retain": labels["retain"].train, against: labels[against].true}
    size = min(len(of) for of in kinds.values())
    features = {
        part: feature_of(population.logits[part][:, :size], of[:size], feature)
        for part, of in kinds.items()
    }
    forgotten = feature_of(population.logits["forget"], labels["forget"].train, feature)
    return np.array(
        [
            _efficacy(features["retain"][i], features[against][i], forgotten[i])
            for i in range(len(population))
        ]
    )


def _efficacy(seen: np.ndarray, unseen: np.ndarray, forgotten: np.ndarray) -> float:
    from sklearn.svm import SVC

    classifier = SVC(C=3, gamma="auto", kernel="rbf", random_state=0)
    known = np.concatenate([seen, unseen])[:, None]
    classifier.fit(known, np.repeat([1, 0], [len(seen), len(unseen)]))
    return float(1 - classifier.predict(forgotten[:, None]).mean())


def feature_of(logits: np.ndarray, labels: np.ndarray, feature: Feature) -> np.ndarray:
    """One number of each output: float64 [m, n]."""
    if feature == "entropy":
        return entropy(logits)
    p = probabilities(logits)
    index = np.broadcast_to(labels[None, :, None], (*p.shape[:-1], 1))
    own = np.take_along_axis(p, index, -1)[..., 0]
    return own if feature == "confidence" else modified_entropy(p, own, index)


def modified_entropy(p: np.ndarray, own: np.ndarray, index: np.ndarray) -> np.ndarray:
    """-(1 - p_y) log p_y - sum over other classes of p_c log(1 - p_c); logarithms end at -69."""
    tiny = 1e-30
    others = p * np.log(np.maximum(1 - p, tiny))
    np.put_along_axis(others, index, 0.0, -1)
    return -(1 - own) * np.log(np.maximum(own, tiny)) - others.sum(-1)
