"""Relearn time: epochs until a model has Df by heart again, as well as the original.

Citation: A. Golatkar, A. Achille, S. Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020, and
its code (AdityaGolatkar/SelectiveForgetting, main.ipynb); settings of M. Kurmanji et al., Towards
Unbounded Machine Unlearning (SCRUB), NeurIPS 2023 (meghdadk/SCRUB).
Protocol: epochs of 500 training examples drawn with replacement, Df with its trained labels among
them, batches of 128, plain SGD, rate 0.1, in eval mode, loss CE + 0.1 / 2 * |w - w0|^2 with w0 the
weights it begins with. Before each epoch the loss on Df is compared with the original's + 1e-5;
the number of comparisons is the time, so that the original has 1. Golatkar's rate is lr=0.01.
Deviations: none from the code; that never getting there within 100 epochs has the same number as
getting there at the last is said in a note. No value is ideal by itself: compare with retraining.
Training: only when asked for.
"""

from __future__ import annotations

from bench.attacks.shared.relearning import unreached
from bench.config.limits import Count, NonNegative, Positive
from bench.plugins.attack import declares
from bench.plugins.intervals import score_models
from bench.plugins.outputs import Outputs, Readout, Scores

VERSION = 1
READOUTS = [Readout("relearn_time", "relearn time (epochs)", main=True, short="relearn")]


@declares(stage="relearn", until="loss")
def relearn_time(
    outputs: Outputs,
    *,
    lr: Positive = 0.1,
    batch_size: Count = 128,
    epochs: Count = 100,
    draws: Count = 500,
    anchor: NonNegative = 0.1,
    slack: NonNegative = 1e-5,
) -> Scores:
    retrained = outputs.relearning["retrained"].steps.astype(float)
    scores = [
        score_models(
            row,
            "relearn_time",
            outputs.relearning[row].steps.astype(float),
            retrained[population.members],
            outputs.rng("relearn-time"),
        )
        for row, population in outputs.rows.items()
        if row in outputs.relearning  # the constant predictor has no weights
    ]
    return Scores(READOUTS, scores, notes=unreached("relearn-time", outputs, f"{epochs} epochs"))
