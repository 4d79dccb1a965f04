"""Made-up outputs of populations, on which attacks are checked and timed."""

from __future__ import annotations

import numpy as np

from bench.plugins.outputs import PARTS, Labels, Outputs, Population, Relearning


def toy_outputs(models: int = 6, classes: int = 3, seed: int = 0, size: int = 40) -> Outputs:
    """Outputs of populations that an attack can tell apart; some cells of one row have failed.

    Parameters
    ----------
    models
        Models of each population.
    classes
        Classes of the data set.
    seed
        Decides all labels and logits.
    size
        Examples of each part.
    """
    rng = np.random.default_rng(seed)
    labels = {}
    for part in PARTS:
        true = rng.integers(classes, size=size)
        train = (true + 1) % classes if part == "forget" else true
        labels[part] = Labels(train, true)

    def population(kind: str, members: np.ndarray) -> Population:
        logits = {}
        for part in PARTS:
            learnt = labels[part].train if kind == "train" else labels[part].true
            noise = rng.normal(size=(len(members), len(learnt), classes))
            logits[part] = (3 * np.eye(classes)[learnt] + noise).astype(np.float32)
        return Population(members, logits)

    everyone = np.arange(models)
    original, retrained = population("train", everyone), population("true", everyone)
    rows = {
        "original": original,
        "retrain": population("true", everyone),
        "partly-failed": population("train", everyone[::2]),
    }
    untrained = Population(everyone, {"forget": rng.normal(size=(models, size, classes))})
    relearning = {
        row: Relearning(rng.integers(1, 9, len(p)), np.ones(len(p), bool))
        for row, p in (rows | {"retrained": retrained}).items()
    }
    return Outputs(original, retrained, rows, labels, untrained=untrained, relearning=relearning)
