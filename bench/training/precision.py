"""Whether bf16 arithmetic pays: measured once for a network on a machine, and remembered.

A list of processors would be out of date: the same instructions pay for wide convolutions and cost
for small networks. So ``precision = auto`` times a few training steps both ways.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch.nn import functional

from bench import seeds
from bench.config.schema import TrainSettings
from bench.storage.provenance import processor
from bench.storage.records import read_record, set_aside, write_record
from bench.storage.store import content_key
from bench.training.trainer import Recipe, autocast, training_mode

PAYS = 1.25  # times as fast, below which fp32 stays
BATCH, STEPS = 64, 3


def settled(recipe: Recipe, shape: tuple[int, ...], network: object, folder: Path) -> TrainSettings:
    """The recipe's settings with ``auto`` replaced by what is faster here.

    ``shape``: of one input. ``network``: what tells it from others. ``folder``: where measurements
    are remembered.
    """
    settings = recipe.settings
    if settings.precision != "auto":
        return settings
    where = recipe.device.type
    name = torch.cuda.get_device_name(recipe.device) if where == "cuda" else processor()
    key = content_key(machine=name, torch=torch.__version__, network=network, inputs=list(shape))
    file = folder / f"precision-{key}.json"
    if not file.is_file():
        write_record(file, _measured(recipe, shape))
    faster = read_record(file, lambda: set_aside(file, file))
    pays = faster["fp32"] > PAYS * faster["bf16"]
    return settings.model_copy(update={"precision": "bf16" if pays else "fp32"})


def _measured(recipe: Recipe, shape: tuple[int, ...]) -> dict[str, float]:
    """Seconds of a training step, the fastest of a few, one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as models are trained
    try:
        with seeds.isolated(0):
            model = training_mode(recipe.blank_model())
            batch = torch.randn(BATCH, *shape).to(recipe.device)
            if batch.ndim == 4:
                batch = batch.contiguous(memory_format=torch.channels_last)
            return {kind: _step(recipe, model, batch, kind) for kind in ("fp32", "bf16")}
    finally:
        torch.set_num_threads(threads)


def _step(recipe: Recipe, model: torch.nn.Module, batch: torch.Tensor, precision: str) -> float:
    settings = recipe.settings.model_copy(update={"precision": precision})
    labels = torch.arange(len(batch), device=batch.device) % recipe.num_classes
    times = []
    for _step in range(1 + STEPS):  # the first is for warming up
        start = time.perf_counter()
        with autocast(settings, recipe.device):
            loss = functional.cross_entropy(model(batch), labels)
        loss.backward()
        if recipe.device.type == "cuda":
            torch.cuda.synchronize(recipe.device)
        times.append(time.perf_counter() - start)
        model.zero_grad()
    return min(times[1:])
