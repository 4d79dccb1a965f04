"""Detection: accuracy, precision, recall, F1 of two classes on clean, poisoned and test data.

What the University of Trento's slides on real and fake images report, before and after unlearning.
Citation: N. Cappellaro, R. Zannoni, Machine Unlearning on TrueFake (slides), University of Trento
2025.
Equations: with one class positive, precision P = TP / (TP + FP), recall R = TP / (TP + FN),
F1 = 2 P R / (P + R), accuracy = share of examples whose larger logit is the label's, per model.
``clean``: Dr, of which the stored sample's outputs are used; ``poison``: Df against the labels that
were trained on, the poisoned ones; ``poison_true``: Df against the true ones; ``test``. The row's
number is the mean over models, its target that of the retrained population; "before" is the row
``original``.
In the terminal F1 alone, beside the errors; table.md has all.
Deviations: the slides do not say which class is positive; ours is the one that ``positive`` names,
by default the one called fake, else the second; titles and a note name it. Numbers that cannot be
computed do not exist: the precision of a model that calls nothing positive, and all but accuracy
where the examples are of one class. Their poison accuracy was taken on images that had not been
poisoned, against clean labels, and selection used poisoned validation labels: here Df is what was
flipped, and both of its labels are kept. A number near that of the row ``constant`` is collapse,
not forgetting: their 50 % run ended there.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.attacks.shared.error_rates import (
    error_rates,
    positive_class,
    two_class,
    why_no_error,
    why_not_two_class,
)
from bench.plugins.attack import declares
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import NO_CLASS, Outputs, Population, Readout, Scores

VERSION = 2
WHERE = {
    "clean": ("retain", "train", "on clean training data (sample of Dr)", "clean"),
    "poison": ("forget", "train", "on Df, trained label", "poison"),
    "poison_true": ("forget", "true", "on Df, true label", "poison true"),
    "test": ("test", "true", "on test set", "test"),
}
MEASURES = {"accuracy": "acc", "precision": "prec", "recall": "rec", "f1": "F1"}
MAIN = {"clean_f1", "poison_f1", "test_f1"}


@declares(reports=("forget", "retain", "test"), names_class="positive")
def detection(outputs: Outputs, *, positive: str | int = "") -> Scores:
    if outputs.num_classes != 2:
        number = outputs.num_classes
        return Scores(
            [], [], notes=[f"detection is for two classes, here are {number}: see errors"]
        )
    of_class = positive_class(outputs, str(positive))
    scores = score_rows(
        outputs,
        partial(_measured, outputs, of_class),
        lambda name: outputs.rng("detection", name),
    )
    known = {score.readout for score in scores}
    readouts = [r for r in _readouts(outputs, of_class) if r.name in known]
    size = len(outputs.labels["retain"].train)
    notes = [
        f"detection: positive is {outputs.class_names[of_class]} "
        f"(detection[positive={outputs.class_names[1 - of_class]}] for the other class)",
        f"clean: the {size} examples of Dr whose outputs are stored (retain_sample)",
    ]
    return Scores(readouts, scores, notes)


def _readouts(outputs: Outputs, positive: int) -> list[Readout]:
    """Every measure on every part, with the reason why it may not exist there."""
    name, readouts = outputs.class_names[positive], []
    for where, (part, kind, title, short) in WHERE.items():
        why = why_not_two_class(outputs, part, getattr(outputs.labels[part], kind), positive)
        for measure, short_measure in MEASURES.items():
            is_accuracy = measure == "accuracy"
            words = "accuracy" if is_accuracy else f"{measure.replace('f1', 'F1')} for {name}"
            readouts.append(
                Readout(
                    f"detection_{where}_{measure}",
                    f"{words} {title}",
                    percent=True,
                    main=f"{where}_{measure}" in MAIN,
                    short=f"{short} {short_measure}",
                    undefined=why_no_error(outputs, part) if is_accuracy else why,
                )
            )
    return readouts


def _measured(outputs: Outputs, positive: int, population: Population) -> dict[str, np.ndarray]:
    """Every readout of each model, float64 [m]; none against the label of a class that is gone."""
    numbers = {}
    for where, (part, kind, _title, _short) in WHERE.items():
        labels = getattr(outputs.labels[part], kind)
        if (labels == NO_CLASS).any():
            continue
        accuracy = 1 - error_rates(population, part, labels)
        _auc, *others = two_class(population.logits[part], labels, positive)
        for measure, values in zip(MEASURES, (accuracy, *others), strict=True):
            numbers[f"detection_{where}_{measure}"] = values
    return numbers
