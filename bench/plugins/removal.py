"""Class removal: outputs and labels without the classes that are forgotten as a whole.

Where no example of a class is retained, a released model has no output for it. We drop its column
from all logits before scoring, as T. Hoang et al. (PGU, WACV 2024, section 4.3) remove the rows of
the last layer. We renumber the other classes, set validation and test examples of the class apart,
and give forgotten examples of the class the label ``NO_CLASS``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.plugins.outputs import NO_CLASS, Labels, Outputs, Population

FORGOTTEN_TEST = "forgotten_test"


def gone_classes(retained_labels: np.ndarray, forgotten_labels: np.ndarray) -> np.ndarray:
    """The classes with forgotten examples and without retained ones, sorted."""
    return np.setdiff1d(forgotten_labels, retained_labels)


def without_classes(outputs: Outputs, gone: np.ndarray) -> Outputs:
    """The same outputs as if the networks had never had the classes ``gone``."""
    if not len(gone):
        return outputs
    number = np.full(outputs.num_classes, NO_CLASS)
    kept = np.setdiff1d(np.arange(outputs.num_classes), gone)
    number[kept] = np.arange(len(kept))
    kept_rows = {
        part: np.flatnonzero(~np.isin(outputs.labels[part].true, gone))
        for part in ("validation", "test")
    }
    forgotten = np.flatnonzero(np.isin(outputs.labels["test"].true, gone))

    def drop(population: Population) -> Population:
        logits = {
            part: (array[:, kept_rows[part]] if part in kept_rows else array)[..., kept]
            for part, array in population.logits.items()
        }
        if "test" in logits:
            logits[FORGOTTEN_TEST] = population.logits["test"][:, forgotten][..., kept]
        return replace(population, logits=logits)

    def renumber(part: str, labels: Labels) -> Labels:
        rows = kept_rows.get(part, slice(None))
        return Labels(number[labels.train[rows]], number[labels.true[rows]])

    return replace(
        outputs,
        original=drop(outputs.original),
        retrained=drop(outputs.retrained),
        rows={row: drop(population) for row, population in outputs.rows.items()},
        labels={part: renumber(part, labels) for part, labels in outputs.labels.items()},
        untrained=outputs.untrained and drop(outputs.untrained),
        classes=[outputs.class_names[index] for index in kept],
        gone={
            FORGOTTEN_TEST: outputs.labels["test"].true[forgotten],
            "forget": outputs.labels["forget"].true,
        },
    )
