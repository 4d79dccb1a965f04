"""Whether speed costs accuracy: N models by the usual loop, by the harness in fp32, and in bf16.

    python -m tests.benchmarks.precision --dataset npz:cifar10.npz [--network smallvgg]
                                         [--images 1500] [--epochs 6] [--models 10] [--out FOLDER]

Originals of the harness have equal initial weights, order and augmentation in both precisions, so
their difference is taken in pairs (Student's 95 % interval); from the usual loop's models they
differ in all that is random (Welch's). Errors are those on test data. The harness's models are kept
in --out: a repeated command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from bench.config.load import load_config
from bench.config.schema import cores
from bench.stages.context import ORIGINAL, Experiment
from bench.training.prediction import accuracy
from tests.benchmarks.measure import machine
from tests.benchmarks.training import harness, tested, usual_loop


def experiment(chosen: argparse.Namespace, precision: str) -> Experiment:
    """The recipe of all."""
    train = {"epochs": chosen.epochs, "lr": chosen.lr, "batch_size": 128, "augment": "crop-flip"}
    given = {
        "dataset": chosen.dataset,
        "model": chosen.network,
        "subset": int(chosen.images / 0.85),
        "models": chosen.models,
        "methods": "ssd",
        "scenario": "random[count=10]",
        "out": str(chosen.out),
        "train": train | {"precision": precision},
    }
    return Experiment(load_config(given))


def by_harness(found: Experiment, models: int) -> np.ndarray:
    """Test errors in percent, one a model."""
    harness(found, range(models))
    test = tested(found)
    made = (found.load_model(ORIGINAL, member) for member in range(models))
    return np.array([100 * (1 - accuracy(model, test)) for model in made])


def by_the_usual_loop(found: Experiment, models: int) -> np.ndarray:
    """The same of models that the usual loop trains."""
    torch.set_num_threads(cores())
    test = tested(found)
    return np.array(
        [100 * (1 - accuracy(usual_loop(found, seed).eval(), test)) for seed in range(models)]
    )


def main() -> None:
    """Print the errors and their differences as they come."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="smallvgg")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    chosen = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    ways = {"harness, bf16": "bf16", "harness, fp32": "fp32", "usual loop, fp32": "fp32"}
    found = {}
    for way, precision in ways.items():
        make = by_harness if way.startswith("harness") else by_the_usual_loop
        errors = found[way] = make(experiment(chosen, precision), chosen.models)
        print(f"{way}: test error {errors.mean():.2f} ±{errors.std(ddof=1):.2f} %", flush=True)
    fast, plain, usual = found.values()
    in_pairs = stats.ttest_1samp(fast - plain, 0)
    told("bf16 - fp32, in pairs", fast, plain, in_pairs)
    told("bf16 - usual loop", fast, usual, stats.ttest_ind(fast, usual, equal_var=False))
    told("fp32 - usual loop", plain, usual, stats.ttest_ind(plain, usual, equal_var=False))


def told(what: str, one: np.ndarray, other: np.ndarray, test: Any) -> None:
    """A difference of means with its 95 % interval."""
    low, high = test.confidence_interval()
    apart = one.mean() - other.mean()
    print(f"{what}: {apart:+.2f} [{low:.2f}, {high:.2f}] points, n = {len(one)} and {len(other)}")


if __name__ == "__main__":
    main()
