"""How often the membership AUC's 95 % interval covers 0.5 when there is nothing to find.

    python -m tests.benchmarks.null_coverage [--runs 200] [--pairs 20] [--folds 5 10 20]

Draws originals, retrained models and an honest second retraining from Gaussian logits with effects
of the example and of the model, attacks them as a run does, and counts. Exchangeable populations
must give a mean AUC of 0.5 and a coverage near 95 %.
"""

from __future__ import annotations

import argparse

import numpy as np
from joblib import Parallel, delayed

from attacks.membership import membership
from bench.outputs import Labels, Outputs, Population

EXAMPLES, CLASSES, TREES = 60, 5, 30


def one_null(seed: int, pairs: int, folds: int) -> tuple[float, bool, float]:
    """AUC of the second retraining, whether its interval holds 0.5, and the interval's width."""
    rng = np.random.default_rng(seed)
    true = rng.integers(CLASSES, size=EXAMPLES)
    trained = (true + 1) % CLASSES
    of_example = rng.normal(0, 2, (EXAMPLES, CLASSES))

    def population(poisoned: bool) -> Population:
        logits = of_example + rng.normal(0, 1, (pairs, EXAMPLES, CLASSES))
        logits = logits + rng.normal(0, 1, (pairs, 1, CLASSES))
        logits *= rng.uniform(0.7, 1.3, (pairs, 1, 1))
        if poisoned:
            logits[:, np.arange(EXAMPLES), trained] += 2
        return Population(np.arange(pairs), {"forget": logits.astype(np.float32)})

    original, retrained = population(True), population(False)
    rows = {"retrain": population(False)}
    outputs = Outputs(original, retrained, rows, {"forget": Labels(trained, true)}, seed)
    scores = membership(outputs, folds=folds, trees=TREES, tune=False).scores
    auc = next(score for score in scores if score.readout == "mia_auc")
    low, high = auc.interval
    return auc.value, low <= 0.5 <= high, high - low


def main() -> None:
    """Print one line per number of folds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--folds", type=int, nargs="+", default=[5, 10, 20])
    chosen = parser.parse_args()
    print("folds  runs  mean AUC  sd      covered  mean width")
    for folds in chosen.folds:
        work = (delayed(one_null)(seed, chosen.pairs, folds) for seed in range(chosen.runs))
        auc, covered, width = np.array(Parallel(n_jobs=-1)(work), dtype=float).T
        print(
            f"{folds:>5}  {chosen.runs:>4}  {auc.mean():.4f}    {auc.std(ddof=1):.4f}  "
            f"{covered.mean():.3f}    {width.mean():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
