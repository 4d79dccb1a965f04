"""AIN, the anamnesis index: how much faster than a retrained model does it learn Df again?

Citation: V. S. Chundawat, A. K. Tarun, M. Mandal, M. Kankanhalli, Zero-Shot Machine Unlearning,
IEEE Transactions on Information Forensics and Security 2023, and its code
(ayushkumartarun/zero-shot-unlearning, metrics.py).
Equation: AIN = rt(unlearned) / rt(retrained), rt = steps of Adam (rate 0.001, batches of 256, all
training data, Df with its trained labels included) until the accuracy on Df is at least 95 % of the
original's. 1 is ideal; far below 1 traces are left, far above 1 the model was pushed too far.
Deviations: the paper measures accuracy on validation examples of the forgotten class; where no
class is forgotten there are none, so ours is on Df. The code then evaluates on a global that is the
whole test set in the authors' notebook, where Df hardly counts; ours is as the function's argument
says. As there, accuracy is read after each step, so that rt is at least 1; after 10 epochs it stops
(a note says how often), and counts those steps. The paper has one model of each; here the ratio of
mean steps over pairs, with a jackknife over pairs. Training: only when asked for.
"""

from __future__ import annotations

import numpy as np

from bench.attacks.shared.relearning import unreached
from bench.config.limits import Count, OpenFraction, Positive
from bench.plugins.attack import declares
from bench.plugins.intervals import score_jackknife
from bench.plugins.outputs import Outputs, Readout, Scores

VERSION = 1
READOUTS = [Readout("ain", "anamnesis index AIN", "target", 1.0, main=True, short="AIN")]


@declares(stage="relearn", until="accuracy")
def ain(
    outputs: Outputs,
    *,
    lr: Positive = 0.001,
    batch_size: Count = 256,
    epochs: Count = 10,
    margin: OpenFraction = 0.05,
) -> Scores:
    retrained = outputs.relearning["retrained"].steps
    scores, replicates = [], []
    for row, population in outputs.rows.items():
        if row not in outputs.relearning:  # the constant predictor has no weights
            continue
        steps, theirs = outputs.relearning[row].steps, retrained[population.members]

        def ratio(
            kept: np.ndarray, steps: np.ndarray = steps, theirs: np.ndarray = theirs
        ) -> np.ndarray:
            return np.array([steps[kept].mean() / theirs[kept].mean()])

        row_scores, left_out = score_jackknife(row, READOUTS, ratio, len(steps), (np.inf,))
        scores += row_scores
        replicates += left_out
    notes = unreached("ain", outputs, f"{epochs} epochs")
    return Scores(READOUTS, scores, notes, replicates=replicates)
