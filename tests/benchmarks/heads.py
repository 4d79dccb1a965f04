"""Heads on a frozen backbone's features, computed once, against training through the whole network.

The detector of real and fake images (ResNet-50 without its first down-sampling, frozen but for its
last layer, random weights) learns the miniature with the augmentation of detectors. One way
computes the features of four views of each image, then trains the heads of a population on them.
The other trains through the whole network (``train.views = 0``). Times are those of the harness
with all its workers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.config.load import load_config
from bench.engine.graph import open_context
from bench.plugins.rows import ORIGINAL, RETRAINED
from bench.stages.context import Context
from tests.benchmarks.measure import Row, row, seconds
from tests.benchmarks.training import make

PART = "heads"


def detector(chosen: argparse.Namespace, folder: Path, views: int) -> Context:
    """The detector on the miniature; with ``views`` on features, with none as a whole."""
    given = {
        "dataset": "truefake-mini",
        "model": "resnet50-nodown[frozen=true]",
        "models": chosen.heads,
        "methods": "ssd",
        "out": str(folder / f"heads-{views}"),
        "train": {
            "epochs": chosen.detector_epochs,
            "batch_size": 16,
            "optimizer": "adam",
            "lr": 0.0001,
            "augment": "detector",
            "views": views,
        },
    }
    return open_context(load_config(given))


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Seconds of both ways, and their ratio for the originals and retrained models of a run."""
    on_features, whole = (detector(chosen, folder, views) for views in (4, 0))
    once = seconds(lambda: make(on_features, on_features.stages["features"].cells(on_features)))
    population = on_features.stages["train"].cells(on_features)
    models = len(population)
    head = seconds(lambda: make(on_features, population)) / models
    detectors = []
    for member in range(chosen.repeats):
        pair = [whole.model_cell(name, member, None) for name in (ORIGINAL, RETRAINED)]
        detectors.append(seconds(lambda: make(whole, pair)) / len(pair))  # noqa: B023
    images, epochs = len(on_features.split.train), chosen.detector_epochs
    yield row(PART, f"features of {images} images, 4 views, once", "s", [once])
    yield row(PART, "a head on them", "s", [head])
    yield row(PART, f"a detector, {epochs} epochs through the whole network", "s", detectors)
    ratio = models * np.array(detectors) / (once + models * head)
    yield row(PART, f"whole / heads, {models} models, features included", "x", ratio)
