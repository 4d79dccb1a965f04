"""The trainer: makes fresh models and trains them, for the harness and for methods."""

from __future__ import annotations

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

BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class TwoClassLogits(nn.Module):
    """Turns a network with one output z into a two-class classifier with logits [0, z]."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logit = self.network(images)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)


@dataclass(frozen=True)
class Trainer:
    """Makes and trains models the way the model at hand was trained.

    ``settings`` are the numbers of the recipe. ``build`` makes a network with random weights drawn
    from the global generator. Models live on ``device``.
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
        """A network whose weights will be overwritten; draws from the global generator."""
        model = self.build()
        outputs = _output_width(model)
        if outputs == 1 and self.num_classes == 2:
            model = TwoClassLogits(model)
        elif outputs != self.num_classes:
            raise UserError(f"the model has {outputs} outputs for {self.num_classes} classes")
        return model.to(self.device).to(memory_format=torch.channels_last)

    def train(self, model: nn.Module, examples: Examples, rng: torch.Generator) -> nn.Module:
        """Train ``model`` in place on ``examples``, and return it in eval mode.

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
    """Name and layer of the classifier's head: the linear layer that is defined last, if any."""
    linear = [(n, module) for n, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


def _output_width(model: nn.Module) -> int:
    head = head_of(model)
    if head is None:
        raise UserError("the model has no linear layer to read its number of outputs from")
    return head[1].out_features


@contextmanager
def autocast(settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """Compute in bf16, with fp32 weights, if the settings say so."""
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        yield


def _optimizer(settings: TrainSettings, model: nn.Module) -> torch.optim.Optimizer:
    weights, lr, decay = trainable(model), settings.lr, settings.weight_decay
    if settings.optimizer == "adam":
        return torch.optim.Adam(weights, lr=lr, weight_decay=decay, fused=True)
    momentum = settings.momentum
    nesterov = settings.nesterov and momentum > 0
    return torch.optim.SGD(
        weights, lr=lr, momentum=momentum, weight_decay=decay, nesterov=nesterov, fused=True
    )


def _scheduler(
    settings: TrainSettings, optimizer: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.LRScheduler:
    """One step for each epoch, from ``lr`` to ``final_lr``."""
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
    """The parameters that are not frozen; raises UserError if all are."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise UserError("the model has no parameter that may be trained: all are frozen")
    return weights


def training_mode(model: nn.Module) -> nn.Module:
    """Put ``model`` in train mode, except batch norm layers whose parameters are frozen.

    Those keep their statistics. Batch norm also uses its running statistics where each channel has
    a single value, which has no variance: a batch of one vector, or of one map of 1 x 1.
    """
    model.train()
    for module in model.modules():
        if not isinstance(module, BATCH_NORM):
            continue
        weights = list(module.parameters(recurse=False))
        if weights:
            module.train(any(weight.requires_grad for weight in weights))
        if _enter not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_enter)
            module.register_forward_hook(_leave, always_call=True)
    return model


def _enter(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    single = module.training and inputs[0].numel() == inputs[0].shape[1]
    vars(module)["single"] = single
    module.training = module.training and not single


def _leave(module: nn.Module, _inputs: tuple[torch.Tensor, ...], _output: torch.Tensor) -> None:
    module.training = module.training or vars(module)["single"]
