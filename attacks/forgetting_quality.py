"""Forgetting quality: how well attacks tell N unlearned from N retrained models, per example.

Citation: the unlearning competition of NeurIPS 2023, its measure in three variants: ``report``,
algorithm 1 of Y. Suprun's report (Rice University, COMP 540, 2023); ``notebook``, the community's
scorer (M. Gorinova, Machine unlearning evaluation on CIFAR-10, Kaggle 2023), which that report and
many others ran; ``competition``, the released scorer (google-deepmind/unlearning_evaluation,
metric.py).
Equations: for each example s of Df and each attack with rates FPR, FNR,
  eps_s = max over attacks of max(log(1 - delta - FPR) - log FNR, log(1 - delta - FNR) - log FPR);
  both rates 0: infinity; exactly one 0: the attack is discarded; NaN is discarded (nan-max).
  H(s) = 2 / 2^n(s), n(s) = 1, 2, ... the bin of width 0.5 that eps_s lies in; F = mean of H.
  Final score = F * RA_U / RA_R * TA_U / TA_R, with mean accuracies on Dr and test; not clipped. The
  competition took no method that needs over 20 % of retraining's time: the report says who does.
report: delta 0.01, 13 bins, of which the last takes all that lies beyond. The report leaves the
  statistic f and the attacks open. Ours are LiRA's logit-scaled confidence in the trained label,
  and the notebook's attacks, its threshold in both directions: one way only, it cannot see a
  partial shift down (direction=up). If every attack is discarded, algorithm 1 leaves eps undefined;
  it is 0 here. Identical models defeat it: every threshold has a rate of 0 and is discarded, so F
  is high (see the `constant` row); the final score and the errors tell such collapse apart.
notebook: every sample value as a threshold, one way; logistic regression on 2 stratified shuffle
  splits, 10 % held out; f = -log max p, blind to labels. It departs from algorithm 1 in three ways:
  eps is at least 0; an attack with both directions NaN counts as infinity; nothing left gives 0.
  Its regressions are scikit-learn's to the letter (the interval's by our own, faster Newton steps).
competition: delta 1e-5, epsilon capped at 50, ceil(ln(N - 1)) / 0.5 bins and 0 beyond; thresholds
  on a fixed grid and intervals [l, r] around the peakier population (shared/released_scorer.py);
  the largest of about 160,000 rules is biased upwards, so that even retraining scores about 0.2.
F depends on N and on the variant: never compare across either, and read it beside the `retrain`
row, its ceiling. The interval is a jackknife over pairs of models: drawing models twice would fake
separations. Epsilons of all examples are kept, as the curves of the panel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from bench.attacks.shared.distinguish import logistic_rates, threshold_rates
from bench.attacks.shared.error_rates import error_rates, why_no_error
from bench.attacks.shared.probabilities import (
    largest_loss,
    logit_confidence,
    released_confidence,
)
from bench.attacks.shared.released_scorer import released_epsilons
from bench.config.limits import Count, OpenFraction
from bench.plugins.attack import declares
from bench.plugins.intervals import lone_models, score_jackknife
from bench.plugins.outputs import EVERY_ROW, Curve, Outputs, Panel, Population, Readout, Scores
from bench.plugins.rows import RETRAIN

VERSION = 5
BIN_WIDTH, BINS = 0.5, 13
EDGES = np.arange(BINS + 1) * BIN_WIDTH
SETTINGS: dict[str, dict[str, Any]] = {  # what each variant takes where a user says nothing else
    "report": {"delta": 0.01, "statistic": "logit-confidence", "direction": "both", "splits": 3},
    "notebook": {"delta": 0.01, "statistic": "largest-loss", "direction": "up", "splits": 2},
    "competition": {"delta": 1e-5, "statistic": "logit-confidence"},
}
GROUPS = {"report": 20, "notebook": 20, "competition": 10}  # of the jackknife
LEAST = {"report": 2, "notebook": 2, "competition": 3}  # models that are a distribution
Epsilons = Callable[[np.ndarray, np.ndarray], np.ndarray]

TIME_LIMIT = 0.2  # of retraining's time: the competition's rule
FLOOR = RETRAIN  # the row that shows what retraining itself scores

IDEAL: dict[str, Any] = {"better": "high", "target": 1.0, "main": True}
READOUTS = [
    Readout(
        "forgetting_quality",
        "forgetting quality F",
        short="F",
        role="attack",
        preference=2,
        **IDEAL,
    ),
    Readout(
        "final_score", "final score F x RA x TA", short="final F", time_limit=TIME_LIMIT, **IDEAL
    ),
]
PANEL = Panel(
    "epsilon",
    "Epsilon of each example",
    "values",
    xlabel="epsilon (the last bin is open)",
    ylabel="share",
    xlim=(0, BIN_WIDTH * BINS),
    ylim=(0, 1.03),
    edges=EDGES.tolist(),
    behind="retraining again, what nothing can beat",
    readout="forgetting_quality",
    symbol="F",
)
DEPENDS = "forgetting quality F depends on N: compare it with the retrain row, never across N"


@declares(reports=("retain", "test"))
def forgetting_quality(
    outputs: Outputs,
    *,
    variant: Literal["report", "notebook", "competition"] = "report",
    delta: OpenFraction | None = None,
    statistic: Literal["logit-confidence", "largest-loss"] | None = None,
    direction: Literal["both", "up"] | None = None,
    logistic: bool = True,
    splits: Count | None = None,
) -> Scores:
    given = {"delta": delta, "statistic": statistic, "direction": direction, "splits": splits}
    chosen = SETTINGS[variant] | {k: value for k, value in given.items() if value is not None}
    labels = outputs.labels["forget"].train
    statistic_from = statistic_of(variant, chosen["statistic"])
    published, epsilons = (
        epsilons_of(variant, chosen, logistic, one) for one in (variant == "notebook", False)
    )
    reference = statistic_from(outputs.retrained.logits["forget"], labels)
    scores, curves, replicates = [], [], []
    for row, population in outputs.rows.items():
        count = len(population)
        if count < 2:
            continue
        unlearned = statistic_from(population.logits["forget"], labels)
        retrained = reference[population.members]
        everyone = published(unlearned, retrained)
        curves.append(Curve(PANEL.name, row, everyone))
        if row == FLOOR:
            curves.append(Curve(PANEL.name, EVERY_ROW, everyone, behind=True))
        ratios = accuracy_ratios(outputs, population)

        def both_scores(
            kept: np.ndarray,
            u: np.ndarray = unlearned,
            r: np.ndarray = retrained,
            everyone: np.ndarray = everyone,
            ratios: list[np.ndarray] = ratios,
        ) -> np.ndarray:
            values = everyone if len(kept) == len(u) else epsilons(u[kept], r[kept])
            quality = quality_of(variant, values, len(kept))
            return np.array([quality, quality * final_factor(ratios, kept)])

        row_scores, left_out = score_jackknife(
            row, READOUTS, both_scores, count, (1.0, np.inf), GROUPS[variant], LEAST[variant]
        )
        scores += row_scores
        replicates += left_out
    notes = [*lone_models("forgetting-quality", outputs), *([DEPENDS] if scores else [])]
    reasons = why_undefined(variant, outputs)
    readouts = [replace(r, undefined=why) for r, why in zip(READOUTS, reasons, strict=True)]
    return Scores(readouts, scores, notes, panels=[PANEL], curves=curves, replicates=replicates)


def statistic_of(variant: str, name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """f: one number of each output [models, examples], from logits and labels."""
    if name == "largest-loss":
        return largest_loss
    return released_confidence if variant == "competition" else logit_confidence


def epsilons_of(variant: str, chosen: dict, logistic: bool, one_by_one: bool = False) -> Epsilons:
    """Epsilon of each example, of statistics [models, examples] of both populations."""
    if variant == "competition":
        return partial(released_epsilons, delta=chosen["delta"])

    def epsilons(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
        rates = [threshold_rates(unlearned, retrained, both=chosen["direction"] == "both")]
        if logistic:
            rates.append(logistic_rates(unlearned, retrained, chosen["splits"], one_by_one))
        false, missed = (np.concatenate(parts, axis=1) for parts in zip(*rates, strict=True))
        return example_epsilons(false, missed, chosen["delta"], variant == "notebook")

    return epsilons


def accuracy_ratios(outputs: Outputs, population: Population) -> list[np.ndarray]:
    """Accuracies of each model and of its retrained partner, [2, m], on Dr and on test data."""
    return [
        np.stack(
            [
                1 - error_rates(population, part, outputs.labels[part].true),
                1
                - error_rates(outputs.retrained, part, outputs.labels[part].true)[
                    population.members
                ],
            ]
        )
        for part in ("retain", "test")
    ]


def final_factor(ratios: list[np.ndarray], kept: np.ndarray) -> float:
    """RA_U / RA_R * TA_U / TA_R over the models ``kept``; nan where retraining is never right."""
    means = [accuracies[:, kept].mean(1) for accuracies in ratios]
    if any(retrained == 0 for _unlearned, retrained in means):
        return float("nan")
    return float(np.prod([unlearned / retrained for unlearned, retrained in means]))


def why_undefined(variant: str, outputs: Outputs) -> list[str]:
    """Why F and the final score may not exist."""
    quality, final = "", ""
    if variant == "competition":
        quality = (
            "the released scorer needs three models, and values of an example that are not all "
            "equal"
        )
    for part in ("retain", "test"):
        right = 1 - error_rates(outputs.retrained, part, outputs.labels[part].true)
        if not right.size or np.isnan(right).any():
            final = why_no_error(outputs, part)
        elif not right.any():
            final = f"the score divides by the retrained models' accuracy on the {part} set, and "
            final += "that is 0"
    return [quality, final or quality]


def example_epsilons(
    false: np.ndarray, missed: np.ndarray, delta: float, notebook: bool = False
) -> np.ndarray:
    """Algorithm 1: epsilon of each example from rates [examples, attacks]; 0 if nothing is left.

    ``notebook``: as the notebook has it, at least 0 and infinity where both directions are NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = np.log(1 - delta - false) - np.log(missed)
        backward = np.log(1 - delta - missed) - np.log(false)
        epsilon = np.fmax(forward, backward)  # ignores a NaN beside a number
    if notebook:
        epsilon[np.isnan(forward) & np.isnan(backward)] = np.inf
    epsilon[(false == 0) & (missed == 0)] = np.inf
    epsilon[(false == 0) ^ (missed == 0)] = np.nan
    strongest = np.fmax.reduce(epsilon, axis=1)
    strongest = np.where(np.isnan(strongest), 0.0, strongest)
    return np.maximum(strongest, 0.0) if notebook else strongest


def quality_of(variant: str, epsilon: np.ndarray, models: int) -> float:
    """F of epsilons that ``models`` models of each kind gave."""
    if variant == "competition":
        return released_quality(epsilon, models)
    return float((2.0 / 2.0 ** bin_of(epsilon)).mean())


def bin_of(epsilon: np.ndarray) -> np.ndarray:
    """The bin 1..13 of each epsilon: width 0.5 from 0; what lies beyond counts in the last."""
    return np.clip(np.digitize(epsilon, EDGES), 1, BINS)


def released_quality(epsilon: np.ndarray, models: int) -> float:
    """F of the released scorer: 1, 1/2, 1/4, ... by bins up to ceil(ln(N - 1)), then 0.

    nan where an epsilon is, and below three models, of which it has no bins.
    """
    if models < LEAST["competition"] or np.isnan(epsilon).any():
        return float("nan")
    bins = 2 * np.ceil(np.log(models - 1))
    number = np.floor(epsilon / BIN_WIDTH)
    return float(np.where(number < bins, 0.5**number, 0.0).mean())
