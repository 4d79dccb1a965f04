"""The classifier of the membership attack: fitted on some pairs of models, asked about others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import f1_score
from xgboost import XGBClassifier

from bench.attacks.shared.probabilities import probabilities
from bench.plugins.outputs import Outputs, Population

PUBLISHED = {
    "learning_rate": 0.2,
    "max_depth": 10,
    "subsample": 0.8,
    "reg_lambda": 10.0,
    "min_child_weight": 0.1,
}
GRID = [PUBLISHED, PUBLISHED | {"max_depth": 4}]


def attack_scores(outputs: Outputs, folds: int, trees: int, tune: bool) -> dict[str, np.ndarray]:
    """The attacker's confidence that an output is a member's: row -> float32 [m, n].

    Each model is judged by the classifier whose pairs did not hold its own; NaN where none tests it
    (``folds=1``). Where all unlearned models started from one original, no classifier learns from
    that one's pair.
    """
    labels = outputs.labels["forget"].train[:, None] == np.arange(outputs.num_classes)
    labels = labels.astype(np.float32)  # all zero where the class was removed
    judged = {"retrained": outputs.retrained, **outputs.rows}
    confidence = {
        row: np.full(p.logits["forget"].shape[:2], np.nan, np.float32) for row, p in judged.items()
    }
    order = outputs.rng("membership", "folds").permutation(learnable_pairs(outputs))
    for number, (fit, validate, test) in enumerate(split_pairs(order, folds)):
        if number == 0:
            test = np.union1d(test, np.setdiff1d(outputs.original.members, order))
        if np.intersect1d(test, np.concatenate([fit, validate])).size:
            raise ValueError("a pair of models is both learnt from and tested")
        classifier = _tuned(outputs, labels, fit, validate, trees, tune)
        for row, population in judged.items():
            held_out = np.isin(population.members, test)
            if held_out.any():
                features = _features(population, held_out, labels)
                confidence[row][held_out] = classifier.predict_proba(features)[:, 1].reshape(
                    held_out.sum(), -1
                )
    return confidence


def learnable_pairs(outputs: Outputs) -> np.ndarray:
    """The pairs that a classifier may learn from: all but the one that all others started from."""
    starts = [p.start for p in outputs.rows.values() if p.start is not None]
    return np.setdiff1d(outputs.original.members, starts)


def split_pairs(order: np.ndarray, folds: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs to fit on, to tune on and to test on, for each fold.

    One fold is the paper's split: 80, 10 and 10 %. With more, every pair is tested once; the next
    fold's pairs serve for tuning and the rest for fitting.
    """
    if folds == 1 and len(order) > 2:
        part = max(1, round(len(order) / 10))
        return [(order[: -2 * part], order[-2 * part : -part], order[-part:])]
    parts = np.array_split(order, min(max(folds, 3), len(order)))
    if len(parts) == 2:  # two pairs: one to fit on, one to test on, none to tune on
        return [(parts[0], parts[0][:0], parts[1]), (parts[1], parts[1][:0], parts[0])]
    rounds = []
    for number, test in enumerate(parts):
        validate = parts[(number + 1) % len(parts)]
        rest = np.setdiff1d(order, np.concatenate([test, validate]))
        rounds.append((rest, validate, test))
    return rounds


def _features(population: Population, chosen: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Softmax and one-hot label of each output: float32 [models * n, 2 * classes]."""
    softmax = probabilities(population.logits["forget"][chosen]).astype(np.float32)
    one_hot = np.broadcast_to(labels, softmax.shape)
    return np.concatenate([softmax, one_hot], axis=-1).reshape(-1, 2 * labels.shape[1])


def _tuned(
    outputs: Outputs,
    labels: np.ndarray,
    fit: np.ndarray,
    validate: np.ndarray,
    trees: int,
    tune: bool,
) -> Any:
    """The classifier of the grid with the best F1 on the validation pairs; the first of equals."""

    def examples(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        positive = _features(outputs.original, pairs, labels)
        negative = _features(outputs.retrained, pairs, labels)
        target = np.repeat([1, 0], [len(positive), len(negative)])
        return np.concatenate([positive, negative]), target

    training, validation = examples(fit), examples(validate)
    best, best_f1 = None, -1.0
    for setting in GRID if tune else GRID[:1]:
        seed = int(outputs.rng("membership", "xgboost").integers(2**31))
        classifier = XGBClassifier(
            **setting, n_estimators=trees, tree_method="hist", n_jobs=1, random_state=seed
        )
        classifier.fit(*training)
        f1 = f1_score(validation[1], classifier.predict(validation[0])) if tune else 0.0
        if f1 > best_f1:
            best, best_f1 = classifier, f1
    return best
