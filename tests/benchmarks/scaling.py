"""Processes and threads: how fast they train models, and what share of the machine they use.

A process trains on random pixels for a while, as the harness does (pool, augmentation, bf16 where
it is faster, optimiser): alone, with as many threads as cores, and beside others of one thread
each. The share is that of the peak of matrix products, which as many processes reach here in the
same precision. Operations are those of convolutions and products, forward and backward, as torch
counts them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bench import seeds
from bench.config.schema import cores
from bench.data.examples import Examples
from bench.engine.graph import open_context
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.training.trainer import Trainer
from tests.benchmarks.measure import Row, row, seconds
from tests.benchmarks.training import configured

PART = "scaling"
SIDE, PRODUCT_S = 1024, 1.0


@dataclass(frozen=True)
class Way:
    """``processes`` side by side, of so many ``threads`` each."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads}"


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Peaks; then for each network images per second each way, their ratios, shares of the peak."""
    one, threads, processes = Way(1, 1), Way(1, cores()), Way(cores(), 1)
    peaks = {}
    for precision in ("fp32", "bf16"):
        repeats = [sum(run(processes, product, precision)) for _repeat in range(chosen.repeats)]
        peaks[precision] = np.array(repeats)
        yield row(PART, f"matrix products, {precision}, {processes}", "GFLOP/s", repeats)
    for network in chosen.networks:
        context = open_context(configured(network, chosen, folder))
        work = portable_trainer(context), some_pixels(context)
        measured: dict[Way, list[float]] = {way: [] for way in (one, threads, processes)}
        for _repeat in range(chosen.repeats):
            for way, values in measured.items():
                values.append(sum(run(way, images_per_second, *work, chosen.seconds)))
        rates = {way: np.array(values) for way, values in measured.items()}
        precision = work[0].settings.precision
        name = f"{network}, {precision}"
        for way, rate in rates.items():
            yield row(PART, f"{name}: {way} (processes x threads)", "images/s", rate)
        yield row(PART, f"{name}: {processes} to {one}", "x", rates[processes] / rates[one])
        yield row(PART, f"{name}: {processes} to {threads}", "x", rates[processes] / rates[threads])
        share = 100 * rates[processes] * operations(*work) / 1e9 / peaks[precision]
        yield row(PART, f"{name}: share of the peak", "%", share)


def run(way: Way, work: Callable[..., float], *arguments: Any) -> list[float]:
    """The results of ``work`` in each process."""
    calls = (delayed(in_threads)(way.threads, work, *arguments) for _p in range(way.processes))
    return Parallel(n_jobs=cores(), batch_size=1)(calls)


def in_threads(threads: int, work: Callable[..., float], *arguments: Any) -> float:
    """Do ``work`` in this process with so many threads."""
    torch.set_num_threads(threads)
    return work(*arguments)


def portable_trainer(context: Context) -> Trainer:
    """The trainer of a context, without the context, so that it can go to other processes."""
    data = context.data
    build = partial(context.model, len(data.classes), data.channels, data.image_size)
    return replace(context.once(Networks).trainer, build=build)


def some_pixels(context: Context) -> torch.Tensor:
    """The pixels of a few batches of images."""
    data = context.data
    count = 4 * context.config.train.batch_size
    pixels = torch.from_numpy(data.images[:count]).permute(0, 3, 1, 2)
    return pixels.contiguous(memory_format=torch.channels_last)


def images_per_second(trainer: Trainer, pixels: torch.Tensor, least: float) -> float:
    """Train whole epochs of a few batches for at least so many seconds; images per second."""
    rng = seeds.torch_rng("benchmark")
    labels = torch.arange(len(pixels)) % trainer.num_classes
    examples = Examples(pixels, labels)
    model = trainer.fresh_model(rng)

    def train(epochs: int) -> float:
        settings = trainer.settings.model_copy(update={"epochs": epochs})
        return seconds(lambda: replace(trainer, settings=settings).train(model, examples, rng))

    train(1)
    epochs = 1 + int(least / train(1))
    return epochs * len(pixels) / train(epochs)


def product(precision: str) -> float:
    """Giga-operations per second of square matrix products."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.randn(SIDE, SIDE).to(kind) for _matrix in range(2))
    one @ other
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < PRODUCT_S:
        one @ other
        count += 1
    return 2 * SIDE**3 * count / (time.perf_counter() - start) / 1e9


def operations(trainer: Trainer, pixels: torch.Tensor) -> float:
    """Operations per image, forward and backward."""
    few = Examples(pixels[:2], torch.zeros(2, dtype=torch.long))
    model = trainer.fresh_model(seeds.torch_rng("benchmark")).eval()
    with FlopCounterMode(display=False) as counter:
        functional.cross_entropy(model(few.images), few.labels).backward()
    return counter.get_total_flops() / len(few)
