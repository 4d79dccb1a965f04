"""What a run's missing cells will take, in time and on disk, said before any is made.

Times come from recorded costs of cells of the same kind, of this run or of finished ones that
differ in seed, models or methods only. Otherwise they are the number of examples that a cell passes
through a network, times a training step measured here. Where a cell's work depends on what it
finds, that is called a guess. Random numbers drawn here are seeded and change no result.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import torch

from bench import seeds
from bench.config.schema import cores
from bench.config.shapes import check_shape
from bench.data.examples import Examples
from bench.data.sources import Features
from bench.engine.amounts import amount, duration, on_disk
from bench.engine.graph import Group
from bench.errors import UserError
from bench.results.layout import RECORD
from bench.results.shapes import RunShape
from bench.stages.cell import Cell, Size
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.storage.provenance import processor
from bench.storage.records import read_record
from bench.training.devices import one_thread
from bench.training.prediction import predict

CELL_S = 0.02  # reading what it needs, writing, waiting for the disk
START_S = 8.0  # of this process and the others, libraries and data
REPORT_S, REPORT_BYTES = 10.0, 4_000_000  # of figures, tables and page
ALIKE = ("dataset", "subset", "validation", "test", "scenario", "model", "originals", "train")
RECENT = 20  # finished runs that are asked for recorded costs
STEPS, ENOUGH_S = 2, 0.5  # of a measurement: steps at least, and seconds after which it ends


class Speed:
    """Seconds per example on this machine: of a training step, of prediction, of a backbone."""

    def __init__(self, context: Context):
        networks = context.once(Networks)
        with one_thread(), seeds.isolated(seeds.derive("forecast")):
            examples, trainer = self._examples(context, networks), networks.trainer
            rng = seeds.torch_rng("forecast", "train")
            model, once = trainer.fresh_model(rng), {"epochs": 1}
            short = replace(trainer, settings=trainer.settings.model_copy(update=once))
            count, device = len(examples), networks.device
            self.step = timed(lambda: short.train(model, examples, rng), device) / count
            self.forward = timed(lambda: predict(model, examples), device) / count
            self.backbone = self._backbone(networks)

    def _examples(self, context: Context, networks: Networks) -> Examples:
        """A batch of the training set; where its features are not made yet, of their shape."""
        settings, split = context.config.train, context.split
        count = min(len(split.train), settings.batch_size)
        if not networks.frozen:
            return networks.part("train").take(torch.arange(count))
        shape = count, 1 + (settings.views if settings.augment != "none" else 0)
        features = torch.randn(*shape, networks.frozen.width, device=networks.device)
        labels = torch.from_numpy(split.train_labels[:count]).to(networks.device)
        return Examples(Features(features, settings.augment), labels)

    def _backbone(self, networks: Networks) -> float:
        if not networks.frozen:
            return 0.0
        backbone, pool = networks.frozen.backbone, networks.images("validation")
        images = pool.inputs(torch.arange(min(len(pool), 8), device=pool.device))
        with torch.no_grad():
            return timed(lambda: backbone(images), networks.device) / len(images)

    def seconds(self, size: Size) -> float:
        """How long so much work takes one thread."""
        if size.network == "backbone":
            return size.forward * self.backbone
        return size.backward * self.step + max(0.0, size.forward - size.backward) * self.forward


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of ``work``: the fastest of a few repetitions after one for warming up."""
    times: list[float] = []
    while len(times) <= STEPS or sum(times) < ENOUGH_S:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


class Forecast:
    """Times and sizes of missing cells, and their sums."""

    def __init__(self, context: Context):
        self.context, self.speed = context, Speed(context)
        self.seconds: dict[str, float] = defaultdict(float)
        self.bytes = 0

    def describe(self, group: Group, missing: list[Cell]) -> str:
        """Time and disk of a row's missing cells and where they are known from; adds them up."""
        stage, cell = group.stage, missing[0]
        size, recorded = stage.size(self.context, cell), self._recorded(group, cell)
        seconds = median(recorded) if recorded else self.speed.seconds(size) + size.seconds + CELL_S
        source = "recorded" if recorded else "guess" if size.is_guess else "measured"
        timed_members = self.context.config.timed if stage.timed else 0
        alone = sum(cell.member < timed_members for cell in missing)
        workers = min(self._workers(group), max(len(missing) - alone, 1))
        whole = seconds * (alone + (len(missing) - alone) / workers)
        return self.add(stage.name, whole, on_disk(size.bytes) * len(missing), source)

    def add(self, stage: str, seconds: float, size: int, source: str) -> str:
        """Count a line's time and disk in the totals; returns its columns."""
        self.seconds[stage] += seconds
        self.bytes += size
        return f"{duration(seconds):>10} {amount(size):>9}  {source}"

    def total(self) -> str:
        """All that is missing, by stage and together."""
        stages = ", ".join(f"{stage} {duration(s)}" for stage, s in self.seconds.items())
        if not stages:
            return "total: nothing is missing"
        whole = duration(START_S + sum(self.seconds.values()))
        jobs = self.context.once(Networks).jobs
        return (
            f"total: about {whole} with {jobs} jobs, {amount(self.bytes)} on disk "
            f"(start {duration(START_S)}, {stages})"
        )

    def _workers(self, group: Group) -> int:
        if group.stage.reads_outputs_only:
            return min(self.context.config.threads, cores())
        return min(self.context.once(Networks).jobs, cores())

    def _recorded(self, group: Group, cell: Cell) -> list[float]:
        """Seconds that cells of the same kind took, in this run or in finished ones like it."""
        costs = list(self._own_costs(group, cell))
        if group.stage.timed:
            rows = [run["rows"].get(cell.row, {}) for run in self._finished_runs]
            costs += [cost for row in rows for cost in row.get(group.stage.cost_name, [])]
        return [cost["time_s"] for cost in costs if cost["time_s"] is not None]

    def _own_costs(self, group: Group, cell: Cell) -> Iterator[dict[str, Any]]:
        for other in group.cells:
            if (other.row, other.attack) == (cell.row, cell.attack) and self.context.has(other):
                record = self.context.record(other)
                if "cost" in record:
                    yield record["cost"]

    @cached_property
    def _finished_runs(self) -> list[dict[str, Any]]:
        """Records of finished runs on the same data, network, training and machine."""
        config = self.context.config.model_dump(mode="json")
        files = Path(config["out"]).glob(f"runs/*/{RECORD}")
        newest = sorted(files, key=lambda file: file.stat().st_mtime)[-RECENT:]
        machine = {"processor": processor(), "device": str(self.context.once(Networks).device)}
        records = []
        for file in newest:
            with suppress(UserError):  # a record that cannot be read says nothing about costs
                record = read_record(file)
                check_shape(RunShape, record, file, "")
                records.append(record)
        return [
            record
            for record in records
            if all(record["config"].get(key) == config[key] for key in ALIKE)
            and all(record["provenance"].get(key) == value for key, value in machine.items())
        ]
