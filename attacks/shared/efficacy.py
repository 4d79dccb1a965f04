"""MIA efficacy of each model, see attacks/mia_efficacy.py for the source and the equation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.svm import SVC

from bench.attacks.shared.probabilities import entropy, of_own_class, own_class, probabilities
from bench.plugins.outputs import Outputs, Population

Feature = Literal[
    "confidence",
    "entropy",
    "modified-entropy",
    "correctness",
    "probabilities",
    "uncorrected-modified-entropy",
]
TINY = 1e-30  # logarithms end at -69


def efficacies(
    outputs: Outputs,
    population: Population,
    feature: Feature = "confidence",
    against: str = "validation",
    examples: int = 300,
    pick: str = "spread",
) -> np.ndarray:
    """The efficacy of each model, float64 [m]; nan without examples to learn from."""
    labels = outputs.labels
    kinds = {"retain": labels["retain"].train, against: labels[against].true}
    size = min(examples, *map(len, kinds.values()))
    if not size:
        return np.full(len(population), np.nan)
    features = {}
    for part, part_labels in kinds.items():
        last = (size if pick == "first" else len(part_labels)) - 1
        chosen = np.linspace(0, last, size).round().astype(int)
        logits = population.logits[part][:, chosen]
        features[part] = feature_of(logits, part_labels[chosen], feature)
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
    values = {
        "confidence": lambda: of_own_class(p, labels),
        "entropy": lambda: entropy(logits),
        "modified-entropy": lambda: modified_entropy(p, index),
        "correctness": lambda: (p.argmax(-1) == labels).astype(float),
        "uncorrected-modified-entropy": lambda: uncorrected_modified_entropy(p, labels),
    }[feature]()
    return values[..., None]


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
