"""What a run's missing cells will take, in time and on disk, said before any is made.

Known in this order: from the records of cells of the same kind, of this run or of finished ones
that differ in seed, members or methods only; from short measurements (bench/engine/probes.py); else
a guess, which is called one. Random numbers drawn here are seeded and change no result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import seeds
from bench.config.schema import cores
from bench.engine.amounts import amount, duration, on_disk
from bench.errors import one_line
from bench.plugins.outputs import PARTS
from bench.results.run import RECORD
from bench.stages.context import ORIGINAL, RETRAIN, RETRAINED, Cell, Experiment
from bench.storage.records import read_record

if TYPE_CHECKING:
    from bench.engine.probes import Probes

CELL_S = 0.02  # reading what it needs, writing, waiting for the disk
TIMED = ("prepare", "unlearn")  # whose first members run alone
START_S = 8.0  # of this process and the others, libraries and data
REPORT_S, REPORT_BYTES = 10.0, 4_000_000  # of figures, tables and page
ALIKE = ("dataset", "subset", "validation", "test", "scenario", "model", "originals")


@dataclass(frozen=True)
class Price:
    """What one cell takes: seconds of one thread, bytes on disk, and how that is known."""

    seconds: float
    bytes: int
    source: str


class Forecast:
    """Prices of a run's cells, each kind measured once, and the sums of what was asked for."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.seconds: dict[str, float] = defaultdict(float)
        self.bytes = 0
        self._prices: dict[tuple[str, ...], Price] = {}

    def tell(self, step: Experiment, missing: list[Cell]) -> str:
        """Time and disk of missing cells of one row, and how they are known; adds them up."""
        from bench.engine.local import one_thread

        first = missing[0]
        kind = first.stage, first.row, first.attack
        if kind not in self._prices:
            with one_thread(), seeds.isolated(seeds.derive("forecast", *kind)):
                self._prices[kind] = self._price(step, first)
        price = self._prices[kind]
        config = self.experiment.config
        timed = config.timed if first.stage in TIMED else 0
        alone = sum(cell.member < timed for cell in missing)
        beside = min(self.experiment.jobs, cores(), max(len(missing) - alone, 1))
        seconds = price.seconds * (alone + (len(missing) - alone) / beside)
        return self.told(first.stage, seconds, price.bytes * len(missing), price.source)

    def told(self, stage: str, seconds: float, size: int, source: str) -> str:
        """Columns of a line, counted in the totals."""
        self.seconds[stage] += seconds
        self.bytes += size
        return f"{duration(seconds):>10} {amount(size):>9}  {source}"

    def total(self) -> str:
        """All that is missing, by stage and together."""
        stages = ", ".join(f"{stage} {duration(s)}" for stage, s in self.seconds.items())
        if not stages:
            return "total: nothing is missing"
        whole = duration(START_S + sum(self.seconds.values()))
        jobs = self.experiment.jobs
        return (
            f"total: about {whole} with {jobs} jobs, {amount(self.bytes)} on disk "
            f"(start {duration(START_S)}, {stages})"
        )

    def _price(self, step: Experiment, cell: Cell) -> Price:
        price = getattr(self, f"_{cell.stage}")(step, cell)
        return Price(price.seconds + CELL_S, price.bytes, price.source)

    @cached_property
    def probes(self) -> Probes:
        from bench.engine.probes import Probes, stand_in_features
        from bench.stages.features import cells

        whole = self.experiment
        if not all(whole.has(cell) for cell in cells(whole)):
            stand_in_features(whole)
        return Probes(whole, 2 * len(whole.methods))  # prepare and unlearn

    @cached_property
    def _weights(self) -> int:
        state = self.probes.model.state_dict()
        return on_disk(sum(tensor.nbytes for tensor in state.values()) + 100 * len(state))

    def _features(self, step: Experiment, cell: Cell) -> Price:
        from bench.stages.features import PIECE, view_count

        images = min(PIECE, len(getattr(step.split, cell.row))) * (1 + view_count(step, cell.row))
        size = 2 * 4 * images * step.frozen.width  # once more in one file for all workers
        return Price(images * self.probes.features_s(), on_disk(size), "measured")

    def _train(self, step: Experiment, cell: Cell) -> Price:
        examples = len(step.split.train if cell.row == ORIGINAL else step.split.retain)
        passes = examples * step.config.train.epochs
        return Price(passes * self.probes.train_s, self._weights, "measured")

    def _prepare(self, step: Experiment, cell: Cell) -> Price:
        return self._of_method(step, cell, "prepare_cost")

    def _unlearn(self, step: Experiment, cell: Cell) -> Price:
        if cell.row == RETRAIN:
            return self._train(step, Cell("train", RETRAINED, 0))
        return self._of_method(step, cell, "cost")

    def _predict(self, step: Experiment, _cell: Cell) -> Price:
        from bench.stages.predict import SPLIT_NAME

        parts = (getattr(step.split, SPLIT_NAME.get(part, part)) for part in PARTS)
        examples = sum(map(len, parts))
        size = on_disk(4 * examples * len(step.data.classes) + 1000)
        return Price(examples * self.probes.predict_s, size, "measured")

    def _untrained(self, step: Experiment, _cell: Cell) -> Price:
        size = on_disk(4 * len(step.split.forget) * len(step.data.classes) + 500)
        return Price(len(step.split.forget) * self.probes.predict_s, size, "measured")

    def _score(self, step: Experiment, cell: Cell) -> Price:
        from bench.engine.probes import attack_s

        rows, models = len(step.methods) + 2, step.config.models
        size = on_disk(rows * models * 1000)
        try:
            return Price(attack_s(step, step.attacks[cell.row]), size, "probed")
        except Exception as error:  # an attack that random outputs are nothing for
            return Price(rows * models * 0.01, size, f"guess ({type(error).__name__})")

    def _report(self, _step: Experiment, _cell: Cell) -> Price:
        return Price(REPORT_S, REPORT_BYTES, "guess")

    def _relearn(self, step: Experiment, _cell: Cell) -> Price:
        """How long is what it finds out; taken for one epoch, Df asked each step."""
        train = len(step.split.train)
        asked = len(step.split.forget) * train / step.config.train.batch_size
        seconds = train * self.probes.train_s + asked * self.probes.predict_s
        return Price(seconds, on_disk(500), "guess")

    def _of_method(self, step: Experiment, cell: Cell, costs: str) -> Price:
        plugin = step.methods[cell.row]
        recorded = [*self._own(step, cell), *self._finished(cell.row, costs)]
        times = [cost["time_s"] for cost in recorded if cost["time_s"] is not None]
        if times and cell.stage == "unlearn":
            return Price(median(times), self._weights, "recorded")
        probes = self.probes
        try:
            if cell.stage == "prepare":
                seconds, size = probes.bounded(lambda: probes.prepare(plugin))
                return Price(median(times) if times else seconds, on_disk(size), "probed")
            seconds = probes.bounded(lambda: probes.unlearn(plugin, step))
            return Price(seconds, self._weights, "probed")
        except Exception as error:  # what a method raises here it will have to raise in its cell
            seconds = self._train(step, Cell("train", RETRAINED, 0)).seconds
            why = f"guess, as retraining ({one_line(error)[:80]})"
            return Price(seconds, self._weights, why)

    def _own(self, step: Experiment, cell: Cell) -> Iterator[dict[str, Any]]:
        for member in range(step.config.models):
            other = Cell(cell.stage, cell.row, member)
            if step.has(other):
                yield step.store.record(cell.stage, step.key(other))["cost"]

    def _finished(self, row: str, costs: str) -> list[dict[str, Any]]:
        return [cost for run in self._runs for cost in run["rows"].get(row, {}).get(costs, [])]

    @cached_property
    def _runs(self) -> list[dict[str, Any]]:
        """Records of finished runs on the same data, network, recipe and machine."""
        config = self.experiment.config.model_dump(mode="json")
        here = self.experiment.provenance
        files = sorted(
            Path(config["out"]).glob(f"runs/*/{RECORD}"), key=lambda f: f.stat().st_mtime
        )
        records = [read_record(file) for file in files[-20:]]
        return [
            record
            for record in records
            if all(record["config"].get(key) == config[key] for key in ALIKE)
            and record["config"]["train"] == config["train"]
            and all(record["provenance"][key] == here[key] for key in ("processor", "device"))
        ]
