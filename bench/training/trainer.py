"""The training recipe: how a fresh model is made and trained, for the harness and for methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from bench.config.schema import TrainSettings
from bench.data.examples import Examples
from bench.errors import UserError
from bench.seeds import isolated

PREDICT_BATCH = 250  # images of up to 148 x 148; more at once are slower and take more memory
PREDICT_PIXELS = PREDICT_BATCH * 148**2


def predict_batch(size: tuple[int, ...]) -> int:
    """How many inputs of ``size`` go through a network at once: memory is bounded."""
    return max(1, min(PREDICT_BATCH, PREDICT_PIXELS // math.prod(size)))


class TwoClassLogits(nn.Module):
    """Makes a network with one output z a two-class classifier with logits [0, z]."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logit = self.network(images)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


@dataclass(frozen=True)
class Recipe:
    """How the model at hand was trained.

    ``settings`` are the recipe's numbers; ``build`` makes a network with random weights drawn from
    the global generator; ``device`` is where models live.
    """

    settings: TrainSettings
    build: Callable[[], nn.Module]
    num_classes: int
    device: torch.device

    def fresh_model(self, rng: torch.Generator) -> nn.Module:
        """A network with new weights, drawn from ``rng``, on the device."""
        with isolated(int(torch.randint(2**62, (), generator=rng))):
            return self.blank_model()

    def blank_model(self) -> nn.Module:
        """A network whose weights are to be overwritten; draws from the global generator."""
        model = self.build()
        outputs = _output_width(model)
        if outputs == 1 and self.num_classes == 2:
            model = TwoClassLogits(model)
        elif outputs != self.num_classes:
            raise UserError(f"the model has {outputs} outputs for {self.num_classes} classes")
        return model.to(self.device, memory_format=torch.channels_last)

    def train(self, model: nn.Module, examples: Examples, rng: torch.Generator) -> nn.Module:
        """Train ``model`` in place on ``examples`` as the recipe says; returns it in eval mode.

        The number of epochs is fixed, so fewer examples mean fewer steps.
        """
        settings = self.settings
        optimizer = _optimizer(settings, model)
        scheduler = _scheduler(settings, optimizer)
        training_mode(model)
        for _epoch in range(settings.epochs):
            for images, labels in examples.batches(settings.batch_size, rng, settings.augment):
                with autocast(settings, self.device):
                    loss = functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            scheduler.step()
        return model.eval()


def head_of(model: nn.Module) -> tuple[str, nn.Linear] | None:
    """Name and layer of the linear layer that is defined last, the classifier's head, if any."""
    found = [(n, module) for n, module in model.named_modules() if isinstance(module, nn.Linear)]
    return found[-1] if found else None


def _output_width(model: nn.Module) -> int:
    head = head_of(model)
    if head is None:
        raise UserError("the model has no linear layer to read its number of outputs from")
    return head[1].out_features


@contextmanager
def autocast(settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """bf16 arithmetic with fp32 weights, where the recipe asks for it."""
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        yield


def _optimizer(settings: TrainSettings, model: nn.Module) -> torch.optim.Optimizer:
    shared = {"lr": settings.lr, "weight_decay": settings.weight_decay, "fused": True}
    if settings.optimizer == "adam":
        return torch.optim.Adam(trainable(model), **shared)
    nesterov = settings.nesterov and settings.momentum > 0
    return torch.optim.SGD(
        trainable(model), momentum=settings.momentum, nesterov=nesterov, **shared
    )


def _scheduler(
    settings: TrainSettings, optimizer: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.LRScheduler:
    """One step an epoch, from ``lr`` to ``final_lr``."""
    schedulers = torch.optim.lr_scheduler
    if settings.schedule == "cosine":
        return schedulers.CosineAnnealingLR(optimizer, settings.epochs, settings.final_lr)
    if settings.schedule == "exponential":
        if settings.final_lr <= 0:
            raise UserError("train.schedule = exponential needs train.final_lr above 0")
        factor = (settings.final_lr / settings.lr) ** (1 / settings.epochs)
        return schedulers.ExponentialLR(optimizer, factor)
    return schedulers.ConstantLR(optimizer, factor=1.0)


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen; raises UserError where all are."""
    found = [weight for weight in model.parameters() if weight.requires_grad]
    if not found:
        raise UserError("the model has no parameter that may be trained: all are frozen")
    return found


BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def training_mode(model: nn.Module) -> nn.Module:
    """The model in train mode; batch norm whose parameters are frozen keeps its statistics too.

    Batch norm of vectors uses its running statistics for a batch of one, which has no variance.
    """
    model.train()
    for module in model.modules():
        weights = list(module.parameters(recurse=False))
        if isinstance(module, BATCH_NORM) and weights:
            module.train(any(weight.requires_grad for weight in weights))
        if isinstance(module, nn.BatchNorm1d) and _enter not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_enter)
            module.register_forward_hook(_leave, always_call=True)
    return model


def _enter(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    module.rests = module.training and inputs[0].numel() == inputs[0].shape[1]
    module.training = module.training and not module.rests


def _leave(module: nn.Module, _inputs: tuple[torch.Tensor, ...], _output: torch.Tensor) -> None:
    module.training = module.training or module.rests


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """The model in eval mode; every module's own mode is put back."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield model.eval()
    finally:
        for module, training in modes.items():
            module.training = training


@torch.no_grad()
def predict(model: nn.Module, examples: Examples) -> torch.Tensor:
    """Class logits, float32 [n, classes] on the CPU, in eval mode."""
    batches = examples.image_batches(predict_batch(examples.size))
    with evaluating(model):
        logits = [model(images).float().cpu() for images in batches]
    return torch.cat(logits)


def accuracy(model: nn.Module, examples: Examples) -> float:
    """Share of ``examples`` that ``model`` gives the label it was trained on, in eval mode."""
    hits = predict(model, examples).argmax(1) == examples.labels.cpu()
    return hits.float().mean().item()
