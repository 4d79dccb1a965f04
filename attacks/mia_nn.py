"""MIA-NN: does a model that forgot a class treat its inputs as retrained models do?

Citation: A. Ebrahimpour-Boroojeny, Y. Wang, H. Sundaram, On the Necessity of Output Distribution
Reweighting for Effective Class Unlearning, 2025 (attack renamed CMIA later).
Our reading: only abstract and reviews determine it. For a forgotten class f, its neighbour n is the
retained class that retrained models give its examples most often. A support vector machine (RBF,
C = 1, scikit-learn's scaling) learns, from the probabilities of retrained models, inputs of f
(examples of Df, unseen by them) from inputs of n (validation examples, unseen too), balanced. It is
then asked about test inputs of f: the readout is the share that it recognises. Retrained models
give the target; a method that empties the class into other neighbours is recognised less often.
Deviations: the paper's details are unknown. No model is judged by a machine that learnt from its
own pair: pairs are split in two halves, and each half is judged by the other (at most ``shadows``
models of it). Outputs of the forgotten classes are dropped first. Needs class removal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.svm import SVC

from bench.attacks.shared.probabilities import probabilities
from bench.config.limits import Count
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import Outputs, Population, Readout, Scores
from bench.plugins.removal import FORGOTTEN_TEST

VERSION = 2
READOUTS = [
    Readout(
        "mia_nn",
        "MIA-NN: forgotten class recognised",
        percent=True,
        main=True,
        short="MIA-NN",
        undefined="the neighbour of a forgotten class has no validation example to learn from",
    )
]


def mia_nn(outputs: Outputs, *, shadows: Count = 10) -> Scores:
    if not len(outputs.gone.get(FORGOTTEN_TEST, ())):
        return Scores(
            READOUTS,
            [],
            notes=["mia-nn: not scored, it needs a class that is forgotten, with test examples"],
        )
    if len(outputs.retrained) < 2:
        return Scores(
            READOUTS, [], notes=["mia-nn: not scored, it needs at least 2 pairs of models"]
        )
    order = outputs.rng("mia-nn").permutation(len(outputs.retrained))
    halves = np.array_split(order, 2)
    rounds = [(halves[i], machines(outputs, np.sort(halves[1 - i])[:shadows])) for i in range(2)]

    def measure(population: Population) -> dict[str, np.ndarray]:
        return {"mia_nn": recognised(outputs, population, rounds)}

    return Scores(
        READOUTS, score_rows(outputs, measure, lambda _name: outputs.rng("mia-nn", "bootstrap"))
    )


def machines(outputs: Outputs, pairs: np.ndarray) -> dict[int, Any]:
    """For each forgotten class the machine that tells it from its neighbour.

    There is none where the neighbour has no validation example.
    """
    logits = outputs.retrained.logits
    classifiers = {}
    for gone in np.unique(outputs.gone[FORGOTTEN_TEST]):
        inputs = logits["forget"][pairs][:, outputs.gone["forget"] == gone]
        neighbour = np.bincount(inputs.argmax(-1).ravel()).argmax()
        of_neighbour = outputs.labels["validation"].true == neighbour
        others = logits["validation"][pairs][:, of_neighbour]
        size = min(inputs.shape[1], others.shape[1])
        if not size:
            continue
        features = [
            probabilities(side[:, :size]).reshape(-1, outputs.num_classes)
            for side in (inputs, others)
        ]
        truth = np.repeat([1, 0], [len(side) for side in features])
        classifiers[int(gone)] = SVC(random_state=0).fit(np.concatenate(features), truth)
    return classifiers


def recognised(
    outputs: Outputs, population: Population, rounds: list[tuple[np.ndarray, dict[int, Any]]]
) -> np.ndarray:
    """Share of the forgotten classes' test inputs that each model's machine recognises, [m].

    nan where there is no machine for one of the classes.
    """
    shares = np.full(len(population), np.nan)
    classes = outputs.gone[FORGOTTEN_TEST]
    for judged, classifiers in rounds:
        chosen = np.isin(population.members, judged)
        if not chosen.any():
            continue
        claims = np.full((chosen.sum(), len(classes)), np.nan)
        for gone, classifier in classifiers.items():
            inputs = population.logits[FORGOTTEN_TEST][chosen][:, classes == gone]
            features = probabilities(inputs).reshape(-1, outputs.num_classes)
            claims[:, classes == gone] = classifier.predict(features).reshape(len(claims), -1)
        shares[chosen] = claims.mean(1)
    return shares
