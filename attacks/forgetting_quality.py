"""Forgetting quality: how well attacks tell N unlearned from N retrained models, per example.

Citation: the measure of the NeurIPS 2023 unlearning competition, in two variants: ``report``,
algorithm 1 of Y. Suprun's report (Rice University, COMP 540, 2023), and ``competition``, the
released scorer (google-deepmind/unlearning_evaluation, metric.py).
Equations: for each example s of Df and each attack with rates FPR, FNR,
  eps_s = max over attacks of max(log(1 - delta - FPR) - log FNR, log(1 - delta - FNR) - log FPR);
  both rates 0: infinity; exactly one 0: the attack is discarded; NaN is discarded (nan-max).
  H(s) = 2 / 2^n(s), n(s) = 1, 2, ... the bin of width 0.5 that eps_s lies in; F = mean of H.
  Final score = F * RA_U / RA_R * TA_U / TA_R, with mean accuracies on Dr and test; not clipped.
report: delta 0.01, 13 bins, of which the last takes all that lies beyond.
  The report leaves the statistic f and the attacks open; its notebook takes -log max p (blind to
  labels: statistic=largest-loss) and a one-way threshold, which cannot see a partial shift down
  (direction=up). Ours are LiRA's logit-scaled confidence in the trained label and both directions,
  beside the notebook's logistic regression on stratified shuffle splits (10 % held out). If every
  attack is discarded, algorithm 1 leaves eps undefined; as in the notebook it is 0 here. Identical
  models defeat it: every threshold has a rate of 0 and is discarded, so F is high (see the
  `constant` row); the final score and the errors tell such collapse from forgetting.
competition: delta 1e-5, epsilon capped at 50, ceil(ln(N - 1)) / 0.5 bins and 0 beyond; thresholds
  on a fixed grid and intervals [l, r] around the peakier population (shared/released_scorer.py);
  the largest of about 160,000 rules is biased upwards, so that even retraining scores about 0.2.
F depends on N and on the variant: never compare across either, and read it beside the `retrain`
row, its ceiling. The interval is a jackknife over pairs of models: drawing models twice would fake
separations.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from attacks.errors import error_rates
from attacks.shared.distinguish import logistic_rates, threshold_rates
from attacks.shared.intervals import jackknife, score_population
from attacks.shared.probabilities import (
    largest_loss,
    logit_confidence,
    released_confidence,
)
from attacks.shared.released_scorer import released_epsilons
from bench.outputs import Outputs, Population, Readout, Scores
from bench.params import Count, OpenFraction

VERSION = 2
BIN_WIDTH, BINS = 0.5, 13
STATISTICS = {"logit-confidence": logit_confidence, "largest-loss": largest_loss}
EDGES = np.arange(BINS + 1) * BIN_WIDTH
DELTA = {"report": 0.01, "competition": 1e-5}
GROUPS = {"report": 20, "competition": 10}  # of the jackknife

READOUTS = [
    Readout("forgetting_quality", "forgetting quality F", "high", 1.0, main=True, short="F"),
    Readout("final_score", "final score F x RA x TA", "high", 1.0, main=True, short="final F"),
]


def forgetting_quality(
    outputs: Outputs,
    *,
    variant: Literal["report", "competition"] = "report",
    delta: OpenFraction | None = None,
    statistic: Literal["logit-confidence", "largest-loss"] = "logit-confidence",
    direction: Literal["both", "up"] = "both",
    logistic: bool = True,
    splits: Count = 3,
) -> Scores:
    labels = outputs.labels["forget"].train
    released = variant == "competition"
    of = STATISTICS[statistic]
    if released and statistic == "logit-confidence":
        of = released_confidence
    reference = of(outputs.retrained.logits["forget"], labels)
    delta = DELTA[variant] if delta is None else delta

    def epsilons(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
        if released:
            return released_epsilons(unlearned, retrained, delta)
        rates = [threshold_rates(unlearned, retrained, both=direction == "both")]
        if logistic:
            rng = outputs.rng("forgetting-quality", "splits")
            rates.append(logistic_rates(unlearned, retrained, splits, rng))
        false, missed = (np.concatenate(parts, axis=1) for parts in zip(*rates, strict=True))
        return example_epsilons(false, missed, delta)

    scores, curves = [], {"|epsilon_edges": EDGES}
    for row, population in outputs.rows.items():
        unlearned = of(population.logits["forget"], labels)
        retrained = reference[population.members]
        found = epsilons(unlearned, retrained)
        curves[f"{row}|epsilon"] = np.bincount(bin_of(found) - 1, minlength=BINS)
        ratios = accuracy_ratios(outputs, population)

        def both_scores(kept, unlearned=unlearned, retrained=retrained, ratios=ratios):
            of_models = epsilons(unlearned[kept], retrained[kept])
            quality = released_quality(of_models, len(kept)) if released else quality_of(of_models)
            return np.array([quality, quality * final_factor(ratios, kept)])

        count = len(population)
        values, bounds = jackknife(both_scores, count, (1.0, np.inf), GROUPS[variant])
        scores += [
            score_population(row, readout.name, value, 1.0, count, bound)
            for readout, value, bound in zip(READOUTS, values, bounds, strict=True)
        ]
    return Scores(READOUTS, scores, curves)


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
    """RA_U / RA_R * TA_U / TA_R over the models ``kept``."""
    means = [accuracies[:, kept].mean(1) for accuracies in ratios]
    return float(np.prod([unlearned / retrained for unlearned, retrained in means]))


def example_epsilons(false: np.ndarray, missed: np.ndarray, delta: float) -> np.ndarray:
    """Algorithm 1: epsilon of each example from rates [examples, attacks]; 0 if nothing is left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = np.log(1 - delta - false) - np.log(missed)
        backward = np.log(1 - delta - missed) - np.log(false)
        epsilon = np.fmax(forward, backward)  # ignores a NaN beside a number
    epsilon[(false == 0) & (missed == 0)] = np.inf
    epsilon[(false == 0) ^ (missed == 0)] = np.nan
    strongest = np.fmax.reduce(epsilon, axis=1)
    return np.where(np.isnan(strongest), 0.0, strongest)


def bin_of(epsilon: np.ndarray) -> np.ndarray:
    """The bin 1..13 of each epsilon: width 0.5 from 0; what lies beyond counts in the last."""
    return np.clip(np.digitize(epsilon, EDGES), 1, BINS)


def quality_of(epsilon: np.ndarray) -> float:
    """F: the mean of 2 / 2^bin."""
    return float((2.0 / 2.0 ** bin_of(epsilon)).mean())


def released_quality(epsilon: np.ndarray, models: int) -> float:
    """F of the released scorer: 1, 1/2, 1/4, ... by bins up to ceil(ln(N - 1)), then 0."""
    bins = 2 * np.ceil(np.log(models - 1)) if models > 2 else 0
    number = np.floor(epsilon / BIN_WIDTH)
    return float(np.where(number < bins, 0.5**number, 0.0).mean())
