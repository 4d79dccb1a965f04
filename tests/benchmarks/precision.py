"""Whether bf16 costs accuracy: N models of the same seeds with fp32 and with bf16 arithmetic.

    python -m tests.benchmarks.precision [--network smallvgg] [--dataset npz:cifar10.npz]
                                         [--images 3000] [--epochs 8] [--models 10] [--out FOLDER]

Originals of equal initial weights, order and augmentation; errors on test data, and the mean of the
paired differences with Student's 95 % interval. Models are kept in --out: a repeated command goes
on. On random pixels there is nothing to learn: name a data set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from bench.config import load_config
from bench.experiment import ORIGINAL, Experiment
from bench.recipe import accuracy
from tests.benchmarks.measure import machine
from tests.benchmarks.training import harness


def errors(chosen: argparse.Namespace, precision: str) -> np.ndarray:
    """Test errors in percent, one a model."""
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
    experiment = Experiment(load_config(given))
    harness(experiment, range(chosen.models))
    test = experiment.part("test")
    models = (experiment.load_model(ORIGINAL, member) for member in range(chosen.models))
    return np.array([100 * (1 - accuracy(model, test)) for model in models])


def main() -> None:
    """Print both errors and their difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--network", default="smallvgg")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    chosen = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    found = {precision: errors(chosen, precision) for precision in ("bf16", "fp32")}
    for precision, values in found.items():
        print(f"{precision}: test error {values.mean():.2f} ±{values.std(ddof=1):.2f} %")
    apart = found["bf16"] - found["fp32"]
    half = stats.sem(apart) * stats.t.ppf(0.975, len(apart) - 1)
    print(f"bf16 - fp32: {apart.mean():+.2f} ±{half:.2f} points (95 %, n = {len(apart)} pairs)")


if __name__ == "__main__":
    main()
