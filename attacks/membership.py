"""Membership inference with XGBoost: can an attacker tell unlearned models from retrained ones?

Citation: T. Hoang et al., WACV 2024, supplementary material, section 1.1 and figure 7.
Protocol: (1) N originals (positive) and N retrained models (negative). (2) On Df, features are the
softmax outputs and the one-hot label; a classifier learns to tell the two, tuned for F1 on
validation pairs. (3) Methods unlearn. (4) Two balanced test sets of held-out pairs: no-unlearn
(original against retrained) and target (unlearned against retrained). AUC 0.5 on the target set is
perfect forgetting; below 0.5 the forgotten examples stand out the other way (Streisand effect).
Deviations: the paper splits 50 pairs once, 40/5/5. With ``folds`` > 1, the default, pairs are
cross-fitted, so that each is tested exactly once by a classifier that never saw it; ``folds=1`` is
the paper's single split. The paper's code fixes the classifier (rate 0.2, depth 10, subsample 0.8,
lambda 10, min child weight 0.1); it is one setting of the grid and, with ``tune=false``, the only
one. The label is the one that the original was trained on. Intervals resample pairs of models.
The row `retrain` shows what retraining itself scores. Pooling folds may cost a little: over 200
simulated pairs of equal populations the mean AUC was 0.496 (standard error 0.0016), and 97 % of the
intervals held 0.5 (python -m tests.benchmarks.null_coverage).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bench.attacks.shared.crossfit import attack_scores, learnable_pairs
from bench.attacks.shared.roc import pairwise_auc, resampled_tpr, roc_points, thinned, tpr_at
from bench.config.limits import Count
from bench.plugins.intervals import bootstrap_weights, interval, score_population
from bench.plugins.outputs import Curve, Outputs, Panel, Readout, Replicates, Score, Scores

VERSION = 3
EDGES = np.linspace(0, 1, 51)  # of the bins of the attacker's confidence

READOUTS = [
    Readout("mia_auc", "membership AUC", "target", 0.5, main=True, short="MIA AUC", role="attack"),
    Readout("mia_tpr1", "membership TPR at 1 % FPR", "target", 0.01, percent=True),
    Readout("mia_tpr01", "membership TPR at 0.1 % FPR", "target", 0.001, percent=True),
    Readout("mia_f1", "membership F1 at confidence 0.5"),
]
ROC = Panel(
    "roc",
    "ROC of the attack",
    "line",
    xlabel="false positive rate",
    ylabel="true positive rate",
    xlim=(0, 1),
    ylim=(0, 1),
    diagonal=True,
    readout="mia_auc",
    symbol="AUC",
    together="roc",
)
LOG_ROC = replace(
    ROC,
    name="log-roc",
    title="ROC, logarithmic",
    xscale="log",
    yscale="log",
    readout="mia_tpr1",
    symbol="TPR at 1 % FPR",
)
CONFIDENCE = Panel(
    "attack-scores",
    "The attacker's confidence",
    "histogram",
    xlabel="confidence that Df was trained on",
    ylabel="share",
    xlim=(0, 1),
    yscale="log",
    edges=EDGES.tolist(),
    behind="retrained models, judged alike",
    readout="mia_auc",
    symbol="AUC",
)


def membership(
    outputs: Outputs, *, folds: Count = 5, trees: Count = 100, tune: bool = True
) -> Scores:
    """Scores of all rows; the classifiers are fitted once and know nothing of the rows."""
    notes = []
    pairs = len(learnable_pairs(outputs))
    if pairs < 2:
        notes = [
            "membership: not scored, the attack needs at least 2 pairs of models to learn from"
        ]
        return Scores(READOUTS, [], notes)
    if pairs == 2 and tune:
        tune = False
        notes = ["membership: 2 pairs leave none to tune the attack on; published settings"]
    confidence = attack_scores(outputs, folds, trees, tune)
    tested = np.flatnonzero(np.isfinite(confidence["retrained"][:, 0]))
    scores, curves, replicates = [], [], []
    for row, population in outputs.rows.items():
        kept = np.isin(population.members, tested)
        positive = confidence[row][kept]
        negative = confidence["retrained"][population.members[kept]]
        if not len(positive):
            continue
        rng = outputs.rng("membership", "bootstrap")
        row_scores, draws = _row_scores(row, positive, negative, rng)
        scores += row_scores
        replicates += draws
        curves += _curves(row, positive, negative)
    panels = [ROC, LOG_ROC, CONFIDENCE]
    return Scores(READOUTS, scores, notes, panels, curves, replicates)


def _row_scores(
    row: str, positive: np.ndarray, negative: np.ndarray, rng: np.random.Generator
) -> tuple[list[Score], list[Replicates]]:
    """AUC, TPR at low FPR and F1 of one row, each with an interval over pairs of models.

    Also the numbers over the draws of pairs, for comparisons between rows.
    """
    count = len(positive)
    weights = bootstrap_weights(rng, count)
    table = pairwise_auc(positive, negative)
    drawn = {"mia_auc": np.einsum("bi,ij,bj->b", weights, table, weights, optimize=True)}
    values: dict[str, tuple[Any, Any]] = {"mia_auc": (table.mean(), 0.5)}
    false, true = roc_points(positive, negative)
    for name, fpr in (("mia_tpr1", 0.01), ("mia_tpr01", 0.001)):
        drawn[name] = resampled_tpr(weights, positive, negative, fpr)
        values[name] = (tpr_at(false, true, fpr), fpr)
    hits, alarms = (positive > 0.5).mean(1), (negative > 0.5).mean(1)
    chance = f1_score(alarms.mean(), alarms.mean())
    drawn["mia_f1"] = f1_score(weights @ hits, weights @ alarms)
    values["mia_f1"] = (f1_score(hits.mean(), alarms.mean()), chance)
    scores = [
        score_population(row, name, value, float(target), count, interval(drawn[name], count))
        for name, (value, target) in values.items()
    ]
    above = drawn["mia_f1"] - f1_score(weights @ alarms, weights @ alarms)  # chance is estimated
    scores[-1] = replace(scores[-1], gap_interval=interval(above, count))
    drawn["mia_f1"] = above + chance
    return scores, [
        Replicates(row, name, numbers.astype(np.float32), "bootstrap")
        for name, numbers in drawn.items()
    ]


def f1_score(hit_rate: np.ndarray, alarm_rate: np.ndarray) -> np.ndarray:
    """F1 on balanced sets, from the shares of members and of others that are called members."""
    return 2 * hit_rate / (1 + hit_rate + alarm_rate)


def _curves(row: str, positive: np.ndarray, negative: np.ndarray) -> list[Curve]:
    """The ROC curve, thinned, and histograms of the attacker's confidence."""
    false, true = thinned(*roc_points(positive, negative))
    counts, grey = (np.histogram(side, EDGES)[0] for side in (positive, negative))
    return [
        Curve(ROC.name, row, true, false),
        Curve(LOG_ROC.name, row, true, false),
        Curve(CONFIDENCE.name, row, counts),
        Curve(CONFIDENCE.name, row, grey, behind=True),
    ]
