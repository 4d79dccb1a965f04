"""Toy problems for methods: small networks trained on patterns, and a few examples to forget."""

from __future__ import annotations

import copy
import functools
from typing import Literal

import numpy as np
import torch
from torch import nn

from bench import seeds
from bench.builtin.models.small_cnn import small_cnn
from bench.config.schema import TrainSettings
from bench.data.examples import Examples
from bench.plugins.chosen import Plugin
from bench.plugins.global_state import unchanged
from bench.plugins.method import Task
from bench.training.trainer import Trainer

TRAINED_ON, FORGOTTEN = 90, 13  # neither is a multiple of a usual batch size


def _plain(classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(54, 16), nn.ReLU(),
        nn.Linear(16, classes),
    )  # fmt: skip


def _frozen() -> nn.Module:
    """The first block is given and frozen, its batch norm with it, like a pre-trained backbone."""
    network = small_cnn(3, 1, (8, 8), width=4, hidden=16)
    given = torch.Generator().manual_seed(0)
    for weight in network[:2].parameters():
        if weight.dim() > 1:
            weight.data.normal_(generator=given)
        weight.requires_grad_(False)
    return network


def _vectors() -> nn.Module:
    """Batch norm of vectors, which have no variance in a batch of one."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 3)
    )


NETWORKS = {
    "softmax": lambda: small_cnn(3, 1, (8, 8), width=4, hidden=16),
    "one logit": lambda: small_cnn(2, 1, (8, 8), width=4, hidden=16, head="binary"),
    "no batch norm": lambda: _plain(3),
    "poisoned": lambda: small_cnn(3, 1, (8, 8), width=8, hidden=16),
    "frozen": _frozen,
    "one example": _vectors,
}
TOYS = tuple(NETWORKS)


@functools.cache
def _train(network: str) -> tuple[Trainer, nn.Module, Examples, Examples]:
    """Trainer, original, training and validation examples of a toy problem."""
    classes = 2 if network == "one logit" else 3
    rng = np.random.default_rng(0)
    patterns = rng.integers(40, 216, size=(classes, 8, 8))

    def draw(count: int) -> Examples:
        labels = np.arange(count) % classes
        noisy = patterns[labels] + rng.normal(0, 25, size=(count, 8, 8))
        if network == "poisoned" and count == TRAINED_ON:
            labels[:FORGOTTEN] = (labels[:FORGOTTEN] + 1) % classes
        images = torch.from_numpy(noisy.clip(0, 255).astype(np.uint8))[:, None]
        return Examples(images, torch.from_numpy(labels), 255.0)

    training, validation = draw(TRAINED_ON), draw(45)
    settings = TrainSettings(epochs=12, batch_size=16, lr=0.05)
    trainer = Trainer(settings, NETWORKS[network], classes, torch.device("cpu"))
    generator = seeds.torch_rng("toy", network)
    model = trainer.train(trainer.fresh_model(generator), training, generator)
    return trainer, model, training, validation


class Toy:
    """A small original model, and what is needed to make it forget a few examples."""

    def __init__(self, network: str):
        self.goal: Literal["removal", "depoison"] = (
            "depoison" if network == "poisoned" else "removal"
        )
        self.forgotten = 1 if network == "one example" else FORGOTTEN
        self.trainer, model, self.training, self.validation = _train(network)
        self.model = copy.deepcopy(model)  # a method under test may damage what it is given

    def task(self, plugin: Plugin, forgotten: int | None = None) -> Task:
        """A task for ``plugin`` with so many examples to forget."""
        forgotten = self.forgotten if forgotten is None else forgotten
        positions = torch.arange(TRAINED_ON)
        method = plugin()
        statistics = {}
        if method.prepares():
            statistics = method.prepare(self.model, self.training)
        return Task(
            forget=self.training.take(positions[:forgotten]),
            retain=self.training.take(positions[forgotten:]),
            validation=self.validation,
            recipe=self.trainer,
            rng=seeds.torch_rng("toy task"),
            goal=self.goal,
            statistics=statistics,
            needs=tuple(method.requirements()),
        )

    def unlearn(self, plugin: Plugin, task: Task) -> nn.Module:
        """Run the method as the harness does, but without checking its result."""
        with unchanged(f"method {plugin.label}", may_draw=True), seeds.isolated(7):
            result: nn.Module = plugin().unlearn(self.model, task)
        return result
