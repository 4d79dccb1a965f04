"""How much faster a population is trained than by the usual loop, at the same recipe.

The usual loop is written here as public repositories of unlearning have it: a Dataset that hands a
PIL image to torchvision's transforms, a DataLoader, fp32, one model after another with all threads.
Ours is the harness: the same network, optimiser, batch size, epochs, images and augmentation,
precision = auto, cells spread over its workers, models written to the store. Workers have started
and have read the data before (a row of its own says what a run pays for that, once). Times are a
model's; ratios are taken within a repeat. ``small-cnn`` is on digits, the rest on ``--dataset``, or
on random pixels of CIFAR's shape; errors are those on test data.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

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
from bench.engine.local import run_cells
from bench.stages.context import ORIGINAL, Cell, Experiment
from bench.training.prediction import accuracy
from tests.benchmarks.measure import Row, row, seconds

PART = "training"
NETWORKS = ("small-cnn", "smallvgg", "allcnn", "resnet18")
TESTED = 2000  # test images that errors are taken on
MORE = 5  # times as many models, where they are small


class Pictures(Dataset):
    """Images as PIL pictures through transforms, the usual way."""

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


def usual_loop(experiment: Experiment, seed: int) -> nn.Module:
    """One model, from start to end."""
    split, settings = experiment.split, experiment.config.train
    factor = np.uint8(255 // int(experiment.data.scale))
    images = experiment.data.images[split.train] * factor
    pictures = Pictures(images, split.train_labels, settings.augment == "crop-flip")
    with seeds.isolated(seed):
        model = experiment.build()
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


def harness(experiment: Experiment, members: range) -> None:
    """Originals ``members`` by the harness."""
    make(experiment, [Cell("train", ORIGINAL, member) for member in members])


def make(experiment: Experiment, cells: list[Cell]) -> None:
    """Any cells by the harness, in silence."""
    run_cells(experiment, cells, 0, lambda _stage, _done, _total: None)


def configured(network: str, chosen: argparse.Namespace, folder: Path) -> Config:
    """The recipe of both; random pixels where no data are named."""
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
    """A file of CIFAR's shape."""
    file, rng = folder / "random.npz", np.random.default_rng(0)
    if not file.exists():
        images = rng.integers(0, 256, (12000, 32, 32, 3), dtype=np.uint8)
        labels = rng.integers(0, 10, 12000)
        parts = {"train": slice(0, 11000), "test": slice(11000, None)}
        arrays = {f"x_{part}": images[at] for part, at in parts.items()}
        np.savez(file, **arrays, **{f"y_{part}": labels[at] for part, at in parts.items()})
    return file


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """For each network: ratio, seconds a model and test errors of both, and the start."""
    for network in chosen.networks:
        yield from compared(Experiment(configured(network, chosen, folder)), chosen)


def compared(experiment: Experiment, chosen: argparse.Namespace) -> Iterator[Row]:
    """Both ways in turn, with other models each time."""
    first = experiment.jobs
    models = chosen.models * (MORE if experiment.config.model == "small-cnn" else 1)
    start = seconds(lambda: harness(experiment, range(first)))
    usual, ours, errors = [], [], ([], [])
    test = tested(experiment)
    torch.set_num_threads(cores())
    for repeat in range(chosen.repeats):
        begin = time.perf_counter()
        theirs = usual_loop(experiment, repeat)
        middle = time.perf_counter()
        members = range(first + repeat * models, first + (repeat + 1) * models)
        harness(experiment, members)
        usual.append(middle - begin)
        ours.append((time.perf_counter() - middle) / models)
        mine = [experiment.load_model(ORIGINAL, member) for member in members]
        errors[0].append(100 * (1 - accuracy(theirs, test)))
        errors[1].append(100 * (1 - np.mean([accuracy(model, test) for model in mine])))
    name = f"{experiment.config.model}, {experiment.settings.precision}"
    yield row(PART, f"{name}: usual loop / harness", "x", np.divide(usual, ours))
    yield row(PART, f"{name}: a model, usual loop", "s", usual)
    yield row(PART, f"{name}: a model, harness", "s", ours)
    yield row(PART, f"{name}: test error, usual loop", "%", errors[0])
    yield row(PART, f"{name}: test error, harness", "%", errors[1])
    yield row(PART, f"{name}: start, data and {first} models", "s", [start])


def tested(experiment: Experiment) -> Examples:
    """The test examples that errors are taken on."""
    test = experiment.part("test")
    return test.take(torch.arange(min(TESTED, len(test))))
