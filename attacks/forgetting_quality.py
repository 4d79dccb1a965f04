"""Forgetting quality: how well attacks tell N unlearned from N retrained models, per example.

Citation: the NeurIPS 2023 unlearning competition's measure, as algorithm 1 of Y. Suprun's report
(Rice University, COMP 540) states it: the variant `report`.
Equations: for each example s of Df and each attack with rates FPR, FNR,
  eps_s = max over attacks of max(log(1 - delta - FPR) - log FNR, log(1 - delta - FNR) - log FPR);
  both rates 0: infinity; exactly one 0: the attack is discarded; NaN is discarded (nan-max).
  H(s) = 2 / 2^n(s), n(s) = 1..13 the bin of width 0.5 that eps_s lies in; F = mean of H over Df.
  Final score = F * RA_U / RA_R * TA_U / TA_R, with mean accuracies on Dr and test; not clipped.
Deviations: the report leaves the statistic f and the attacks open; its notebook takes -log max p
(blind to labels: statistic=largest-loss) and a one-way threshold, which cannot see a partial shift
downwards (direction=up). Ours are LiRA's logit-scaled confidence in the trained label and both
directions, beside the notebook's logistic regression on stratified shuffle splits (10 % held out).
If every attack is discarded, algorithm 1 leaves eps undefined; as in the notebook it is 0 here.
Identical models defeat algorithm 1: every threshold has a rate of 0 and is discarded, so F is high
(see the `constant` row); the final score and the errors tell such collapse from forgetting.
F depends on N: never compare it across N, and read it beside the `retrain` row, its ceiling.
The interval is a jackknife over pairs of models: drawing models twice would fake separations.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from attacks.errors import error_rates
from attacks.shared.distinguish import logistic_rates, threshold_rates
from attacks.shared.intervals import jackknife, score_population
from attacks.shared.probabilities import largest_loss, logit_confidence
from bench.outputs import Outputs, Population, Readout, Scores
from bench.params import Count, OpenFraction

VERSION = 1
BIN_WIDTH, BINS = 0.5, 13
STATISTICS = {"logit-confidence": logit_confidence, "largest-loss": largest_loss}
EDGES = np.arange(BINS + 1) * BIN_WIDTH

READOUTS = [
    Readout("forgetting_quality", "forgetting quality F", "high", 1.0, main=True, short="F"),
    Readout("final_score", "final score F x RA x TA", "high", 1.0, main=True, short="final F"),
]


def forgetting_quality(
    outputs: Outputs,
    *,
    delta: OpenFraction = 0.01,
    statistic: Literal["logit-confidence", "largest-loss"] = "logit-confidence",
    direction: Literal["both", "up"] = "both",
    logistic: bool = True,
    splits: Count = 3,
) -> Scores:
    labels = outputs.labels["forget"].train
    of = STATISTICS[statistic]
    reference = of(outputs.retrained.logits["forget"], labels)

    def epsilons(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
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
            quality = quality_of(epsilons(unlearned[kept], retrained[kept]))
            return np.array([quality, quality * final_factor(ratios, kept)])

        count = len(population)
        values, bounds = jackknife(both_scores, count, (1.0, np.inf))
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
