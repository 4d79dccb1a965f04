"""Whether bf16 arithmetic is faster: measured once for a network on a machine, and remembered.

A list of processors would be out of date, and the same instructions speed up wide convolutions but
slow down small networks. So ``precision = auto`` times a few training steps both ways.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch.nn import functional

from bench import seeds
from bench.config.schema import TrainSettings
from bench.storage.files import may_write
from bench.storage.provenance import processor
from bench.storage.records import read_record, set_aside, write_record
from bench.storage.store import content_key
from bench.training.devices import one_thread
from bench.training.trainer import Trainer, autocast, training_mode

ENOUGH = 1.25  # times as fast as fp32, below which fp32 stays
BATCH, STEPS = 64, 3


def resolve_precision(
    trainer: Trainer, shape: tuple[int, ...], network: object, folder: Path
) -> TrainSettings:
    """Replace ``precision = auto`` by what is faster on this machine.

    Parameters
    ----------
    trainer
        The trainer with the settings.
    shape
        Shape of one input.
    network
        A JSON value that identifies the network.
    folder
        Where measurements are remembered.

    Returns
    -------
    TrainSettings
        The trainer's settings, with ``precision`` fp32 or bf16.
    """
    settings = trainer.settings
    if settings.precision != "auto":
        return settings
    on_gpu = trainer.device.type == "cuda"
    machine = torch.cuda.get_device_name(trainer.device) if on_gpu else processor()
    key = content_key(machine=machine, torch=torch.__version__, network=network, inputs=list(shape))
    file = folder / f"precision-{key}.json"
    if file.is_file():
        seconds = read_record(file, lambda: set_aside(file, file))
    else:
        seconds = measure(trainer, shape)
        if may_write():
            write_record(file, seconds)
    is_faster = seconds["fp32"] > ENOUGH * seconds["bf16"]
    return settings.model_copy(update={"precision": "bf16" if is_faster else "fp32"})


def measure(trainer: Trainer, shape: tuple[int, ...]) -> dict[str, float]:
    """Seconds of a training step in fp32 and in bf16: the fastest of a few, on one thread."""
    with one_thread(), seeds.isolated(0):
        model = training_mode(trainer.blank_model())
        batch = torch.randn(BATCH, *shape).to(trainer.device)
        if batch.ndim == 4:
            batch = batch.contiguous(memory_format=torch.channels_last)
        return {kind: _step(trainer, model, batch, kind) for kind in ("fp32", "bf16")}


def _step(trainer: Trainer, model: torch.nn.Module, batch: torch.Tensor, precision: str) -> float:
    settings = trainer.settings.model_copy(update={"precision": precision})
    labels = torch.arange(len(batch), device=batch.device) % trainer.num_classes
    times = []
    for _step in range(1 + STEPS):  # the first one warms up
        start = time.perf_counter()
        with autocast(settings, trainer.device):
            loss = functional.cross_entropy(model(batch), labels)
        loss.backward()
        if trainer.device.type == "cuda":
            torch.cuda.synchronize(trainer.device)
        times.append(time.perf_counter() - start)
        model.zero_grad()
    return min(times[1:])
