"""The tiny run that most tests look at: its configuration, its files, and copies of its record."""

from __future__ import annotations

from pathlib import Path

import bench
from bench.config.load import load_config
from bench.config.schema import Config
from bench.storage.records import write_record

TABLES = {f"table.{kind}" for kind in ("csv", "md", "tex", "json")}
REPORT_FILES = {"index.html", "long.csv", "cells.csv", "comparisons.csv"} | TABLES
REPORT_FILES |= {
    f"{name}.{kind}"
    for name in ("answer", "readouts", "roc", "entropy", "attack-scores", "epsilon")
    for kind in ("png", "svg", "pdf")
}
TINY = {
    "dataset": "digits",
    "subset": 240,
    "model": "small-cnn[width=4,hidden=16]",
    "methods": "finetune[epochs=2],neggrad,ssd,pgu[epochs=4]",
    "models": 3,
    "timed": 1,
    "jobs": 1,
    "train": {"epochs": 15, "batch_size": 32},
}


def tiny(out: Path, **changes: object) -> Config:
    """The tiny configuration, with results in ``out``."""
    return load_config({**TINY, "out": str(out), **changes})


def as_if(run: bench.Run, folder: Path, **changes: object) -> Path:
    """A copy of a run's folder with another record: a run of other settings, made in no time."""
    folder.mkdir(parents=True)
    for name in ("curves.npz", "extras.npz"):
        (folder / name).write_bytes((run.folder / name).read_bytes())
    record = {k: v for k, v in run.record.items() if k != "schema_version"}
    write_record(folder / "run.json", record | changes)
    return folder
