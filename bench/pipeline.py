"""One run: from a configuration to a folder of records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.config import Config, dump_toml, load_config
from bench.experiment import Cell, Experiment
from bench.extras import extras
from bench.outputs import Outputs, Scores
from bench.results import Run, write_run
from bench.schedule import Report, job_count, plan, progress, run_cells
from bench.stages.score import gather, merged, score
from bench.stages.split import save_split
from bench.store import content_key, write_atomic

CONFIG = "config.toml"


def run(config: Config | Mapping[str, Any], quiet: bool = False) -> Run:
    """Make whatever is missing of a run and return it; finished work is never repeated."""
    if not isinstance(config, Config):
        config = load_config(config)
    experiment = Experiment(config)
    experiment.check()
    experiment.store.open()
    save_split(experiment.split, experiment.store)
    folder = run_folder(experiment)
    write_atomic(folder / CONFIG, dump_toml(config.model_dump(mode="json")).encode())
    with progress(quiet) as report:
        train, prepare, unlearn, predict, untrained, relearn = plan(experiment)
        run_cells(experiment, train, 0, report)
        run_cells(experiment, prepare, config.timed, report)
        run_cells(experiment, runnable(experiment, unlearn, prepare), config.timed, report)
        made = {(cell.row, cell.member) for cell in [*train, *unlearn] if experiment.has(cell)}
        for cells in (predict, relearn):
            run_cells(experiment, [c for c in cells if (c.row, c.member) in made], 0, report)
        run_cells(experiment, untrained, 0, report)
        outputs = gather(experiment)
        scores = score_all(experiment, outputs, report)
    write_run(experiment, folder, scores, extras(experiment, outputs))
    return Run.load(folder)


def run_folder(experiment: Experiment) -> Path:
    """Where a run's records go: readable, and another one for any other configuration."""
    config = experiment.config
    name = f"{experiment.data.name}-{experiment.scenario.label}-{config.models}"
    digest = content_key(config=config.identity(), data=experiment.data.fingerprint)[:8]
    return Path(config.out) / "runs" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{digest}"


def describe_plan(config: Config) -> str:
    """What a run would do: cells by stage, how many are there, and where results would go."""
    experiment = Experiment(config)
    lines = []
    for cells in plan(experiment):
        for row, attack in dict.fromkeys((cell.row, cell.attack) for cell in cells):
            mine = [cell for cell in cells if (cell.row, cell.attack) == (row, attack)]
            there = sum(experiment.has(cell) for cell in mine)
            name = f"{row} for {attack}" if attack else row
            lines.append(f"{mine[0].stage:<9} {name:<24} {len(mine):>4} cells, {there:>4} there")
    return "\n".join([*lines, f"results: {run_folder(experiment)}"])


def runnable(experiment: Experiment, unlearn: list[Cell], prepare: list[Cell]) -> list[Cell]:
    """The cells whose prepared statistics, if they need any, are there."""
    lacking = {(cell.row, cell.member) for cell in prepare if not experiment.has(cell)}
    return [c for c in unlearn if (c.row, experiment.start(c.member)) not in lacking]


def score_all(experiment: Experiment, outputs: Outputs, report: Report) -> Scores:
    """All attacks' scores, in the configuration's order; attacks run side by side."""
    attacks = list(experiment.attacks.values())
    report("score", 0, len(attacks))
    found = []
    with ThreadPoolExecutor(job_count(experiment.config)) as pool:
        for scores in pool.map(lambda plugin: score(experiment, outputs, plugin), attacks):
            found.append(scores)
            report("score", len(found), len(attacks))
    together = merged(list(experiment.attacks), found)
    whose = [
        label for label, of in zip(experiment.attacks, found, strict=True) for _ in of.readouts
    ]
    readouts = [
        replace(readout, attack=label)
        for readout, label in zip(together.readouts, whose, strict=True)
    ]
    return replace(together, readouts=readouts, notes=[*outputs.notes, *together.notes])
