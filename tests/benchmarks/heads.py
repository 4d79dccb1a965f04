"""Heads on a frozen backbone's features, computed once, against detectors run as a whole.

The detector of real and fake images (ResNet-50 without its first down-sampling, frozen but for its
last layer, random weights) on the miniature, augmented as the slides have it: features of four
views of each image, then heads of a population on them; and the same training through the whole
network (``train.views = 0``). Times are those of the harness with all its workers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.config.load import load_config
from bench.stages.context import ORIGINAL, RETRAINED, Cell, Experiment
from bench.stages.features import cells as feature_cells
from tests.benchmarks.measure import Row, row, seconds
from tests.benchmarks.training import make

PART = "heads"
POPULATION = 100  # models of an experiment: N = 50 on D and 50 on Dr


def experiment(folder: Path, views: int, epochs: int) -> Experiment:
    """The detector on the miniature; with ``views`` on features, with none through it all."""
    given = {
        "dataset": "truefake-mini",
        "model": "resnet50-nodown[frozen=true]",
        "models": POPULATION // 2,
        "methods": "ssd",
        "out": str(folder / f"heads-{views}"),
        "train": {
            "epochs": epochs,
            "batch_size": 16,
            "optimizer": "adam",
            "lr": 0.0001,
            "augment": "detector",
            "views": views,
        },
    }
    return Experiment(load_config(given))


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Seconds of both ways, and how many times as long the whole network takes a population."""
    kept, whole = (experiment(folder, views, chosen.detector_epochs) for views in (4, 0))
    once = seconds(lambda: make(kept, feature_cells(kept)))
    members = range(POPULATION // 2)
    population = [Cell("train", r, i) for r in (ORIGINAL, RETRAINED) for i in members]
    heads = seconds(lambda: make(kept, population)) / POPULATION
    detectors = []
    for repeat in range(chosen.repeats):
        pair = [Cell("train", row_name, repeat) for row_name in (ORIGINAL, RETRAINED)]
        detectors.append(seconds(lambda: make(whole, pair)) / len(pair))  # noqa: B023
    yield row(PART, f"features of {len(kept.split.train)} images, 4 views, once", "s", [once])
    yield row(PART, "a head on them", "s", [heads])
    yield row(PART, f"a detector, {chosen.detector_epochs} epochs through it all", "s", detectors)
    ratio = POPULATION * np.array(detectors) / (once + POPULATION * heads)
    yield row(PART, f"whole / heads, {POPULATION} models, features included", "x", ratio)
