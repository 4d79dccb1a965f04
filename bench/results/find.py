"""The runs of a results folder: found by name, the newest; what an unfinished one lacks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.load import CONFIG, RUNS
from bench.config.spelling import unknown
from bench.errors import UserError
from bench.results.run import RECORD

if TYPE_CHECKING:
    from bench.stages.context import Experiment

log = logging.getLogger(__name__)


def find_run(name: str, out: Path) -> Path:
    """A run by its folder, its name in ``out`` (NAME/request-2, too), or how its name begins."""
    for folder in (Path(name), out / RUNS / name):
        if folder.is_dir():
            return folder
    path = Path(name)
    if path.name == name:
        known = _newest_first(out)
    else:
        known = [config.parent for config in path.parent.glob(f"*/{CONFIG}")]
    begun_so = [run for run in known if run.name.startswith(path.name)]
    if len(begun_so) > 1:
        raise UserError(f"'{name}' may be any of {', '.join(run.name for run in begun_so)}")
    if not begun_so:
        raise unknown("run", name, [run.name for run in known] or ["none there"])
    return begun_so[0]


def newest_run(out: Path) -> Path:
    """The run of ``out`` that was begun last."""
    return _newest_first(out)[0]


def newest_finished(out: Path) -> Path:
    """The newest finished run of ``out``, or where none is, the newest; says what is newer."""
    runs = _newest_first(out)
    found = next((run for run in runs if (run / RECORD).is_file()), runs[0])
    if found != runs[0]:
        log.warning("%s is newer but not finished; this is %s", runs[0], found.name)
    return found


def _newest_first(out: Path) -> list[Path]:
    """All runs of a results folder; raises UserError where there is none."""
    marks = [path for mark in (CONFIG, RECORD) for path in (out / RUNS).glob(f"*/{mark}")]
    changed = {path.parent: path.stat().st_mtime for path in marks}  # a record's, if it has one
    if not changed:
        raise UserError(f"no run in {out / RUNS}: make one with bench run, or name its folder")
    return sorted(changed, key=lambda run: changed[run], reverse=True)


def refuse_unfinished(folders: Sequence[Path]) -> list[Path]:
    """The finished runs among ``folders``; says in a line what each of the others lacks.

    Raises UserError where none is finished. Folders that hold no run at all stay, for their reader
    to refuse.
    """
    lines = {
        folder: missing(folder)
        for folder in folders
        if not (folder / RECORD).is_file() and (folder / CONFIG).is_file()
    }
    if lines and len(lines) == len(folders):
        raise UserError("; ".join(lines.values()))
    for line in lines.values():
        log.warning(line)
    return [folder for folder in folders if folder not in lines]


def missing(folder: Path) -> str:
    """One line: how many cells of each stage are there, which failed, and how to go on."""
    from bench.config.load import load_config
    from bench.stages.context import Experiment

    if _lacks_only_scores(folder):
        return f"{folder} is made but not scored; go on with: bench score {folder}"
    go_on = f"go on with: bench run --config {folder / CONFIG}"
    try:
        experiment = Experiment(load_config({}, str(folder / CONFIG)))
        counts = _counts(experiment)
    except UserError as error:  # its data or plugins are not on this machine
        return f"{folder} is not finished: no {RECORD} ({error}); {go_on}"
    failed = [
        f"{row}, model {member}: {failure['reason']}"
        for step in experiment.requests
        for row in step.methods
        for member in range(step.config.models)
        if (failure := step.failure(row, member))
    ]
    told = f"; failed: {'; '.join(failed)}" if failed else ""
    return f"{folder} is not finished (cells there: {', '.join(counts)}){told}; {go_on}"


def _lacks_only_scores(folder: Path) -> bool:
    from bench.engine.away import Away

    try:
        Away(folder).check()
    except UserError:
        return False
    return True


def _counts(experiment: Experiment) -> list[str]:
    """Of each stage, how many cells are there and how many it has, over all requests."""
    from bench.engine.local import plan

    there: dict[str, list[bool]] = {}
    for step in experiment.requests:
        for cell in (cell for cells in plan(step) for cell in cells):
            there.setdefault(cell.stage, []).append(step.has(cell))
    return [f"{stage} {sum(found)}/{len(found)}" for stage, found in there.items()]
