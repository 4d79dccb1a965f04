"""What a command prints at its end: the table, footnotes, and where the report's files are."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.errors import UserError
from bench.messages import say, write
from bench.reports.comparison.several import Several, requests_of, side_by_side
from bench.reports.comparison.table import grid_of, notes_of
from bench.reports.notes import RANKS, footnotes, title
from bench.reports.tables.grid import single
from bench.reports.tables.terminal import rank_terminal, terminal
from bench.reports.write import FORMATS, write_report, write_several
from bench.results.compare import bold_rows
from bench.results.finished import Finished
from bench.results.table import main_readouts

WIDE = 190  # columns of a table that goes to a file or a pipe


def show_run(
    run: Finished, folder: str | None, formats: Sequence[str] | None = None
) -> Path | None:
    """Write a run's report and print its table, footnotes and where the files are."""
    written = write_report(
        run, _own_folder(run) if folder is None else Path(folder), formats or FORMATS
    )
    console = _console()
    in_turn = len(run.requests) > 1
    if in_turn:
        _show(requests_of(run), console)
    else:
        say(title(run))
        grid = single(run, main_readouts(run), bold_rows(run.compared))
        for table in terminal(grid, console.width):
            _print(table, console)
        for note in footnotes(run):
            say(f"- {note}")
    ranking = rank_terminal(run, console.width)
    if ranking:
        say(f"\n{'After the last request. ' if in_turn else ''}{RANKS}")
    for table in ranking:
        _print(table, console)
    return _name_files(written)


def _own_folder(run: Finished) -> Path:
    """Where a run's report goes: into its folder, which anybody may have sent."""
    folder = run.folder / "report"
    if folder.is_symlink():
        raise UserError(
            f"{folder} is a link to {folder.resolve()}: delete it, or name a folder (--to)"
        )
    return folder


def show_several(
    runs: Sequence[Finished], out: Path, folder: str | None, formats: Sequence[str]
) -> Path | None:
    """Write the report of several runs and print their table and where the files are."""
    several = side_by_side(runs)
    target = Path(folder) if folder else out / "reports" / several.name
    written = write_several(several, target, formats)
    _show(several, _console())
    return _name_files(written)


def _show(several: Several, console: Console) -> None:
    """Print the table and the notes of several runs."""
    say(several.title)
    for table in terminal(grid_of(several), console.width):
        _print(table, console)
    for note in notes_of(several):
        say(f"- {note}")


def _print(table: Table, console: Console) -> None:
    """Print a table, in colours where the terminal has them."""
    with console.capture() as captured:
        console.print(table)
    write(captured.get())


def _console() -> Console:
    """Standard output; of a fixed width where it is no terminal."""
    fixed = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE
    return Console(width=fixed)


def _name_files(written: Sequence[Path]) -> Path | None:
    """Say where the files are; returns the page."""
    page = next((path for path in written if path.suffix == ".html"), None)
    drawn = {".png", ".svg", ".pdf"}
    tables = [path.name for path in written if path.suffix not in {".html", *drawn}]
    figures = list(dict.fromkeys(path.stem for path in written if path.suffix in drawn))
    say(f"report:  {page or written[0].parent}")
    if tables:
        say(f"tables:  {', '.join(tables)}")
    if figures:
        say(f"figures: {', '.join(figures)} (.png, .svg, .pdf)")
    return page
