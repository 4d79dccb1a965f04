"""How much faster the harness trains a population than the usual loop, at the same recipe.

The usual loop is written here as in public repositories of unlearning: a Dataset that hands PIL
images to torchvision's transforms, a DataLoader, fp32, one model after another with all threads.
The harness trains the same network with the same optimiser, batch size, epochs, images and
augmentation, with precision = auto. It spreads cells over its workers and writes models to the
store. Its workers have started and read the data before; a row of its own says what a run pays for
that, once. Times are per model; ratios are taken within a repeat. ``small-cnn`` trains on digits,
the others on ``--dataset``, or on random pixels of CIFAR's shape. Errors are test errors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench import seeds
from bench.config.load import load_config
from bench.config.schema import Config, cores
from bench.data.examples import Examples
from bench.engine.apart import RowProcesses
from bench.engine.graph import Group, open_context
from bench.engine.local import make_group
from bench.engine.progress import progress
from bench.plugins.rows import ORIGINAL
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.training.prediction import accuracy
from tests.benchmarks.measure import Row, row, seconds

PART = "training"
NETWORKS = ("small-cnn", "smallvgg", "allcnn", "resnet18")
TESTED = 2000  # test images that errors are taken on
MORE = 5  # times as many models, where they are small


class Pictures(Dataset):
    """Images that go as PIL pictures through transforms, the usual way."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, augment: bool):
        usual = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        middle = [0.5] * images.shape[3]
        plain = [transforms.ToTensor(), transforms.Normalize(middle, middle)]
        self.transform = transforms.Compose([*(usual if augment else []), *plain])
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        picture = Image.fromarray(self.images[place].squeeze())
        return self.transform(picture), int(self.labels[place])


def usual_loop(context: Context, seed: int) -> nn.Module:
    """Train one model, from start to end."""
    split, settings, data = context.split, context.config.train, context.data
    factor = np.uint8(255 // int(data.scale or 255))
    pixels = np.asarray(data.images[split.train]) * factor
    pictures = Pictures(pixels, split.train_labels, settings.augment == "crop-flip")
    with seeds.isolated(seed):
        model = context.once(Networks).build()
        loader = DataLoader(pictures, settings.batch_size, shuffle=True)
        optimizer = torch.optim.SGD(
            model.parameters(),
            settings.lr,
            settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=True,
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
        for _epoch in range(settings.epochs):
            for images, labels in loader:
                loss = nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            schedule.step()
    return model


def train_originals(context: Context, members: range) -> None:
    """Let the harness train the originals ``members``."""
    make(context, [context.model_cell(ORIGINAL, member, None) for member in members])


def make(context: Context, cells: list[Cell]) -> None:
    """Let the harness make cells of one stage that all requests share, in silence."""
    group = Group(context.stages[cells[0].stage], None, cells)
    with progress(quiet=True) as report, RowProcesses() as processes:
        make_group(context, group, report, processes)


def configured(network: str, chosen: argparse.Namespace, folder: Path) -> Config:
    """The recipe of both ways; the data are random pixels where ``chosen`` names none."""
    small = network == "small-cnn"
    dataset = "digits" if small else chosen.dataset or f"npz:{random_pixels(folder)}"
    train = {"epochs": 40, "lr": 0.1, "precision": "auto"}
    if not small:
        train |= {"epochs": chosen.epochs, "lr": 0.02, "batch_size": 128, "augment": "crop-flip"}
    given = {
        "dataset": dataset,
        "model": network,
        "subset": None if small else int(chosen.images / 0.85),
        "methods": "ssd",
        "scenario": "random[count=10]",
        "out": str(folder / "out"),
        "train": train,
    }
    return load_config(given)


def random_pixels(folder: Path) -> Path:
    """A file with random images of CIFAR's shape."""
    file, rng = folder / "random.npz", np.random.default_rng(0)
    if not file.exists():
        images = rng.integers(0, 256, (12000, 32, 32, 3), dtype=np.uint8)
        labels = rng.integers(0, 10, 12000)
        parts = {"train": slice(0, 11000), "test": slice(11000, None)}
        arrays: dict[str, Any] = {}
        for part, index in parts.items():
            arrays |= {f"x_{part}": images[index], f"y_{part}": labels[index]}
        np.savez(file, **arrays)
    return file


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """For each network: ratio, seconds per model and test errors of both ways, and the start."""
    for network in chosen.networks:
        yield from compare(open_context(configured(network, chosen, folder)), chosen)


def compare(context: Context, chosen: argparse.Namespace) -> Iterator[Row]:
    """Train both ways in turn, with other models each time."""
    networks = context.once(Networks)
    first = networks.jobs
    models = chosen.models * (MORE if context.config.model == "small-cnn" else 1)
    start = seconds(lambda: train_originals(context, range(first)))
    usual, ours = [], []
    usual_errors, our_errors = [], []
    test = held_out(context)
    torch.set_num_threads(cores())
    for repeat in range(chosen.repeats):
        begin = time.perf_counter()
        theirs = usual_loop(context, repeat)
        middle = time.perf_counter()
        members = range(first + repeat * models, first + (repeat + 1) * models)
        train_originals(context, members)
        usual.append(middle - begin)
        ours.append((time.perf_counter() - middle) / models)
        cells = [context.model_cell(ORIGINAL, member, None) for member in members]
        mine = [networks.load_model(cell) for cell in cells]
        usual_errors.append(100 * (1 - accuracy(theirs, test)))
        our_errors.append(100 * (1 - float(np.mean([accuracy(model, test) for model in mine]))))
    name = f"{context.config.model}, {networks.settings.precision}"
    yield row(PART, f"{name}: usual loop / harness", "x", np.divide(usual, ours))
    yield row(PART, f"{name}: a model, usual loop", "s", usual)
    yield row(PART, f"{name}: a model, harness", "s", ours)
    yield row(PART, f"{name}: test error, usual loop", "%", usual_errors)
    yield row(PART, f"{name}: test error, harness", "%", our_errors)
    yield row(PART, f"{name}: start, data and {first} models", "s", [start])


def held_out(context: Context) -> Examples:
    """The test examples that errors are taken on."""
    test = context.once(Networks).part("test")
    return test.take(torch.arange(min(TESTED, len(test))))
