"""Runs that are not finished: what is there of them, what failed, and how to go on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UserError
from bench.results import RECORD

CONFIG = "config.toml"


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
        print(line, file=sys.stderr)
    return [folder for folder in folders if folder not in lines]


def missing(folder: Path) -> str:
    """One line: how many cells of each stage are there, which failed, and how to go on."""
    from bench.config import load_config
    from bench.experiment import Experiment
    from bench.schedule import plan

    go_on = f"go on with: bench run --config {folder / CONFIG}"
    out = str(folder.resolve().parent.parent)
    try:
        experiment = Experiment(load_config({"out": out}, str(folder / CONFIG)))
        groups = [cells for cells in plan(experiment) if cells]
        counts = [
            f"{cells[0].stage} {sum(map(experiment.has, cells))}/{len(cells)}" for cells in groups
        ]
    except UserError as error:  # its data or plugins are not on this machine
        return f"{folder} is not finished: no {RECORD} ({error}); {go_on}"
    failed = [
        f"{row}, model {member}: {failure['reason']}"
        for row in experiment.methods
        for member in range(experiment.config.models)
        if (failure := experiment.failure(row, member))
    ]
    told = f"; failed: {'; '.join(failed)}" if failed else ""
    return f"{folder} is not finished (cells there: {', '.join(counts)}){told}; {go_on}"
