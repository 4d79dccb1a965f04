"""How much faster a population is trained than by the usual loop: ratios at the same recipe.

    python -m tests.benchmarks.training [--networks small-cnn smallvgg] [--dataset npz:cifar10.npz]
                                        [--images 2000] [--epochs 1] [--models 2] [--repeats 3]

The usual loop is written here as public repositories of unlearning have it: a Dataset that hands a
PIL image to torchvision's transforms, a DataLoader, fp32, one model after another with all threads.
Ours is the harness: the same network, optimiser, batch size, epochs, images and augmentation, cells
spread over its workers (started before), models written to the store. Times are a model's; the
ratio's minimum, median and maximum are over repeats with other seeds. ``small-cnn`` is on digits,
the rest on ``--dataset``, or on random pixels of CIFAR's shape; errors are those on test data.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bench import seeds
from bench.config import Config, cores, load_config
from bench.experiment import ORIGINAL, Cell, Experiment
from bench.recipe import accuracy
from bench.schedule import run_cells

SMALL = {"small-cnn"}


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


def usual_loop(experiment: Experiment, seed: int) -> tuple[float, nn.Module]:
    """Seconds that one model takes, and the model."""
    split, settings = experiment.split, experiment.config.train
    factor = 255 // int(experiment.data.scale)
    pictures = Pictures(
        experiment.data.images[split.train] * np.uint8(factor),
        split.train_labels,
        settings.augment == "crop-flip",
    )
    with seeds.isolated(seed):
        start = time.perf_counter()
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
    return time.perf_counter() - start, model


def harness(experiment: Experiment) -> float:
    """Seconds a model that the harness takes for all members."""
    members = experiment.config.models
    cells = [Cell("train", ORIGINAL, member) for member in range(members)]
    start = time.perf_counter()
    run_cells(experiment, cells, 0, lambda _stage, _done, _total: None)
    return (time.perf_counter() - start) / members


def configured(network: str, chosen: argparse.Namespace, folder: Path, seed: int) -> Config:
    """The recipe of both; random pixels where no data are named."""
    small = network in SMALL
    dataset = "digits" if small else chosen.dataset or f"npz:{random_pixels(folder)}"
    train = {"epochs": 40 if small else chosen.epochs, "lr": 0.1 if small else 0.02}
    if not small:
        train |= {"batch_size": 128, "augment": "crop-flip", "precision": chosen.precision}
    given = {
        "dataset": dataset,
        "model": network,
        "models": 10 if small else chosen.models,
        "subset": None if small else int(chosen.images / 0.85),
        "methods": "ssd",
        "scenario": "random[count=10]",
        "seed": seed,
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


def compared(network: str, chosen: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All repeats of one network: seconds a model and test errors of both."""
    times, errors = [], []
    harness(Experiment(configured(network, chosen, folder, 999)))  # workers start, data load
    for seed in range(chosen.repeats):
        experiment = Experiment(configured(network, chosen, folder, seed))
        torch.set_num_threads(cores())
        slow, model = usual_loop(experiment, seed)
        fast = harness(experiment)
        times.append((slow, fast))
        test = experiment.part("test")
        mine = [experiment.load_model(ORIGINAL, i) for i in range(experiment.config.models)]
        found = [100 * (1 - accuracy(each, test)) for each in mine]
        errors.append((100 * (1 - accuracy(model, test)), float(np.mean(found))))
    slow, fast = np.array(times).T
    low, middle, high = np.quantile(slow / fast, [0, 0.5, 1])
    return {
        "network": network,
        "usual_s": float(np.median(slow)),
        "harness_s": float(np.median(fast)),
        "ratio": [float(low), float(middle), float(high)],
        "repeats": chosen.repeats,
        "models": experiment.config.models,
        "usual_error": [float(one) for one, _other in errors],
        "harness_error": [float(other) for _one, other in errors],
    }


def main() -> None:
    """Print one line a network, and all numbers as JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--networks", nargs="+", default=["small-cnn", "smallvgg", "allcnn", "resnet18"]
    )
    parser.add_argument("--dataset")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if not chosen.json:
        print("network     usual (s)  ours (s)  ratio min  median    max  test error (%)")
    with tempfile.TemporaryDirectory() as folder:
        for network in chosen.networks:
            found = compared(network, chosen, Path(folder))
            if chosen.json:
                print(json.dumps(found), flush=True)
                continue
            low, middle, high = found["ratio"]
            usual, ours = (np.mean(found[f"{who}_error"]) for who in ("usual", "harness"))
            print(
                f"{network:<10}  {found['usual_s']:>9.2f}  {found['harness_s']:>8.2f}  "
                f"{low:>9.1f}  {middle:>6.1f}  {high:>5.1f}  {usual:.1f} and {ours:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
