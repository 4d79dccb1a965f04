"""Processes and threads: how fast models are trained, and what share of the machine that is.

A process trains on random pixels by the harness's own path (pool, augmentation, bf16 where asked,
optimiser) for a while, alone, with as many threads as cores, and beside others of one thread each.
The share is of the peak of matrix products that is measured here too, in the same precision, by as
many processes; operations are those of convolutions and products, forward and backward, by torch's
own count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from bench import seeds
from bench.config.schema import cores
from bench.data.examples import Examples
from bench.stages.context import Experiment
from bench.training.trainer import Trainer
from tests.benchmarks.measure import Row, row
from tests.benchmarks.training import configured

PART = "scaling"
SIDE, PRODUCT_S = 1024, 1.0


@dataclass(frozen=True)
class Way:
    """So many processes side by side, of so many threads each."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads}"


def rows(chosen: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Peaks; then for each network images a second each way, their ratios and shares of peak."""
    one, threads, processes = Way(1, 1), Way(1, cores()), Way(cores(), 1)
    peaks = {}
    for precision in ("fp32", "bf16"):
        found = [sum(run(processes, product, precision)) for _repeat in range(chosen.repeats)]
        peaks[precision] = np.array(found)
        yield row(PART, f"matrix products, {precision}, {processes}", "GFLOP/s", found)
    for network in chosen.networks:
        experiment = Experiment(configured(network, chosen, folder))
        settings = experiment.settings
        work = replace(experiment.recipe, settings=settings), inputs(experiment)
        found = {way: [] for way in (one, threads, processes)}
        for _repeat in range(chosen.repeats):
            for way in found:
                found[way].append(sum(run(way, training, *work, chosen.seconds)))
        rates = {way: np.array(values) for way, values in found.items()}
        name = f"{network}, {settings.precision}"
        for way, rate in rates.items():
            yield row(PART, f"{name}: {way} (processes x threads)", "images/s", rate)
        yield row(PART, f"{name}: {processes} to {one}", "x", rates[processes] / rates[one])
        yield row(PART, f"{name}: {processes} to {threads}", "x", rates[processes] / rates[threads])
        share = 100 * rates[processes] * operations(*work) / 1e9 / peaks[settings.precision]
        yield row(PART, f"{name}: share of the peak", "%", share)


def run(way: Way, work, *arguments) -> list[float]:
    """What ``work`` gives in each process."""
    calls = (delayed(in_threads)(way.threads, work, *arguments) for _p in range(way.processes))
    return Parallel(n_jobs=cores(), batch_size=1)(calls)


def in_threads(threads: int, work, *arguments) -> float:
    """``work`` in this process with so many threads."""
    torch.set_num_threads(threads)
    return work(*arguments)


def inputs(experiment: Experiment) -> torch.Tensor:
    """As many images as a few batches hold."""
    data = experiment.data
    count = 4 * experiment.config.train.batch_size
    pixels = torch.from_numpy(data.images[:count]).permute(0, 3, 1, 2)
    return pixels.contiguous(memory_format=torch.channels_last)


def training(recipe: Trainer, pixels: torch.Tensor, least: float) -> float:
    """Images a second, over whole epochs of a few batches, for at least so many seconds."""
    rng = seeds.torch_rng("benchmark")
    labels = torch.arange(len(pixels)) % recipe.num_classes
    examples = Examples(pixels, labels)
    model = recipe.fresh_model(rng)

    def trained(epochs: int) -> float:
        settings = recipe.settings.model_copy(update={"epochs": epochs})
        start = time.perf_counter()
        replace(recipe, settings=settings).train(model, examples, rng)
        return time.perf_counter() - start

    trained(1)
    epochs = 1 + int(least / trained(1))
    return epochs * len(pixels) / trained(epochs)


def product(precision: str) -> float:
    """Giga-operations a second of square matrix products."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.randn(SIDE, SIDE).to(kind) for _matrix in range(2))
    one @ other
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < PRODUCT_S:
        one @ other
        count += 1
    return 2 * SIDE**3 * count / (time.perf_counter() - start) / 1e9


def operations(recipe: Trainer, pixels: torch.Tensor) -> float:
    """Operations of an image, forward and backward."""
    few = Examples(pixels[:2], torch.zeros(2, dtype=torch.long))
    model = recipe.fresh_model(seeds.torch_rng("benchmark")).eval()
    with FlopCounterMode(display=False) as counter:
        functional.cross_entropy(model(few.images), few.labels).backward()
    return counter.get_total_flops() / len(few)
