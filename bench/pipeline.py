"""One run: from a configuration to a folder of records, and that folder as a Python object."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config import Config, dump_toml
from bench.errors import UserError
from bench.experiment import Cell, Experiment
from bench.outputs import Outputs, Population, Scores
from bench.provenance import provenance
from bench.schedule import Report, job_count, plan, progress, run_cells
from bench.stages.score import as_record, from_record, gather, score
from bench.stages.split import save_split
from bench.store import (
    content_key,
    describe_file,
    pack_arrays,
    read_checked,
    read_record,
    unpack_arrays,
    write_atomic,
    write_record,
)

if TYPE_CHECKING:
    import pandas as pd

RECORD, CURVES, CONFIG = "run.json", "curves.npz", "config.toml"


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder; reports are made from this alone."""

    folder: Path
    record: dict[str, Any]
    scores_of: Scores

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read a run's folder; raises UserError where there is none or it is damaged."""
        folder = Path(folder)
        if not (folder / RECORD).is_file():
            raise UserError(
                f"{folder} holds no run (no {RECORD}): name a folder that bench run made"
            )
        record = read_record(folder / RECORD)
        curves = unpack_arrays(read_checked(folder / CURVES, record["curves"]))
        return cls(folder, record, from_record(record, curves))

    @property
    def failed(self) -> dict[str, list[dict[str, Any]]]:
        """Failure records by row."""
        return {
            row: cell["failures"] for row, cell in self.record["rows"].items() if cell["failures"]
        }

    def scores(self) -> pd.DataFrame:
        """All numbers, tidy: one line per row and readout."""
        from reports.table import tidy

        return tidy(self)

    def table(self) -> pd.DataFrame:
        """The comparison as printed: rows are methods, columns readouts."""
        from reports.table import comparison

        return comparison(self)

    def outputs(self, row: str) -> Population:
        """Logits of a row's models; needs the store beside the run."""
        beside = {"out": str(self.folder.parent.parent)}
        config = Config.model_validate(self.record["config"] | beside)
        found = gather(Experiment(config))
        rows = {**found.rows, "retrained": found.retrained}
        if row not in rows:
            raise UserError(f"no row '{row}' in {self.folder}; rows: {', '.join(rows)}")
        return rows[row]


def run(config: Config | Mapping[str, Any], quiet: bool = False) -> Run:
    """Make whatever is missing of a run and return it; finished work is never repeated."""
    if not isinstance(config, Config):
        from bench.config import load_config

        config = load_config(config)
    experiment = Experiment(config)
    experiment.check()
    experiment.store.open()
    save_split(experiment.split, experiment.store)
    folder = run_folder(experiment)
    write_atomic(folder / CONFIG, dump_toml(config.model_dump(mode="json")).encode())
    with progress(quiet) as report:
        train, prepare, unlearn, predict = plan(experiment)
        run_cells(experiment, train, 0, report)
        run_cells(experiment, prepare, config.timed, report)
        run_cells(experiment, runnable(experiment, unlearn, prepare), config.timed, report)
        made = {(cell.row, cell.member) for cell in [*train, *unlearn] if experiment.has(cell)}
        run_cells(experiment, [c for c in predict if (c.row, c.member) in made], 0, report)
        scores = score_all(experiment, gather(experiment), report)
    write_run(experiment, folder, scores)
    return Run.load(folder)


def run_folder(experiment: Experiment) -> Path:
    """Where a run's records go: readable, and another one for any other configuration."""
    config = experiment.config
    name = f"{experiment.data.name}-{experiment.scenario.label}-{config.models}"
    digest = content_key(config=config.identity(), data=experiment.data.fingerprint)[:8]
    return Path(config.out) / "runs" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{digest}"


def find_run(name: str | None, out: Path) -> Path:
    """A run by its folder or name; the newest of ``out`` where none is named."""
    if name is not None:
        candidates = [Path(name), out / "runs" / name]
        return next((c for c in candidates if (c / RECORD).is_file()), candidates[0])
    finished = sorted((out / "runs").glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise UserError(f"no finished run in {out / 'runs'}: make one with bench run")
    return finished[-1].parent


def describe_plan(config: Config) -> str:
    """What a run would do: cells by stage, how many are there, and where results would go."""
    experiment = Experiment(config)
    lines = []
    for cells in plan(experiment):
        for row in dict.fromkeys(cell.row for cell in cells):
            mine = [cell for cell in cells if cell.row == row]
            there = sum(experiment.has(cell) for cell in mine)
            lines.append(f"{mine[0].stage:<8} {row:<24} {len(mine):>4} cells, {there:>4} there")
    return "\n".join([*lines, f"results: {run_folder(experiment)}"])


def runnable(experiment: Experiment, unlearn: list[Cell], prepare: list[Cell]) -> list[Cell]:
    """The cells whose prepared statistics, if they need any, are there."""
    lacking = {(cell.row, cell.member) for cell in prepare if not experiment.has(cell)}
    return [cell for cell in unlearn if (cell.row, cell.member) not in lacking]


def score_all(experiment: Experiment, outputs: Outputs, report: Report) -> Scores:
    """All attacks' scores, in the configuration's order; attacks run side by side."""
    attacks = list(experiment.attacks.values())
    report("score", 0, len(attacks))
    found = []
    with ThreadPoolExecutor(job_count(experiment.config)) as pool:
        for scores in pool.map(lambda plugin: score(experiment, outputs, plugin), attacks):
            found.append(scores)
            report("score", len(found), len(attacks))
    return merged(list(experiment.attacks), found)


def merged(labels: list[str], found: list[Scores]) -> Scores:
    """The scores of all attacks; another variant of one carries its parameters in its names."""
    together = Scores([], [], {}, [])
    for label, scores in zip(labels, found, strict=True):
        taken = {readout.name for readout in together.readouts}
        if taken & {readout.name for readout in scores.readouts}:
            scores = with_suffix(scores, f"[{label.partition('[')[2] or 'defaults]'}")
        together.readouts.extend(scores.readouts)
        together.scores.extend(scores.scores)
        together.curves.update(scores.curves)
        together.notes.extend(scores.notes)
    return together


def with_suffix(scores: Scores, suffix: str) -> Scores:
    """The same scores under names that end in ``suffix``."""
    return Scores(
        [replace(r, name=r.name + suffix, title=f"{r.title} {suffix}") for r in scores.readouts],
        [replace(score, readout=score.readout + suffix) for score in scores.scores],
        {name + suffix: curve for name, curve in scores.curves.items()},
        scores.notes,
    )


def write_run(experiment: Experiment, folder: Path, scores: Scores) -> None:
    """Write the run's curves, then its record."""
    curves = pack_arrays(scores.curves)
    write_atomic(folder / CURVES, curves)
    config, split, data = experiment.config, experiment.split, experiment.data
    record = {
        "config": config.model_dump(mode="json"),
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "note": data.note,
            "classes": list(data.classes),
        },
        "scenario": experiment.scenario.label,
        "model": experiment.model.label,
        "sizes": {
            part: len(getattr(split, part))
            for part in ("train", "forget", "retain", "validation", "test")
        },
        "rows": {row: row_record(experiment, row) for row in experiment.methods},
        "provenance": provenance(str(experiment.device)),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "curves": describe_file(folder / CURVES, curves),
        **as_record(scores),
    }
    write_record(folder / RECORD, record)


def row_record(experiment: Experiment, row: str) -> dict[str, Any]:
    """A method's costs, notes and failures over its cells."""
    plugin = experiment.methods[row]
    cells = [Cell("unlearn", row, member) for member in range(experiment.config.models)]
    there = [cell for cell in cells if experiment.has(cell)]
    records = [experiment.store.record("unlearn", experiment.key(cell)) for cell in there]
    prepared = []
    if plugin.target.prepares():
        prepares = [Cell("prepare", row, cell.member) for cell in there]
        prepared = [experiment.store.record("prepare", experiment.key(c)) for c in prepares]
    failures = [experiment.failure(row, cell.member) for cell in cells if cell not in there]
    return {
        "params": plugin.params,
        "code": plugin.version,
        "needs": list(plugin.target.needs),
        "done": len(there),
        "notes": [{"member": r["member"], "text": t} for r in records for t in r["notes"]],
        "cost": [r["cost"] for r in records],
        "prepare_cost": [r["cost"] for r in prepared],
        "failures": [
            {name: failure[name] for name in ("member", "stage", "reason", "file")}
            for failure in failures
            if failure
        ],
    }
