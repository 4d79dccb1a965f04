"""One run: from a configuration to a folder of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.config.schema import Config
from bench.engine.apart import RowProcesses
from bench.engine.begin import check, check_backend, warn_of_differences, write_beginning
from bench.engine.dask import connected
from bench.engine.graph import by_request, load_stages, open_context, plan
from bench.engine.local import make_group
from bench.engine.progress import Report, progress
from bench.engine.recover import recovering
from bench.errors import UserError
from bench.messages import show_messages
from bench.plugins.resolve import resolve_config
from bench.results.manifest import (
    read_manifest,
    refuse_edited,
    refuse_incomplete,
    stored_context,
)
from bench.results.records import write_records
from bench.results.run import Run
from bench.stages.context import PHASES, Context, Phase


def run(config: Config | Mapping[str, Any], quiet: bool = False) -> Run:
    """Make whatever is missing of a run and return it; finished work is never repeated."""
    return Run.load(run_until(config, PHASES[-1], quiet))


def run_until(config: Config | Mapping[str, Any], until: Phase, quiet: bool = False) -> Path:
    """Make what is missing of a run, up to a phase; returns the run's folder."""
    show_messages()
    if not isinstance(config, (Config, Mapping)):
        raise UserError(f"a run takes a Config or a dict of its keys, not {type(config).__name__}")
    context = open_context(config if isinstance(config, Config) else resolve_config(config))
    check_backend(context.config)
    warn_of_differences(context)
    return recovering(lambda: make_run(context, until, quiet))


def make_run(context: Context, until: Phase, quiet: bool) -> Path:
    """Make all groups of cells up to a phase, and write the records of what is scored."""
    check(context)
    groups = plan(context)
    folder, manifest = write_beginning(context, [cell for group in groups for cell in group.cells])
    phases = PHASES[: PHASES.index(until) + 1]
    groups = [group for group in groups if group.stage.phase in phases]
    with (
        connected(context.config) as cluster,
        progress(quiet) as report,
        RowProcesses() as processes,
    ):
        for request, of_request in by_request(groups):
            named = name_request(report, context, request)
            for group in of_request:
                make_group(context, group, named, processes, cluster)
            if until == PHASES[-1] and request in context.requests:
                write_records(context, manifest, folder, request)
    return folder


def score_stored(folder: str | Path, quiet: bool = False, plugins: Sequence[str] = ()) -> Run:
    """Score what a run's folder and the store beside it hold: neither data nor models are needed.

    ``plugins``: the files of the run's own attacks. Raises UserError where outputs are missing.
    """
    show_messages()
    folder = Path(folder)
    return Run.load(recovering(lambda: _score(folder, quiet, plugins)))


def _score(folder: Path, quiet: bool, plugins: Sequence[str]) -> Path:
    manifest = read_manifest(folder)
    context = stored_context(folder, manifest, load_stages(), plugins)
    refuse_incomplete(folder, context, manifest)
    refuse_edited(folder, context.split.fingerprint)
    context.store.open()
    scoring = [stage for stage in context.stages.values() if stage.reads_outputs_only]
    with progress(quiet) as report, RowProcesses() as processes:
        for request, groups in by_request(plan(context, scoring)):
            for group in groups:
                make_group(context, group, name_request(report, context, request), processes)
            write_records(context, manifest, folder, request)
    return folder


def name_request(report: Report, context: Context, request: int | None) -> Report:
    """Progress that says which of several requests it is about."""
    if request is None:
        return report
    turn = f"{request} of {len(context.requests)}"
    return lambda stage, done, total: report(f"{stage}, request {turn}", done, total)
