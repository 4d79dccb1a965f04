"""The runs of a results folder: found by name, the newest; what an unfinished one lacks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from bench.config.load import CONFIG, RUNS
from bench.config.spelling import unknown
from bench.errors import UserError
from bench.outside import shown, user_path
from bench.results.layout import RECORD, REQUEST
from bench.results.manifest import missing_cells, read_manifest, resume, stored_context

log = logging.getLogger(__name__)


def find_run(name: str, out: Path) -> Path:
    """A run by its folder, its name in ``out`` (NAME/request-2, too), or how its name begins."""
    for folder in (user_path(name), user_path(out / RUNS / name)):
        if folder.is_dir():
            return folder
    path = Path(name)
    if path.name.startswith(REQUEST) and path.parent.name:
        request = find_run(str(path.parent), out) / path.name
        if not request.is_dir():
            raise UserError(
                f"{shown(request.parent)} has no {shown(path.name)}: it has fewer requests, or none"
            )
        return request
    if path.name == name:
        known = _newest_first(out)
    else:
        known = [config.parent for config in path.parent.glob(f"*/{CONFIG}")]
    if not known:
        raise UserError(
            f"no run in {shown(path.parent)}: make one with bench run, or name its folder"
        )
    matches = [run for run in known if run.name.startswith(path.name)]
    if len(matches) > 1:
        names = ", ".join(shown(run.name) for run in matches)
        raise UserError(f"'{shown(name)}' may be any of {names}")
    if not matches:
        raise unknown("run", name, [run.name for run in known])
    return matches[0]


def newest_run(out: Path) -> Path:
    """The run of ``out`` that was begun last."""
    return _newest_first(out)[0]


def newest_finished(out: Path) -> Path:
    """The newest finished run of ``out``, else the newest; warns if a newer one is unfinished."""
    runs = _newest_first(out)
    newest = next((run for run in runs if (run / RECORD).is_file()), runs[0])
    if newest != runs[0]:
        log.warning("%s is newer but not finished; this is %s", runs[0], newest.name)
    return newest


def _newest_first(out: Path) -> list[Path]:
    """All runs of a results folder; raises UserError where there is none."""
    marks = [path for mark in (CONFIG, RECORD) for path in (out / RUNS).glob(f"*/{mark}")]
    changed = {path.parent: path.stat().st_mtime for path in marks}  # a record's, if it has one
    if not changed:
        raise UserError(
            f"no run in {shown(out / RUNS)}: make one with bench run, or name its folder"
        )
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
    """One line: how many cells of each stage are stored, which failed, and how to go on."""
    go_on = f"go on with: {resume(folder)}"
    try:
        manifest = read_manifest(folder)
        context = stored_context(folder, manifest, stages={})
    except UserError as error:
        return f"{folder} is not finished: no {RECORD} ({error}); {go_on}"
    if not missing_cells(context, manifest):
        return f"{folder} is made but not scored; go on with: bench score {folder}"
    stored: dict[str, list[bool]] = {}
    for cell in manifest.keys:
        stored.setdefault(cell.stage, []).append(context.has_record(cell))
    counts = [f"{stage} {sum(has)}/{len(has)}" for stage, has in stored.items()]
    failures = [
        f"{shown(cell.row)}, model {cell.member}: {shown(failure['reason'])}"
        for cell in manifest.keys
        if cell.stage == "unlearn" and (failure := context.failure(cell))
    ]
    failed = f"; failed: {'; '.join(failures)}" if failures else ""
    return f"{folder} is not finished (cells there: {', '.join(counts)}){failed}; {go_on}"
