"""The contract of unlearning methods, checked on toy networks. See bench/checks/contract.py."""

from __future__ import annotations

import copy
import functools

import numpy as np
import torch
from torch import nn

from bench import seeds
from bench.builtin.models.small_cnn import small_cnn
from bench.checks.contract import Check, global_random_state, require
from bench.config.schema import TrainSettings
from bench.data.examples import Examples
from bench.plugins.method import Task, check_needs
from bench.plugins.registry import Plugin
from bench.stages.unlearn import check_result, fingerprint
from bench.training.prediction import accuracy
from bench.training.trainer import Trainer

TRAINED_ON, FORGOTTEN = 90, 13  # neither is a multiple of a usual batch size
LOSS_OF_ACCURACY = 0.15


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
def _trained(network: str) -> tuple[Trainer, nn.Module, Examples, Examples]:
    """Trainer, original, training and validation examples of a toy problem that can be learnt."""
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
    recipe = Trainer(settings, NETWORKS[network], classes, torch.device("cpu"))
    generator = seeds.torch_rng("toy", network)
    model = recipe.train(recipe.fresh_model(generator), training, generator)
    return recipe, model, training, validation


class Toy:
    """A small original model and what is needed to make it forget a few examples."""

    def __init__(self, network: str):
        self.goal = "depoison" if network == "poisoned" else "removal"
        self.forgotten = 1 if network == "one example" else FORGOTTEN
        self.recipe, model, self.training, self.validation = _trained(network)
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
            recipe=self.recipe,
            rng=seeds.torch_rng("toy task"),
            goal=self.goal,
            statistics=statistics,
            needs=tuple(method.requirements()),
        )

    def unlearn(self, plugin: Plugin, task: Task) -> nn.Module:
        """Run the method as the harness does, without its checks."""
        with seeds.isolated(7):
            return plugin().unlearn(self.model, task)


def check_declares_known_needs(plugin: Plugin, _toy: Toy) -> None:
    check_needs(plugin.label, plugin().requirements())


def check_returns_a_proper_model(plugin: Plugin, toy: Toy) -> None:
    task = toy.task(plugin)
    result = toy.unlearn(plugin, task)
    check_result(toy.model, fingerprint(toy.model), result, task)


def check_leaves_its_input_untouched(plugin: Plugin, toy: Toy) -> None:
    before, task = fingerprint(toy.model), toy.task(plugin)
    statistics = {name: tensor.clone() for name, tensor in task.statistics.items()}
    toy.unlearn(plugin, task)
    require(
        fingerprint(toy.model) == before,
        "changed the model it was given: work on copy.deepcopy(model)",
    )
    for name, tensor in statistics.items():
        require(torch.equal(tensor, task.statistics[name]), f"changed task.statistics['{name}']")


def check_is_deterministic(plugin: Plugin, toy: Toy) -> None:
    first, second = (fingerprint(toy.unlearn(plugin, toy.task(plugin))) for _ in range(2))
    require(first == second, "gave other weights when called again: draw from task.rng only")


def check_leaves_global_randomness_alone(plugin: Plugin, toy: Toy) -> None:
    task, before = toy.task(plugin), global_random_state()
    plugin().unlearn(toy.model, task)
    require(
        global_random_state() == before,
        "drew from a global random generator: draw from task.rng only",
    )


def check_keeps_the_model_with_nothing_to_forget(plugin: Plugin, toy: Toy) -> None:
    task = toy.task(plugin, forgotten=0)
    result = toy.unlearn(plugin, task)
    before, after = accuracy(toy.model, toy.training), accuracy(result, toy.training)
    require(
        after >= before - LOSS_OF_ACCURACY,
        f"with an empty forget set accuracy fell from {before:.2f} to {after:.2f}",
    )


def check_carries_its_statistics_on(plugin: Plugin, toy: Toy) -> None:
    """Another request after this one is given statistics of the same names, and no side effects."""
    method, task = plugin(), toy.task(plugin)
    if not method.carries():
        return
    before, given = fingerprint(toy.model), {n: t.clone() for n, t in task.statistics.items()}
    carried = method.carried(toy.model, task)
    require(fingerprint(toy.model) == before, "carried changed the model it was given")
    for name, tensor in given.items():
        require(name in carried, f"carried lost statistics['{name}']")
        require(torch.equal(tensor, task.statistics[name]), f"carried changed '{name}' in place")


def check_leaves_frozen_parameters_alone(plugin: Plugin, toy: Toy) -> None:
    frozen = [name for name, weight in toy.model.named_parameters() if not weight.requires_grad]
    statistics = [name for name, _ in toy.model[1].named_buffers(prefix="1")]
    before = toy.model.state_dict()
    after = toy.unlearn(plugin, toy.task(plugin)).state_dict()
    for name in (*frozen, *statistics):
        require(
            torch.equal(before[name], after[name]),
            f"changed {name}, which is frozen: step on parameters with requires_grad only, and "
            "use bench.training.trainer.training_mode(model) for model.train()",
        )


CHECKS: list[Check] = [
    check_declares_known_needs,
    check_returns_a_proper_model,
    check_leaves_its_input_untouched,
    check_is_deterministic,
    check_leaves_global_randomness_alone,
    check_keeps_the_model_with_nothing_to_forget,
    check_carries_its_statistics_on,
]
FROZEN_CHECKS: list[Check] = [check_leaves_frozen_parameters_alone]


def checks_on(network: str) -> list[Check]:
    """The checks that apply to a toy network."""
    return [*CHECKS, *(FROZEN_CHECKS if network == "frozen" else [])]
