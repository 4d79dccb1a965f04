"""Class removal: what is left of outputs and labels when whole classes are forgotten.

Where nothing is retained of a class, a released model has no output for it: its column is dropped
from all logits before anything is scored, as T. Hoang et al. (PGU, WACV 2024, section 4.3) remove
the rows of the last layer. The other classes are numbered anew, validation and test examples of the
class are set apart, and forget examples of the class have the label ``NO_CLASS``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.plugins.outputs import NO_CLASS, Labels, Outputs, Population

FORGOTTEN_TEST = "forgotten_test"


def gone_classes(retained_labels: np.ndarray, forgotten_labels: np.ndarray) -> np.ndarray:
    """The classes of which something is forgotten and nothing retained, sorted."""
    return np.setdiff1d(forgotten_labels, retained_labels)


def without_classes(outputs: Outputs, gone: np.ndarray) -> Outputs:
    """The same outputs as if the networks had never had the classes ``gone``."""
    if not len(gone):
        return outputs
    number = np.full(outputs.num_classes, NO_CLASS)
    kept = np.setdiff1d(np.arange(outputs.num_classes), gone)
    number[kept] = np.arange(len(kept))
    chosen = {
        part: np.flatnonzero(~np.isin(outputs.labels[part].true, gone))
        for part in ("validation", "test")
    }
    apart = np.flatnonzero(np.isin(outputs.labels["test"].true, gone))

    def dropped(population: Population) -> Population:
        logits = {
            part: (array[:, chosen[part]] if part in chosen else array)[..., kept]
            for part, array in population.logits.items()
        }
        if "test" in logits:
            logits[FORGOTTEN_TEST] = population.logits["test"][:, apart][..., kept]
        return replace(population, logits=logits)

    def renumbered(part: str, labels: Labels) -> Labels:
        rows = chosen.get(part, slice(None))
        return Labels(number[labels.train[rows]], number[labels.true[rows]])

    return replace(
        outputs,
        original=dropped(outputs.original),
        retrained=dropped(outputs.retrained),
        rows={row: dropped(population) for row, population in outputs.rows.items()},
        labels={part: renumbered(part, labels) for part, labels in outputs.labels.items()},
        untrained=outputs.untrained and dropped(outputs.untrained),
        gone={
            FORGOTTEN_TEST: outputs.labels["test"].true[apart],
            "forget": outputs.labels["forget"].true,
        },
    )
