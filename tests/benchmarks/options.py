"""What two options that the harness does not use would save: torch.compile and torch.func.

``torch.compile``: a training step as the harness does it, against the same step compiled, in one
thread; and what compiling costs once in each process. ``stacked``: heads, and networks of linear
layers, trained as one stack (vmap over weights, each model with batches of its own) against one
after another, as the harness does it; the outputs of both must agree.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench import seeds
from bench.config.schema import TrainSettings
from bench.data.examples import Examples
from bench.engine.graph import open_context
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.training.trainer import Trainer, autocast, training_mode
from tests.benchmarks.measure import Row, row, seconds
from tests.benchmarks.scaling import some_pixels
from tests.benchmarks.training import configured

PART = "options"
STEPS = 8
TOGETHER = 16  # models in a stack
EXAMPLES, EPOCHS = 2048, 4
TOLERANCE = 1e-2  # between logits of a model that was trained alone and in a stack


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Ratios: compiled for each network, stacked for a head and an MLP."""
    torch.set_num_threads(1)
    for network in chosen.networks:
        yield from compiled(open_context(configured(network, chosen, folder)), chosen.repeats)
    shapes = {"head of 2048 features": ([2048], 2), "mlp 64-256-256-10": ([64, 256, 256], 10)}
    for name, (widths, classes) in shapes.items():
        ratios = [stacked_ratio(widths, classes, seed) for seed in range(chosen.repeats)]
        yield row(PART, f"{name}: {TOGETHER} in turn / stacked", "x", ratios)


def compiled(context: Context, repeats: int) -> Iterator[Row]:
    """A step as it is against the same step compiled, in turn."""
    trainer = context.once(Networks).trainer
    images = some_pixels(context)[: trainer.settings.batch_size].float().div(127.5).sub(1)
    plain, other = (training_mode(trainer.fresh_model(seeds.torch_rng("b"))) for _ in range(2))
    fast = torch.compile(other)
    first = seconds(lambda: step_seconds(trainer, other, fast, images, 1))
    step_seconds(trainer, plain, plain, images, 1)
    ratios = []
    for _repeat in range(repeats):
        slow = step_seconds(trainer, plain, plain, images, STEPS)
        ratios.append(slow / step_seconds(trainer, other, fast, images, STEPS))
    name = f"{context.config.model}, {trainer.settings.precision}"
    yield row(PART, f"{name}: eager / torch.compile", "x", ratios)
    yield row(PART, f"{name}: compiling, in each process", "s", [first])


def step_seconds(
    trainer: Trainer,
    model: nn.Module,
    called: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    steps: int,
) -> float:
    """Seconds of a training step without the data, the fastest of ``steps``."""
    labels = torch.arange(len(images)) % trainer.num_classes
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9, nesterov=True, fused=True)

    def step() -> None:
        with autocast(trainer.settings, images.device):
            loss = functional.cross_entropy(called(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return min(seconds(step) for _step in range(steps))


def stacked_ratio(widths: list[int], classes: int, seed: int) -> float:
    """Seconds of models trained in turn, divided by those of the same trained as a stack."""
    rng = seeds.torch_rng("benchmark", seed)
    features = torch.randn(EXAMPLES, widths[0], 1, 1, generator=rng)
    labels = torch.randint(classes, (EXAMPLES,), generator=rng)
    settings = TrainSettings(epochs=EPOCHS, lr=0.01, nesterov=False, weight_decay=0, momentum=0.9)
    trainer = Trainer(settings, lambda: layers(widths, classes), classes, torch.device("cpu"))
    models = [trainer.fresh_model(rng) for _model in range(TOGETHER)]
    examples = Examples(features, labels, scale=None)
    stack = Stack(models, settings)

    def train_in_turn() -> None:
        for number, model in enumerate(models):
            trainer.train(model, examples, seeds.torch_rng("order", number))

    in_turn = seconds(train_in_turn)
    stacked = seconds(lambda: stack.train(features.flatten(1), labels))
    with torch.no_grad():
        expected = torch.stack([model(features) for model in models])
        difference = (stack(features.flatten(1).expand(TOGETHER, -1, -1)) - expected).abs().max()
    if difference > TOLERANCE:
        raise AssertionError(f"stacked and single models differ by {difference:.2g}")
    return in_turn / stacked


def layers(widths: list[int], classes: int) -> nn.Module:
    """Linear layers of these widths."""
    modules: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(widths):
        modules += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*modules, nn.Linear(widths[-1], classes))


class Stack:
    """Several models of one shape, trained as one with SGD; each has its own order of examples."""

    def __init__(self, models: list[nn.Module], settings: TrainSettings):
        from torch.func import stack_module_state

        self.settings, self.skeleton = settings, models[0]
        self.weights = {k: v.detach() for k, v in stack_module_state(models)[0].items()}

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs [models, n, classes] of inputs [models, n, width]."""
        return torch.vmap(self._one)(self.weights, inputs)

    def _one(self, weights: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(self.skeleton, weights, (inputs,))

    def train(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Train for the epochs of the settings, with the cosine schedule."""

        def loss(
            weights: dict[str, torch.Tensor], inputs: torch.Tensor, targets: torch.Tensor
        ) -> torch.Tensor:
            return functional.cross_entropy(self._one(weights, inputs), targets)

        gradient = torch.vmap(torch.func.grad(loss))
        settings, size = self.settings, self.settings.batch_size
        rngs = [seeds.torch_rng("order", number) for number in range(TOGETHER)]
        momentum = {name: torch.zeros_like(value) for name, value in self.weights.items()}
        for epoch in range(settings.epochs):
            lr = settings.lr * (1 + np.cos(np.pi * epoch / settings.epochs)) / 2
            orders = [torch.rand(len(labels), generator=r).argsort(stable=True) for r in rngs]
            for chosen in torch.stack(orders).split(size, dim=1):
                gradients = gradient(self.weights, features[chosen], labels[chosen])
                for name, value in gradients.items():
                    momentum[name].mul_(settings.momentum).add_(value)
                    self.weights[name].sub_(momentum[name], alpha=lr)
