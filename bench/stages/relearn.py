"""Relearn: how long does a model need to learn the forget set again?

Asked for by attacks that declare it. Every model of every row, and the retrained ones, learns the
whole training set again from where it stands, the members of a pair in the same order, until it
does as well on the forget set as the original model it is compared with. This stage reads the
attack's parameters by name: ``lr``, ``batch_size``, ``epochs``, and ``margin`` (to accuracy) or
``draws``, ``anchor``, ``slack`` (to loss); see attacks/ain.py and attacks/relearn_time.py for where
the two protocols come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench import seeds
from bench.data.examples import Examples
from bench.plugins.rows import ORIGINAL
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Context, Stage
from bench.stages.networks import Networks
from bench.training.prediction import accuracy, predict
from bench.training.trainer import trainable, training_mode

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


class Relearn(Stage):
    """Measure how many steps one model needs, and whether it gets there."""

    name, version, phase = "relearn", 2, "predict"

    def cells(self, context: Context) -> list[Cell]:
        return [
            cell
            for request in context.requests
            for attack in context.attacks_reading(self.name)
            for cell in context.cells_at(request, self.name, context.rows, attack)
        ]

    def inputs(self, context: Context, cell: Cell) -> list[Cell]:
        return [*context.once(Networks).data_cells, *_models(context, cell)]

    def settings(self, context: Context, cell: Cell) -> dict[str, Any]:
        return {"attack": context.attacks[cell.attack].identity, "request": cell.request}

    def make(self, context: Context, cell: Cell, alone: bool) -> Artefact:
        networks, plugin = context.once(Networks), context.attacks[cell.attack]
        name = context.seed_name("relearn", cell.attack, cell.member)
        model, original = (networks.load_model(source) for source in _models(context, cell))
        measure = {"accuracy": to_accuracy, "loss": to_loss}[plugin.target.until]
        data = networks.part("train"), networks.part("forget", cell.request)
        with seeds.isolated(seeds.derive(*name, "global")):
            rng = seeds.torch_rng(*name)
            steps, reached = measure(model, original, *data, rng, plugin.params)
        record = {"row": cell.row, "member": cell.member, "attack": cell.attack}
        return Artefact(record, {"steps": np.array(steps), "reached": np.array(reached)})

    def size(self, context: Context, cell: Cell) -> Size:
        """Unknown in advance; assume one epoch, evaluating the forget set after every step."""
        train, split = len(context.split.train), context.split_at(cell.request)
        steps = train / context.config.train.batch_size
        return Size(train + steps * len(split.forget), train, is_guess=True)


def _models(context: Context, cell: Cell) -> list[Cell]:
    """The model that learns again, and the original that says how well."""
    original = context.model_cell(ORIGINAL, context.start(cell.member), None)
    return [context.model_cell(cell.row, cell.member, cell.request), original]


def to_accuracy(
    model: nn.Module,
    original: nn.Module,
    train: Examples,
    forget: Examples,
    rng: torch.Generator,
    settings: dict[str, Any],
) -> tuple[int, bool]:
    """Mini-batches until the accuracy on Df is within ``margin`` of the original's."""
    required = (1 - settings["margin"]) * accuracy(original, forget)

    def epoch() -> Batches:
        return train.batches(settings["batch_size"], rng)

    epochs = (epoch() for _epoch in range(settings["epochs"]))
    return steps_to_accuracy(model, required, epochs, forget, settings["lr"])


def steps_to_accuracy(
    model: nn.Module, required: float, epochs: Iterable[Batches], forget: Examples, lr: float
) -> tuple[int, bool]:
    """Steps of Adam, at least one, until ``required`` accuracy on Df; and whether it came."""
    optimizer = torch.optim.Adam(trainable(model), lr=lr)
    steps = 0
    for batches in epochs:
        for images, labels in batches:
            functional.cross_entropy(training_mode(model)(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            steps += 1
            if accuracy(model, forget) >= required:
                return steps, True
    return steps, False


def to_loss(
    model: nn.Module,
    original: nn.Module,
    train: Examples,
    forget: Examples,
    rng: torch.Generator,
    settings: dict[str, Any],
) -> tuple[int, bool]:
    """Epochs of ``draws`` examples until the loss on Df is the original's, within ``slack``."""
    required = _loss(original, forget) + settings["slack"]

    def draws() -> Iterator[Batches]:
        while True:
            drawn = torch.randint(len(train), (settings["draws"],), generator=rng)
            yield train.take(drawn).batches(settings["batch_size"])

    limits = settings["epochs"], settings["lr"], settings["anchor"]
    return epochs_to_loss(model, required, draws(), forget, *limits)


def epochs_to_loss(
    model: nn.Module,
    required: float,
    draws: Iterator[Batches],
    forget: Examples,
    epochs: int,
    lr: float,
    anchor: float,
) -> tuple[int, bool]:
    """Checks of the loss on Df, an epoch of SGD after each, until ``required``; whether it came.

    In eval mode, with anchor / 2 * |w - w0|^2 beside the loss, as the published code does.
    """
    weights = trainable(model.eval())
    start = [weight.detach().clone() for weight in weights]
    optimizer = torch.optim.SGD(weights, lr=lr)
    for number in range(1, epochs + 1):
        if _loss(model, forget) <= required:
            return number, True
        for images, labels in next(draws):
            apart = sum(((w - w0) ** 2).sum() for w, w0 in zip(weights, start, strict=True))
            loss = functional.cross_entropy(model(images), labels) + anchor / 2 * apart
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return epochs, False


def _loss(model: nn.Module, examples: Examples) -> float:
    return functional.cross_entropy(predict(model, examples), examples.labels.cpu()).item()
