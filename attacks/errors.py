"""Classification errors on Df (against both labels), Dr, validation and test data.

Equations: error = share of examples whose largest logit is not the label's, per model; balanced
error = mean over the classes that occur of the error on each. With two classes also, on test data:
ROC AUC of the logits' difference, and for the positive class precision, recall and F1 = 2 PR / (P +
R) at the larger logit. The positive class is the one that ``positive`` names, by default the one
called fake, else the second; titles name it. The row's number is the mean over models; the target
that of the retrained population.
Deviations: none; ties between logits go to the first class. Numbers of two classes do not exist
where one of them has no test example, nor does the precision of a model that calls nothing
positive. For poisoned examples the label that the original was trained on and the true label
differ: both errors are given, so that forgetting the wrong label and learning the right one are
told apart. Where a class is forgotten its outputs are dropped, its test and validation examples
too, and there is no error on Df: no model can be right on it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bench.attacks.shared.error_rates import (
    balanced_error_rates,
    error_rates,
    positive_class,
    two_class,
    why_no_error,
    why_not_two_class,
)
from bench.plugins.attack import declares
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import NO_CLASS, Outputs, Panel, Population, Readout, Scores

VERSION = 3

FORGET = Readout(
    "forget_error", "error on Df, trained label", percent=True, main=True, short="Df err"
)
FORGET_TRUE = Readout("forget_error_true", "error on Df, true label", percent=True, short="Df true")
ERROR: dict[str, Any] = {"percent": True, "role": "utility"}
OTHERS = [
    Readout("retain_error", "error on Dr", main=True, short="Dr err", preference=3, **ERROR),
    Readout("validation_error", "error on validation set", preference=2, **ERROR),
    Readout("test_error", "error on test set", main=True, short="test err", **ERROR),
]
OF_CLASS = {"test_precision": "precision", "test_recall": "recall", "test_f1": "F1"}
TWO_CLASS = ["test_auc", *OF_CLASS]
PANEL = Panel(
    "errors", "Errors", "dots", xlabel="error (%)", xlim=(-3, 103), behind="retrained models"
)
LABELS = {
    "forget_error": "Df, trained",
    "forget_error_true": "Df, true",
    "retain_error": "Dr",
    "validation_error": "validation",
    "test_error": "test",
}
CLASS_GONE = (
    "the outputs of the forgotten classes are dropped before scoring, their validation and test "
    "examples left out: there is no error on Df"
)
WHERE = {
    "forget_error": ("forget", "train"),
    "forget_error_true": ("forget", "true"),
    "retain_error": ("retain", "train"),
    "validation_error": ("validation", "true"),
    "test_error": ("test", "true"),
}


@declares(reports=("forget", "retain", "validation", "test"), names_class="positive")
def errors(outputs: Outputs, *, positive: str | int = "") -> Scores:
    of_class = positive_class(outputs, str(positive)) if outputs.num_classes == 2 else 1
    scores = score_rows(
        outputs, partial(_measured, outputs, of_class), lambda name: outputs.rng("errors", name)
    )
    known = {score.readout for score in scores}
    readouts = [*_readouts(outputs), *_two_class_readouts(outputs, of_class)]
    readouts = [readout for readout in readouts if readout.name in known]
    notes = [] if "forget_error" in known else [CLASS_GONE]
    if positive and outputs.num_classes != 2:
        notes.append(f"errors: positive = {positive} changes nothing, it is for two classes")
    drawn = {name: label for name, label in LABELS.items() if name in known}
    panel = replace(PANEL, readouts=list(drawn), labels=list(drawn.values()))
    return Scores(readouts, scores, notes, [panel])


def _readouts(outputs: Outputs) -> list[Readout]:
    """All readouts; where the labels of Df were poisoned, forgetting is judged by the true ones."""
    labels = outputs.labels["forget"]
    forget, forget_true = FORGET, FORGET_TRUE
    if (labels.train != labels.true).any():
        forget_true = replace(FORGET_TRUE, main=True, role="forgetting")
    else:
        forget = replace(FORGET, role="forgetting")
    plain = [
        replace(readout, undefined=why_no_error(outputs, WHERE[readout.name][0]))
        for readout in (forget, forget_true, *OTHERS)
    ]
    balanced = [
        Readout(
            f"{readout.name}_balanced",
            f"balanced {readout.title}",
            percent=True,
            undefined=readout.undefined,
        )
        for readout in plain
    ]
    return [*plain, *balanced]


def _two_class_readouts(outputs: Outputs, positive: int) -> list[Readout]:
    """Those on test data; all but the AUC are of the positive class."""
    name = outputs.class_names[positive]
    why = why_not_two_class(outputs, "test", outputs.labels["test"].true, positive)
    return [
        Readout("test_auc", "ROC AUC on test set", undefined=why),
        *(
            Readout(key, f"{measure} for {name} on test set", percent=True, undefined=why)
            for key, measure in OF_CLASS.items()
        ),
    ]


def _measured(outputs: Outputs, positive: int, population: Population) -> dict[str, np.ndarray]:
    """Every readout of each model, float64 [m]."""
    numbers = {}
    for name, (part, kind) in WHERE.items():
        labels = getattr(outputs.labels[part], kind)
        if (labels == NO_CLASS).any():
            continue
        numbers[name] = error_rates(population, part, labels)
        numbers[f"{name}_balanced"] = balanced_error_rates(population, part, labels)
    if outputs.num_classes == 2:
        values = two_class(population.logits["test"], outputs.labels["test"].true, positive)
        numbers |= dict(zip(TWO_CLASS, values, strict=True))
    return numbers
