"""One run: from a configuration to a folder of records."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bench.config.schema import CONFIG, RUNS, Config, dump_toml, load_config
from bench.engine.away import Away, keep
from bench.engine.cluster import Cluster, check_backend, connected
from bench.engine.forecast import Forecast
from bench.engine.local import Report, plan, progress, run_cells
from bench.errors import DamagedError, UserError
from bench.plugins.outputs import Outputs, Scores
from bench.plugins.scores import merge
from bench.results.extras import extras
from bench.results.run import RECORD, Run, request_folder, write_run
from bench.stages.context import ORIGINAL, Cell, Experiment
from bench.stages.features import cells as feature_cells
from bench.stages.score import gather, score
from bench.stages.split import save_split
from bench.storage.store import content_key, refuse_unwritable, write_atomic

MOST_KILLED = 3  # workers, before a run gives up
Outcome = TypeVar("Outcome")


def run(config: Config | Mapping[str, Any], quiet: bool = False) -> Run:
    """Make whatever is missing of a run and return it; finished work is never repeated."""
    experiment = made_concrete(config)
    return mended(lambda: Run.load(_made(experiment, quiet)))


def make_until(config: Config | Mapping[str, Any], stop: str, quiet: bool = False) -> Path:
    """Make a run up to ``stop`` (train, unlearn or predict), and score nothing; its folder."""
    experiment = made_concrete(config)
    return mended(lambda: _made(experiment, quiet, stop))


def mended(work: Callable[[], Outcome]) -> Outcome:
    """Do ``work``, and again after a damaged file was set aside or a worker process was killed.

    What was finished is kept, so it goes on from there. Raises UserError where that does not help.
    """
    met, killed = set(), 0
    while True:
        try:
            return work()
        except DamagedError as error:
            if str(error) in met:  # damaged again as soon as it was made
                raise
            met.add(str(error))
            print(error, file=sys.stderr, flush=True)
        except BrokenProcessPool as error:
            killed += 1
            what = "a worker process was killed (memory short?); what was finished is kept"
            if killed > MOST_KILLED:
                raise UserError(f"{what}; go on with fewer --jobs") from error
            print(f"{what}, going on", file=sys.stderr, flush=True)


def _made(experiment: Experiment, quiet: bool, stop: str | None = None) -> Path:
    """Make a run up to ``stop``, or with its scores and records; returns its folder."""
    folder = begin(experiment)
    with connected(experiment.config) as cluster, progress(quiet) as report:
        run_cells(experiment, feature_cells(experiment), 0, report, cluster)
        for step in experiment.requests:
            make_all(step, named(report, step), cluster, stop or "predict")
            if not stop:
                _write_scores(step, folder, named(report, step))
    return folder


def _write_scores(step: Experiment, folder: Path, report: Report) -> None:
    """Score a run, or one of its requests, and write its records."""
    outputs = gather(step)
    scores, beside = score_all(step, outputs, report), extras(step, outputs)
    write_run(step, request_folder(folder, step.request), scores, beside)
    if step.request is not None and step.request == len(step.requests):
        write_run(step, folder, scores, beside)  # all that was asked for is forgotten by the last


def score_stored(folder: str | Path, quiet: bool = False, plugins: Sequence[str] = ()) -> Run:
    """Score what a run's folder and the store beside it hold: neither data set nor models needed.

    ``plugins``: where the run's plugin files are now, if not where they were. Raises UserError
    where a model's outputs are missing.
    """
    return mended(lambda: Run.load(_scored(Path(folder), quiet, plugins)))


def _scored(folder: Path, quiet: bool, plugins: Sequence[str]) -> Path:
    experiment = Away(folder, plugins)
    experiment.check()
    experiment.store.open()
    with progress(quiet) as report:
        for step in experiment.requests:
            _write_scores(step, folder, named(report, step))
    return folder


def made_concrete(config: Config | Mapping[str, Any]) -> Experiment:
    """The experiment of a configuration, or of what is to be one."""
    if not isinstance(config, Config):
        config = load_config(config)
    check_backend(config)
    experiment = Experiment(config)
    _say_what_differs(experiment)
    return experiment


def _say_what_differs(experiment: Experiment) -> None:
    """Say in a line each what was asked for and is not done to the letter."""
    wanted = experiment.config.jobs
    if wanted and experiment.jobs < wanted:
        print(f"jobs = {wanted}: {experiment.jobs} processes are used here", file=sys.stderr)
    for kind in ("methods", "attacks"):
        named = [text for text in getattr(experiment.config, kind) if text != "all"]
        labels = Counter(experiment.registry.resolve(kind, text).label for text in named)
        for label, times in labels.items():
            if times > 1:
                print(f"{kind}: {label} is named {times} times, taken once", file=sys.stderr)


def begin(experiment: Experiment) -> Path:
    """Check an experiment and store its split; returns the folder that its results will be in."""
    experiment.check()
    experiment.store.open()
    save_split(experiment.split, experiment.store)
    folder = run_folder(experiment)
    write_atomic(folder / CONFIG, dump_toml(experiment.config.model_dump(mode="json")).encode())
    keep(experiment, folder)
    return folder


def make_all(
    experiment: Experiment, report: Report, cluster: Cluster | None = None, stop: str = "predict"
) -> None:
    """Make whatever is missing of a run, or of one of its requests, stage by stage to ``stop``."""
    timed = experiment.config.timed
    train, prepare, unlearn, predict, untrained, relearn = plan(experiment)
    run_cells(experiment, train, 0, report, cluster)
    run_cells(experiment, prepare, timed, report, cluster)
    if stop == "train":
        return
    ready = runnable(experiment, unlearn, prepare)
    run_cells(experiment, ready, timed, report, cluster)
    if stop == "unlearn":
        return
    made = {(cell.row, cell.member) for cell in [*train, *unlearn] if experiment.has(cell)}
    for cells in (predict, relearn):
        there = [cell for cell in cells if (cell.row, cell.member) in made]
        run_cells(experiment, there, 0, report, cluster)
    run_cells(experiment, untrained, 0, report, cluster)


def named(report: Report, experiment: Experiment) -> Report:
    """Progress that says which of several requests it is about."""
    if experiment.request is None:
        return report
    turn = f"{experiment.request} of {len(experiment.requests)}"
    return lambda stage, done, total: report(f"{stage}, request {turn}", done, total)


def run_folder(experiment: Experiment) -> Path:
    """Where a run's records go: readable, and another one for any other configuration."""
    config = experiment.config
    name = f"{experiment.data.name}-{experiment.scenario.label}-{config.models}"
    digest = content_key(config=config.identity(), data=experiment.data.fingerprint)[:8]
    return Path(config.out) / RUNS / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{digest}"


def describe_plan(config: Config) -> str:
    """What a run would do: cells by stage, what is there, time and disk of the rest, and where.

    Raises UserError where the run itself would find that its results cannot be written.
    """
    experiment = made_concrete(config)
    refuse_unwritable(experiment.store.folder)
    return mended(lambda: _describe(experiment))


def _describe(experiment: Experiment) -> str:
    experiment.check()
    refuse_unwritable(run_folder(experiment))
    groups = _planned(experiment)
    forecast = Forecast(experiment)
    lines, request, whole = [], None, True
    for step, cells in groups:
        if step.request not in (request, None):
            forgotten, asked = len(step.split.forget), len(step.split.asked)
            lines.append(f"request {step.request}: {asked} examples, {forgotten} forgotten by then")
        request = step.request
        missing = [cell for cell in cells if not _is_there(step, cell, whole)]
        whole = whole and not missing
        lines += _plan_lines(step, cells, missing, forecast)
    return "\n".join([*lines, forecast.total(), f"results: {run_folder(experiment)}"])


def _planned(experiment: Experiment) -> list[tuple[Experiment, list[Cell]]]:
    """All cells in the order in which they are made, scores and the report last."""
    groups = [(experiment, feature_cells(experiment))]
    for step in experiment.requests:
        for cells in plan(step):
            # Originals are trained for the first request.
            done = [c for c in cells if step.before and (c.stage, c.row) == ("train", ORIGINAL)]
            groups.append((step, [cell for cell in cells if cell not in done]))
        groups.append((step, [Cell("score", label, 0) for label in step.attacks]))
    return [*groups, (experiment, [Cell("report", "page, tables, figures", 0)])]


def _is_there(experiment: Experiment, cell: Cell, whole: bool) -> bool:
    """Whether a cell need not be made; ``whole``: all before it are there."""
    if cell.stage == "score":
        folder = request_folder(run_folder(experiment), experiment.request)
        return whole and (folder / RECORD).is_file()
    return cell.stage != "report" and experiment.has(cell)


def _plan_lines(
    experiment: Experiment, cells: list[Cell], missing: list[Cell], forecast: Forecast
) -> Iterator[str]:
    for row, attack in dict.fromkeys((cell.row, cell.attack) for cell in cells):
        mine = [cell for cell in cells if (cell.row, cell.attack) == (row, attack)]
        lacking = [cell for cell in missing if (cell.row, cell.attack) == (row, attack)]
        name = f"{row} for {attack}" if attack else row
        there = len(mine) - len(lacking)
        cells_in_words = "cell, " if len(mine) == 1 else "cells,"
        line = f"{mine[0].stage:<9} {name:<24} {len(mine):>4} {cells_in_words} {there:>4} there"
        yield f"{line} {forecast.tell(experiment, lacking)}" if lacking else line


def runnable(experiment: Experiment, unlearn: list[Cell], prepare: list[Cell]) -> list[Cell]:
    """The cells that have what they start from: statistics, and the model of the request before."""
    lacking = {(cell.row, cell.member) for cell in prepare if not experiment.has(cell)}
    cells = [c for c in unlearn if (c.row, experiment.start(c.member)) not in lacking]
    return [c for c in cells if experiment.before is None or experiment.before.has(c)]


def score_all(experiment: Experiment, outputs: Outputs, report: Report) -> Scores:
    """All attacks' scores, in the configuration's order; attacks run side by side."""
    attacks = list(experiment.attacks.values())
    report("score", 0, len(attacks))
    found = []
    with ThreadPoolExecutor(experiment.config.threads) as pool:
        for scores in pool.map(lambda plugin: score(experiment, outputs, plugin), attacks):
            found.append(scores)
            report("score", len(found), len(attacks))
    together = merge(list(experiment.attacks), found)
    whose = [
        label for label, of in zip(experiment.attacks, found, strict=True) for _ in of.readouts
    ]
    readouts = [
        replace(readout, attack=label)
        for readout, label in zip(together.readouts, whose, strict=True)
    ]
    return replace(together, readouts=readouts, notes=[*outputs.notes, *together.notes])
