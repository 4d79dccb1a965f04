"""What attacks score when there is nothing to find: means of AUCs, coverage of their intervals.

    python -m tests.benchmarks.null_coverage [--runs 200] [--pairs 20] [--folds 5]

Draws originals, retrained models and an honest second retraining from Gaussian logits with effects
of the example and of the model, and attacks them as a run does. Exchangeable populations must give
a mean of 0.5, and intervals that contain 0.5 in about 95 % of the draws.
"""

from __future__ import annotations

import argparse

import numpy as np
from joblib import Parallel, delayed

from bench.attacks.membership import membership
from bench.attacks.u_lira import u_lira
from bench.plugins.outputs import Labels, Outputs, Population

EXAMPLES, CLASSES, TREES = 60, 5, 30
SHOWN = ("mia_auc", "ulira_accuracy", "ulira_auc", "population_accuracy")


def null_outputs(seed: int, pairs: int) -> Outputs:
    """Originals that learnt the trained labels, and two exchangeable retrained populations."""
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
    return Outputs(original, retrained, rows, {"forget": Labels(trained, true)}, seed)


def one_null(seed: int, pairs: int, folds: int) -> list[tuple[float, bool, float]]:
    """Of each number: its value, whether its interval contains 0.5, and the interval's width."""
    outputs = null_outputs(seed, pairs)
    scores = (
        membership(outputs, folds=folds, trees=TREES, tune=False).scores + u_lira(outputs).scores
    )
    by_name = {score.readout: score for score in scores}
    numbers = []
    for name in SHOWN:
        low, high = by_name[name].interval or (np.nan, np.nan)
        numbers.append((by_name[name].value, low <= 0.5 <= high, high - low))
    return numbers


def main() -> None:
    """Print one line per number."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    chosen = parser.parse_args()
    work = (delayed(one_null)(seed, chosen.pairs, chosen.folds) for seed in range(chosen.runs))
    numbers = np.array(Parallel(n_jobs=-1)(work), dtype=float)
    print(f"{chosen.runs} draws of {chosen.pairs} pairs, {chosen.folds} folds")
    print("number               mean    standard error  sd      covers 0.5  mean width")
    for name, (value, covered, width) in zip(SHOWN, numbers.transpose(1, 2, 0), strict=True):
        spread = value.std(ddof=1)
        print(
            f"{name:<20} {value.mean():.4f}  {spread / np.sqrt(chosen.runs):<14.4f}  {spread:.4f}  "
            f"{covered.mean():<10.3f}  {width.mean():.3f}"
        )


if __name__ == "__main__":
    main()
