"""Small runs whose numbers are kept in ``tests/recorded``, so that no change alters one unnoticed.

``python -m tests.helpers.recorded_runs`` records them again, on this machine. Do that only for a
change that is meant to change numbers, and say in its commit which ones and why.

Floating-point sums differ between processors and versions of PyTorch, and training amplifies the
differences. Numbers are therefore compared bit for bit where the machine and the libraries are the
recorded ones, and loosely elsewhere.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

import bench
from tests.helpers.networks import FROZEN_NETWORK

FOLDER = Path(__file__).parent.parent / "recorded"
MACHINE = FOLDER / "machine.json"
SMALL = {
    "dataset": "digits",
    "subset": 240,
    "model": "small-cnn[width=4,hidden=16]",
    "methods": "finetune[epochs=2],neggrad,ssd,pgu[epochs=3]",
    "models": 4,
    "timed": 1,
    "jobs": 1,
    "train": {"epochs": 12, "batch_size": 32},
}
RUNS: dict[str, dict[str, Any]] = {
    "poison": {"attacks": "all", "methods": "all", "models": 3},
    "class-removal": {
        "scenario": "class",
        "methods": "finetune[epochs=2],ssd,pgu[epochs=3]",
        "attacks": "errors,entropy,membership,forgetting-quality,mia-nn,klom",
    },
    "incremental": {
        "scenario": "incremental[requests=3,count=20]",
        "methods": "neggrad[epochs=1],ssd,pgu[epochs=2]",
        "attacks": "errors,entropy,membership,gap",
    },
    "one-original": {
        "originals": "one",
        "methods": "finetune[epochs=2],ssd",
        "attacks": "errors,entropy,membership,u-lira",
    },
    "frozen-backbone": {
        "model": "fixed",
        "methods": "finetune[epochs=2],pgu[epochs=2]",
        "attacks": "errors,entropy,gap",
        "train": {"epochs": 5, "augment": "crop-flip", "views": 2},
    },
    "relearning": {
        "scenario": "random[fraction=0.1]",
        "methods": "finetune[epochs=2],neggrad[epochs=1]",
        "attacks": "errors,ain[epochs=3],relearn-time[epochs=10],zrf",
    },
}
KEPT = ["row", "readout", "value", "spread", "low", "high", "target", "gap", "gap_low", "gap_high"]


def make(name: str, folder: Path, **changes: Any) -> bench.Run:
    """Make one of ``RUNS`` with its results in ``folder``, with these keys changed."""
    config = {**SMALL, **RUNS[name], "out": str(folder / "results"), **changes}
    if config["model"] == "fixed":
        plugin = folder / "fixed.py"
        plugin.write_text(FROZEN_NETWORK)
        config["plugins"] = [str(plugin)]
    return bench.run(config, quiet=True)


def numbers(run: bench.Run) -> pd.DataFrame:
    """Every number of a run that is the same on each repetition: no time, memory or cost."""
    frames = []
    for place, step in enumerate(run.requests):
        found = step.scores()
        found = found[found["attack"] != "cost"][[*KEPT, "models"]].reset_index(drop=True)
        found.insert(0, "request", place)
        frames.append(found)
    return pd.concat(frames, ignore_index=True)


def recorded(name: str) -> pd.DataFrame:
    """What was recorded of a run."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def this_machine() -> dict[str, str]:
    """What decides the last digits: the processor and the libraries that compute."""
    import numpy
    import torch
    import xgboost

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    versions = {m.__name__: m.__version__ for m in (torch, numpy, xgboost)}
    return {"processor": processor, **versions}


def record() -> None:
    """Make all runs and keep their numbers."""
    FOLDER.mkdir(exist_ok=True)
    for name in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            numbers(make(name, Path(folder))).to_csv(FOLDER / f"{name}.csv", index=False)
        print(f"recorded {name}", file=sys.stderr, flush=True)
    MACHINE.write_text(json.dumps(this_machine(), indent=1) + "\n")


if __name__ == "__main__":
    record()
