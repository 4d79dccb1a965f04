"""What the harness does not do, measured: torch.compile, and models stacked with torch.func.

``torch.compile``: a training step of the harness's path as it is against the same compiled, in one
thread, and what compiling costs once in each process. ``stacked``: heads, and networks of linear
layers, trained as one (vmap over stacked weights, each with batches of its own) against one after
another by the harness's path; the losses of both must agree.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench import seeds
from bench.config.schema import TrainSettings
from bench.data.examples import Examples
from bench.stages.context import Experiment
from bench.training.trainer import Trainer, autocast, training_mode
from tests.benchmarks.measure import Row, row
from tests.benchmarks.scaling import inputs
from tests.benchmarks.training import configured

PART = "options"
STEPS = 8
TOGETHER = 16  # models in a stack
EXAMPLES, EPOCHS = 2048, 4


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Ratios: compiled for each network, stacked for a head and an MLP."""
    torch.set_num_threads(1)
    for network in chosen.networks:
        yield from compiled(Experiment(configured(network, chosen, folder)), chosen.repeats)
    shapes = {"head of 2048 features": ([2048], 2), "mlp 64-256-256-10": ([64, 256, 256], 10)}
    for name, (widths, classes) in shapes.items():
        found = [stacked_ratio(widths, classes, seed) for seed in range(chosen.repeats)]
        what = f"{name}: {TOGETHER} in turn / stacked"
        yield row(PART, what, "x", found)


def compiled(experiment: Experiment, repeats: int) -> Iterator[Row]:
    """A step as it is against the same step compiled, in turn."""
    recipe = replace(experiment.recipe, settings=experiment.settings)
    images = inputs(experiment)[: recipe.settings.batch_size].float().div(127.5).sub(1)
    plain, other = (training_mode(recipe.fresh_model(seeds.torch_rng("b"))) for _model in range(2))
    start = time.perf_counter()
    fast = torch.compile(other)
    step_s(recipe, other, fast, images, 1)
    first = time.perf_counter() - start
    step_s(recipe, plain, plain, images, 1)
    ratios = []
    for _repeat in range(repeats):
        slow = step_s(recipe, plain, plain, images, STEPS)
        ratios.append(slow / step_s(recipe, other, fast, images, STEPS))
    name = f"{experiment.config.model}, {recipe.settings.precision}"
    yield row(PART, f"{name}: eager / torch.compile", "x", ratios)
    yield row(PART, f"{name}: compiling, in each process", "s", [first])


def step_s(
    recipe: Trainer,
    model: nn.Module,
    called: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    steps: int,
) -> float:
    """Seconds of a training step without the data, the fastest of some."""
    labels = torch.arange(len(images)) % recipe.num_classes
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9, nesterov=True, fused=True)
    times = []
    for _step in range(steps):
        start = time.perf_counter()
        with autocast(recipe.settings, images.device):
            loss = functional.cross_entropy(called(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return min(times)


def stacked_ratio(widths: list[int], classes: int, seed: int) -> float:
    """Seconds of models trained in turn, by those of the same trained as a stack."""
    rng = seeds.torch_rng("benchmark", seed)
    features = torch.randn(EXAMPLES, widths[0], 1, 1, generator=rng)
    labels = torch.randint(classes, (EXAMPLES,), generator=rng)
    settings = TrainSettings(epochs=EPOCHS, lr=0.01, nesterov=False, weight_decay=0, momentum=0.9)
    recipe = Trainer(settings, lambda: layers(widths, classes), classes, torch.device("cpu"))
    models = [recipe.fresh_model(rng) for _model in range(TOGETHER)]
    examples = Examples(features, labels, scale=None)
    stacked = Stack(models, settings)
    start = time.perf_counter()
    for number, model in enumerate(models):
        recipe.train(model, examples, seeds.torch_rng("order", number))
    middle = time.perf_counter()
    stacked.train(features.flatten(1), labels)
    ratio = (middle - start) / (time.perf_counter() - middle)
    with torch.no_grad():
        theirs = torch.stack([model(features) for model in models])
        apart = (stacked(features.flatten(1).expand(TOGETHER, -1, -1)) - theirs).abs().max()
    if apart > 1e-2:
        raise AssertionError(f"stacked and single models differ by {apart:.2g}")
    return ratio


def layers(widths: list[int], classes: int) -> nn.Module:
    """Linear layers of these widths."""
    found: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(widths):
        found += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*found, nn.Linear(widths[-1], classes))


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
        """The epochs of the settings, with the cosine schedule."""

        def loss(weights, inputs, wanted):
            return functional.cross_entropy(self._one(weights, inputs), wanted)

        gradient = torch.vmap(torch.func.grad(loss))
        settings, size = self.settings, self.settings.batch_size
        rngs = [seeds.torch_rng("order", number) for number in range(TOGETHER)]
        momentum = {name: torch.zeros_like(value) for name, value in self.weights.items()}
        for epoch in range(settings.epochs):
            lr = settings.lr * (1 + np.cos(np.pi * epoch / settings.epochs)) / 2
            orders = [torch.rand(len(labels), generator=r).argsort(stable=True) for r in rngs]
            for chosen in torch.stack(orders).split(size, dim=1):
                found = gradient(self.weights, features[chosen], labels[chosen])
                for name, value in found.items():
                    momentum[name].mul_(settings.momentum).add_(value)
                    self.weights[name].sub_(momentum[name], alpha=lr)
