"""Outputs of models made up for tests of scores, and what is drawn or read with them."""

from __future__ import annotations

import numpy as np

from bench.plugins.outputs import PARTS, Labels, Outputs, Population


def rng(seed=0):
    """A random generator of NumPy with this seed."""
    return np.random.default_rng(seed)


def by_name(scores, row):
    """The scores of one row, by the names of their readouts."""
    return {score.readout: score for score in scores.scores if score.row == row}


def hand_made():
    """Two models, three forget examples whose trained labels are wrong for the first two."""
    predicted = np.array([[0, 1, 2], [0, 0, 2]])
    logits = np.eye(3, dtype=np.float32)[predicted]
    population = Population(np.arange(2), dict.fromkeys(PARTS, logits))
    labels = {part: Labels(np.array([0, 1, 2]), np.array([0, 1, 2])) for part in PARTS}
    labels["forget"] = Labels(train=np.array([0, 1, 2]), true=np.array([1, 0, 2]))
    return Outputs(population, population, {"mine": population}, labels)


def populations(shift, models=8, examples=30, seed=0):
    """Originals that are surer of label 0 by ``shift`` than retrained models; one scored row."""
    labels = {part: Labels(*[np.zeros(examples, dtype=int)] * 2) for part in PARTS}

    def draw(seed, shift):
        logits = rng(seed).normal(size=(models, examples, 2)).astype(np.float32)
        logits[:, :, 0] += shift
        return Population(np.arange(models), dict.fromkeys(PARTS, logits))

    original, retrained = draw(seed, shift), draw(seed + 1, 0)
    return Outputs(
        original,
        retrained,
        {"original": original, "retrain": draw(seed + 2, 0), "over": draw(seed + 3, -shift)},
        labels,
    )
