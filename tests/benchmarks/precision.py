"""Whether speed costs accuracy: N models of the usual loop, of the harness in fp32, and in bf16.

    python -m tests.benchmarks.precision --dataset npz:cifar10.npz [--network smallvgg]
                                         [--images 1500] [--epochs 6] [--models 10] [--out FOLDER]

Originals of the harness have the same initial weights, order and augmentation in both precisions,
so their errors are compared in pairs (Student's 95 % interval). They share nothing random with the
usual loop's models (Welch's interval). Errors are test errors. The harness's models stay in --out,
so that a repeated command resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from bench.config.load import load_config
from bench.config.schema import cores
from bench.engine.graph import open_context
from bench.plugins.rows import ORIGINAL
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.training.prediction import accuracy
from tests.benchmarks.measure import machine
from tests.benchmarks.training import held_out, train_originals, usual_loop


def recipe(chosen: argparse.Namespace, precision: str) -> Context:
    """The recipe of all models, in this precision."""
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
    return open_context(load_config(given))


def errors_of_harness(context: Context) -> np.ndarray:
    """Test errors in percent of the models that the harness trains."""
    train_originals(context, context.members)
    cells = [context.model_cell(ORIGINAL, member, None) for member in context.members]
    return errors_in_percent(context, map(context.once(Networks).load_model, cells))


def errors_of_usual_loop(context: Context) -> np.ndarray:
    """Test errors in percent of the models that the usual loop trains."""
    torch.set_num_threads(cores())
    return errors_in_percent(context, (usual_loop(context, seed) for seed in context.members))


def errors_in_percent(context: Context, models: Iterable[nn.Module]) -> np.ndarray:
    """Test errors in percent, one per model."""
    test = held_out(context)
    return np.array([100 * (1 - accuracy(model, test)) for model in models])


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
    ways = (
        ("harness, bf16", "bf16", errors_of_harness),
        ("harness, fp32", "fp32", errors_of_harness),
        ("usual loop, fp32", "fp32", errors_of_usual_loop),
    )
    by_way = []
    for way, precision, errors_of in ways:
        errors = errors_of(recipe(chosen, precision))
        print(f"{way}: test error {errors.mean():.2f} ±{errors.std(ddof=1):.2f} %", flush=True)
        by_way.append(errors)
    fast, plain, usual = by_way
    in_pairs = stats.ttest_1samp(fast - plain, 0)
    show("bf16 - fp32, in pairs", fast, plain, in_pairs)
    show("bf16 - usual loop", fast, usual, stats.ttest_ind(fast, usual, equal_var=False))
    show("fp32 - usual loop", plain, usual, stats.ttest_ind(plain, usual, equal_var=False))


def show(what: str, one: np.ndarray, other: np.ndarray, test: Any) -> None:
    """Print a difference of means with its 95 % interval."""
    low, high = test.confidence_interval()
    mean = one.mean() - other.mean()
    print(f"{what}: {mean:+.2f} [{low:.2f}, {high:.2f}] points, n = {len(one)} and {len(other)}")


if __name__ == "__main__":
    main()
