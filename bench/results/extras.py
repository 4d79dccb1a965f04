"""What a report shows besides scores: a few forgotten images, and what models say by class.

Made once, when a run ends, from its split and stored outputs; kept as arrays beside the curves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.data.split import Split
from bench.plugins.outputs import NO_CLASS, Outputs, Population
from bench.plugins.removal import FORGOTTEN_TEST

LARGEST = 2_500  # cells of a confusion matrix that are worth keeping


def extras(split: Split, outputs: Outputs) -> dict[str, np.ndarray]:
    """Arrays by name: ``samples|*``, ``confusion|<part>|<row>``, ``groups|<row>``."""
    return _samples(split) | _confusions(split, outputs) | _errors_by_group(split, outputs)


def _samples(split: Split) -> dict[str, np.ndarray]:
    """Up to a dozen forgotten images, spread over the classes, with both labels."""
    if split.sample_images is None or split.sample_places is None:
        return {}
    chosen = split.samples
    groups = split.groups_of(split.train[chosen])
    return ({} if groups is None else {"samples|groups": groups}) | {
        "samples|images": split.sample_images[np.searchsorted(split.sample_places, chosen)],
        "samples|scale": np.array(split.scale),
        "samples|train_labels": split.train_labels[chosen],
        "samples|true_labels": split.true_labels[chosen],
    }


def _confusions(split: Split, outputs: Outputs) -> dict[str, np.ndarray]:
    """Per part and row: shares of what the models call each true class, float32 [true, called].

    ``confusion|<part>|true`` and ``confusion|called`` are class numbers of the data set.
    """
    everything = np.arange(len(split.classes))
    gone = np.array([], dtype=int)
    if outputs.gone:
        gone = np.unique(outputs.gone["forget"][outputs.labels["forget"].true == NO_CLASS])
    called = np.setdiff1d(everything, gone)
    truths = {"forget": outputs.gone.get("forget", outputs.labels["forget"].true)}
    truths["test"] = called[outputs.labels["test"].true]
    if FORGOTTEN_TEST in outputs.gone:
        truths[FORGOTTEN_TEST] = outputs.gone[FORGOTTEN_TEST]
    found = {"confusion|called": called}
    populations = outputs.rows_and_retrained
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


def _errors_by_group(split: Split, outputs: Outputs) -> dict[str, np.ndarray]:
    """Per row the error on test examples of each group, float64 [groups]; ``groups|names``."""
    groups = split.groups_of(split.test)
    if groups is None or outputs.gone:
        return {}
    labels = outputs.labels["test"].true
    names = np.unique(groups)
    found = {"groups|names": names}
    for row, population in outputs.rows_and_retrained.items():
        wrong = population.logits["test"].argmax(-1) != labels
        found[f"groups|{row}"] = np.array([wrong[:, groups == name].mean() for name in names])
    return found


CLASS_NUMBERS = ("samples|train_labels", "samples|true_labels", "confusion|called")


def check_extras(arrays: Mapping[str, np.ndarray], classes: int) -> None:
    """Raise ValueError where arrays that ``extras`` did not make would not fit a report."""
    for name, array in arrays.items():
        kind, *place = name.split("|")
        if name in CLASS_NUMBERS or (kind == "confusion" and place[-1] == "true"):
            is_right = array.dtype.kind in "iu" and array.ndim == 1
            is_right &= not array.size or bool(0 <= array.min() <= array.max() < classes)
        elif kind == "confusion":
            sides = (arrays[f"confusion|{place[0]}|true"], arrays["confusion|called"])
            is_right = array.dtype.kind == "f" and array.shape == tuple(map(len, sides))
        elif name == "samples|images":
            is_right = array.dtype == np.uint8 and array.ndim == 4
        elif name == "samples|scale":
            is_right = array.dtype.kind in "iuf" and array.ndim == 0 and bool(array > 0)
        else:
            names = arrays["groups|names"] if kind == "groups" else arrays["samples|images"]
            is_right = array.ndim == 1 and names.ndim > 0 and len(array) == len(names)
        if not is_right:
            raise ValueError(f"{name}: {array.dtype} {array.shape}")
