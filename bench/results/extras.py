"""What a report shows beside scores: a few forgotten images, and what models say by class.

Made once, when a run ends, from its data and stored outputs; kept as arrays beside the curves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.plugins.outputs import NO_CLASS, Outputs, Population
from bench.plugins.removal import FORGOTTEN_TEST
from bench.stages.split import Split

if TYPE_CHECKING:
    from bench.stages.context import Experiment

SAMPLES = 12
SIDE = 96  # pixels; larger images are thinned
LARGEST = 2_500  # cells of a confusion matrix that are worth keeping


def extras(experiment: Experiment, outputs: Outputs) -> dict[str, np.ndarray]:
    """Arrays by name: ``samples|*``, ``confusion|<part>|<row>``, ``groups|<row>``."""
    found = _samples(experiment) | _confusions(experiment, outputs)
    return found | _errors_by_group(experiment, outputs)


def shown(split: Split) -> np.ndarray:
    """Positions in the training set of the forgotten examples that a report shows."""
    by_class = split.forget[np.argsort(split.true_labels[split.forget], kind="stable")]
    places = np.linspace(0, len(by_class) - 1, min(SAMPLES, len(by_class))).round().astype(int)
    return by_class[places]


def _samples(experiment: Experiment) -> dict[str, np.ndarray]:
    """Up to a dozen forgotten images, spread over the classes, with both labels."""
    split = experiment.split
    if experiment.data.is_table:
        return {}
    chosen = shown(split)
    images = np.stack([experiment.data.images[place] for place in split.train[chosen]])
    step = -(-max(images.shape[1:3]) // SIDE)
    groups = experiment.data.groups
    known = {} if groups is None else {"samples|groups": groups[split.train[chosen]]}
    return known | {
        "samples|images": images[:, ::step, ::step],
        "samples|scale": np.array(experiment.data.scale),
        "samples|train_labels": split.train_labels[chosen],
        "samples|true_labels": split.true_labels[chosen],
    }


def _confusions(experiment: Experiment, outputs: Outputs) -> dict[str, np.ndarray]:
    """Per part and row: shares of what the models call each true class, float32 [true, called].

    ``confusion|<part>|true`` and ``confusion|called`` are class numbers of the data set.
    """
    everything = np.arange(len(experiment.data.classes))
    gone = np.array([], dtype=int)
    if outputs.gone:
        gone = np.unique(outputs.gone["forget"][outputs.labels["forget"].true == NO_CLASS])
    called = np.setdiff1d(everything, gone)
    truths = {"forget": outputs.gone.get("forget", outputs.labels["forget"].true)}
    truths["test"] = called[outputs.labels["test"].true]
    if FORGOTTEN_TEST in outputs.gone:
        truths[FORGOTTEN_TEST] = outputs.gone[FORGOTTEN_TEST]
    found = {"confusion|called": called}
    populations = {**outputs.rows, "retrained": outputs.retrained}
    for part, truth in truths.items():
        classes = np.unique(truth)
        if not len(classes) or len(classes) * len(called) > LARGEST:
            continue
        found[f"confusion|{part}|true"] = classes
        for row, population in populations.items():
            found[f"confusion|{part}|{row}"] = _shares(population, part, truth, classes)
    return found


def _shares(
    population: Population, part: str, truth: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Mean over models and examples of each class: float32 [classes, called], rows sum to 1."""
    logits = population.logits[part]
    said = logits.argmax(-1)
    counts = [
        np.bincount(said[:, truth == one].ravel(), minlength=logits.shape[-1]) for one in classes
    ]
    return np.array([count / count.sum() for count in counts], dtype=np.float32)


def _errors_by_group(experiment: Experiment, outputs: Outputs) -> dict[str, np.ndarray]:
    """Per row the error on test examples of each group, float64 [groups]; ``groups|names``."""
    if experiment.data.groups is None or outputs.gone:
        return {}
    groups, labels = experiment.data.groups[experiment.split.test], outputs.labels["test"].true
    names = np.unique(groups)
    found = {"groups|names": names}
    for row, population in {**outputs.rows, "retrained": outputs.retrained}.items():
        wrong = population.logits["test"].argmax(-1) != labels
        found[f"groups|{row}"] = np.array([wrong[:, groups == name].mean() for name in names])
    return found
