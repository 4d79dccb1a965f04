"""U-LiRA: a likelihood-ratio attack with its own Gaussians for each forgotten example.

Citation: J. Hayes, I. Shumailov, E. Triantafillou, A. Khalifa, N. Papernot, Inexact Unlearning
Needs More Careful Evaluations to Avoid a False Sense of Privacy, 2024; statistic and Gaussians of
N. Carlini et al., Membership Inference Attacks From First Principles, S&P 2022.
Equations: for each example of Df, its logit-scaled confidence log p_y - log(1 - p_y) is
N(mu_u, s_u) over unlearned and N(mu_r, s_r) over retrained models; an output is called unlearned if
log N(x; mu_u, s_u) - log N(x; mu_r, s_r) > 0. Accuracy on as many unlearned as retrained outputs;
0.5 is perfect forgetting. AUC compares the log-ratios of an unlearned model with those of its
retrained partner, which the same Gaussians judge: across pairs, each model is in the other's
Gaussians, and equal populations would score below 0.5. Beside it the population attack: one pair of
Gaussians for all examples, which is what most papers run, and which underestimates what leaks.
Deviations: the paper trains shadow models apart from the target. Here each pair of models is judged
by Gaussians of all other pairs, so that each is judged once and none by itself. Of fewer than 32
models the variances of single examples are too noisy, and one variance over all examples is taken
per population, as LiRA does (variance=pooled; =example for the paper's). Interval: jackknife over
pairs; it is wide, since leaving a pair out moves everyone's Gaussians: of 200 simulated pairs of
equal populations it held 0.5 in all but one (python -m tests.benchmarks.null_coverage).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from bench.attacks.shared.probabilities import logit_confidence
from bench.attacks.shared.roc import area, roc_points, tpr_at
from bench.plugins.intervals import score_jackknife
from bench.plugins.outputs import Outputs, Readout, Scores

VERSION = 4
FEW = 32  # models, below which variances are pooled
LARGEST = 100.0  # of a confidence; softmax outputs in float32 say no more
SMALLEST_DEVIATION = 1e-6

READOUTS = [
    Readout("ulira_accuracy", "U-LiRA accuracy", "target", 0.5, percent=True),
    Readout("ulira_auc", "U-LiRA AUC", "target", 0.5),
    Readout("ulira_tpr1", "U-LiRA TPR at 1 % FPR", "target", 0.01, percent=True),
    Readout("population_accuracy", "population attack accuracy", "target", 0.5, percent=True),
]


def u_lira(outputs: Outputs, *, variance: Literal["auto", "example", "pooled"] = "auto") -> Scores:
    labels = outputs.labels["forget"].train
    if len(outputs.retrained) < 3:
        note = "u-lira: not scored, two pairs must be left to judge a third"
        return Scores(READOUTS, [], notes=[note])

    def confidences(logits: np.ndarray) -> np.ndarray:
        return np.clip(logit_confidence(logits, labels), -LARGEST, LARGEST)

    reference = confidences(outputs.retrained.logits["forget"])
    scores, replicates = [], []
    for row, population in outputs.rows.items():
        if len(population) < 3:
            continue
        unlearned = confidences(population.logits["forget"])
        retrained = reference[population.members]

        def judged(
            kept: np.ndarray, u: np.ndarray = unlearned, r: np.ndarray = retrained
        ) -> np.ndarray:
            return attack(u[kept], r[kept], variance)

        count = len(population)
        row_scores, left_out = score_jackknife(row, READOUTS, judged, count, (1.0,) * 4, least=3)
        scores += row_scores
        replicates += left_out
    return Scores(READOUTS, scores, replicates=replicates)


def attack(unlearned: np.ndarray, retrained: np.ndarray, variance: str) -> np.ndarray:
    """Accuracy, AUC, TPR at 1 % FPR and the population attack's accuracy, of [models, examples]."""
    pooled = variance == "pooled" or (variance == "auto" and len(unlearned) < FEW)
    of_unlearned, of_retrained = log_ratios(unlearned, retrained, pooled, per_example=True)
    within = [area(*roc_points(*pair)) for pair in zip(of_unlearned, of_retrained, strict=True)]
    return np.array(
        [
            _accuracy(of_unlearned, of_retrained),
            np.mean(within),
            tpr_at(*roc_points(of_unlearned, of_retrained), 0.01),
            _accuracy(*log_ratios(unlearned, retrained, pooled, per_example=False)),
        ]
    )


def _accuracy(of_unlearned: np.ndarray, of_retrained: np.ndarray) -> float:
    """Share of right calls; an undecided one (log-ratio 0) is half right."""
    right = (np.sign(of_unlearned).mean() - np.sign(of_retrained).mean()) / 2
    return float(0.5 + right / 2)


def log_ratios(
    unlearned: np.ndarray, retrained: np.ndarray, pooled: bool, per_example: bool
) -> tuple[np.ndarray, np.ndarray]:
    """log N(x; unlearned) - log N(x; retrained) of both populations' outputs, [models, examples].

    Each model by the Gaussians of all pairs but its own.
    """
    sides = []
    for values in (unlearned, retrained):
        mean, deviation = _others(values, pooled, per_example)
        sides.append(lambda x, m=mean, s=deviation: -(((x - m) / s) ** 2) / 2 - np.log(s))
    return tuple(sides[0](x) - sides[1](x) for x in (unlearned, retrained))


def _others(values: np.ndarray, pooled: bool, per_example: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over all models but each one in turn, [models, examples or 1]."""
    if not per_example:
        means, squares = values.mean(1, keepdims=True), (values**2).mean(1, keepdims=True)
        mean, second = _without(means), _without(squares)
        variance = second - mean**2
    else:
        mean, second = _without(values), _without(values**2)
        variance = (second - mean**2) * (len(values) - 1) / max(len(values) - 2, 1)
        if pooled:
            variance = variance.mean(1, keepdims=True)
    return mean, np.sqrt(np.maximum(variance, SMALLEST_DEVIATION**2))


def _without(values: np.ndarray) -> np.ndarray:
    """The mean over all models but one, for each."""
    return (values.sum(0) - values) / (len(values) - 1)
