"""Detection: accuracy, precision, recall, F1 of two classes on clean, poisoned and test data.

What the University of Trento's slides on real and fake images report, before and after unlearning.
Citation: N. Cappellaro, R. Zannoni, Machine Unlearning on TrueFake (slides), University of Trento
2025.
Equations: with class 1 (fake) positive, precision P = TP / (TP + FP), recall R = TP / (TP + FN),
F1 = 2 P R / (P + R), accuracy = share of examples whose larger logit is the label's, per model.
``clean``: Dr, of which the stored sample's outputs are used; ``poison``: Df against the labels that
were trained on, the poisoned ones; ``poison_true``: Df against the true ones; ``test``. The row's
number is the mean over models, its target that of the retrained population; "before" is the row
``original``.
In the terminal F1 alone, beside the errors; table.md has all.
Deviations: the slides do not say which class is positive; ours is the second, fake. A precision
without any positive claim counts as 0. Their poison accuracy was taken on images that had not been
poisoned, against clean labels, and selection used poisoned validation labels: here Df is what was
flipped, and both of its labels are kept. A number near that of the row ``constant`` is collapse,
not forgetting: their 50 % run ended there.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.attacks.shared.error_rates import error_rates, two_class
from bench.plugins.attack import declares
from bench.plugins.intervals import score_rows
from bench.plugins.outputs import NO_CLASS, Outputs, Population, Readout, Scores

VERSION = 1
WHERE = {
    "clean": ("retain", "train", "on clean training data (sample of Dr)", "clean"),
    "poison": ("forget", "train", "on Df, trained label", "poison"),
    "poison_true": ("forget", "true", "on Df, true label", "poison true"),
    "test": ("test", "true", "on test set", "test"),
}
MEASURES = {"accuracy": "acc", "precision": "prec", "recall": "rec", "f1": "F1"}
MAIN = {"clean_f1", "poison_f1", "test_f1"}
READOUTS = [
    Readout(
        f"detection_{where}_{measure}",
        f"{'F1' if measure == 'f1' else measure} {title}",
        percent=True,
        main=f"{where}_{measure}" in MAIN,
        short=f"{short} {MEASURES[measure]}",
    )
    for where, (_part, _kind, title, short) in WHERE.items()
    for measure in MEASURES
]


@declares(reports=("forget", "retain", "test"))
def detection(outputs: Outputs) -> Scores:
    if outputs.num_classes != 2:
        number = outputs.num_classes
        return Scores(
            [], [], notes=[f"detection is for two classes, here are {number}: see errors"]
        )
    scores = score_rows(
        outputs, partial(_measured, outputs), lambda name: outputs.rng("detection", name)
    )
    known = {score.readout for score in scores}
    size = len(outputs.labels["retain"].train)
    note = f"clean: the {size} examples of Dr whose outputs are stored (retain_sample)"
    return Scores([r for r in READOUTS if r.name in known], scores, [note])


def _measured(outputs: Outputs, population: Population) -> dict[str, np.ndarray]:
    """Every readout of each model, float64 [m]; none against the label of a class that is gone."""
    numbers = {}
    for where, (part, kind, _title, _short) in WHERE.items():
        labels = getattr(outputs.labels[part], kind)
        if (labels == NO_CLASS).any():
            continue
        accuracy = 1 - error_rates(population, part, labels)
        _auc, *others = two_class(population.logits[part], labels)
        for measure, values in zip(MEASURES, (accuracy, *others), strict=True):
            numbers[f"detection_{where}_{measure}"] = values
    return numbers
