"""The main readouts for a terminal: as many columns side by side as fit, the rest beneath."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.reports.notes import SAME
from bench.reports.table import TIME, comparison, heading, rank_table, supported

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from bench.results.run import Run

ROOMY = 165  # columns from which intervals fit
INTERVAL = re.compile(r" (\[[^\]]*\])")
NAME = 24  # columns of a method's name where space is scarce


def terminal(run: Run, width: int = 190) -> list[Table]:
    """The comparison as one table or several; short and without intervals if narrow."""
    frame = comparison(run, main_only=True)
    narrow = width < ROOMY
    if narrow:
        frame = frame.drop(columns="models", errors="ignore")  # a footnote says it too
    readouts, best = run.scores_of.readouts, supported(run.compared)
    names = {r.title: r.name for r in readouts}
    headings = {r.title: (r.short if narrow else "") or heading(r) for r in readouts}
    headings[TIME] = "time" if narrow else TIME
    bold = {
        (row, title) for title, name in names.items() for row in best.get(name, ()) if name in best
    }
    shown = frame.map(lambda cell: _narrowed(cell) if narrow else INTERVAL.sub(r"\n\1", cell))
    return [
        _table(block.rename(columns=headings), narrow, {(r, headings[c]) for r, c in bold})
        for block in blocks(shown, headings, width, narrow)
    ]


def rank_terminal(run: Run, width: int = 190) -> list[Table]:
    """The ranks as tables for the terminal, if there are any."""
    narrow = width < ROOMY
    ranking = rank_table(run, short=narrow)
    if ranking is None:
        return []
    headings = {column: column for column in ranking.columns}
    return [
        _table(block, narrow, set())
        for block in blocks(ranking.astype(str), headings, width, narrow)
    ]


def blocks(
    frame: pd.DataFrame, headings: dict[str, str], width: int, narrow: bool
) -> list[pd.DataFrame]:
    """The columns in as few tables as fit; all in one where there is room to fold headings."""
    if not narrow:
        return [frame]
    used = min(NAME, max(len(str(row)) for row in frame.index))
    return [frame[columns] for columns in packed(frame, headings, used, width)]


def packed(
    frame: pd.DataFrame, headings: dict[str, str], beside: int, width: int
) -> list[list[str]]:
    """The columns in groups that fit into ``width`` beside what takes ``beside``."""
    between = edges = 2
    beside += edges
    found, used = [[]], beside
    for column in frame.columns:
        lines = [headings[column], *(line for cell in frame[column] for line in cell.split("\n"))]
        needed = max(map(len, lines)) + between
        if found[-1] and used + needed > width:
            found.append([])
            used = beside
        found[-1].append(column)
        used += needed
    return found


def side_by_side(
    lines: list[dict[str, str]],
    leading: list[str],
    headings: dict[str, str],
    best: set[tuple[int, str]],
    width: int,
) -> list[Table]:
    """Lines of several runs as tables: settings and method beside each block of readouts.

    ``best``: which cells, by line and readout, may be set in bold.
    """
    import pandas as pd
    from rich.text import Text

    narrow = width < ROOMY
    headings = headings | {TIME: "time" if narrow else TIME}
    frame = pd.DataFrame(lines)
    shown = frame[list(headings)].map(
        lambda cell: _narrowed(cell) if narrow else INTERVAL.sub(r"\n\1", cell)
    )
    names = [*leading, "method"]
    widths = [max(map(len, [name, *frame[name]])) for name in names]
    beside = sum(widths[:-1]) + min(widths[-1], NAME) + 2 * len(leading)
    groups = packed(shown, headings, beside, width) if narrow else [list(shown.columns)]
    tables = []
    for columns in groups:
        table = _blank(narrow, names[0])
        for name in names[1:]:
            table.add_column(Text(name), overflow="fold", max_width=NAME)
        for column in columns:
            table.add_column(Text(headings[column]), justify="right", overflow="fold")
        for place, line in enumerate(lines):
            texts = [_cell(shown.loc[place, c], (place, c) in best) for c in columns]
            last = line["method"] == "target"
            table.add_row(*(Text(line[name]) for name in names), *texts, end_section=last)
        tables.append(table)
    return tables


def _blank(narrow: bool, name: str) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    style = {"box": box.SIMPLE_HEAD, "padding": (0, 0, 0, 1)} if narrow else {"padding": (0, 1)}
    table = Table(pad_edge=False, **style)
    limit = {"max_width": NAME} if narrow else {"no_wrap": True}
    table.add_column(Text(name), overflow="fold", **limit)
    return table


def _table(frame: pd.DataFrame, narrow: bool, bold: set[tuple[str, str]]) -> Table:
    from rich.text import Text

    table = _blank(narrow, "method")
    for column in frame.columns:
        table.add_column(Text(column), justify="right", overflow="fold")  # brackets are no markup
    for row, cells in zip(frame.index, frame.to_numpy().tolist(), strict=True):
        if row == "target":
            table.add_section()
        named = zip(frame.columns, cells, strict=True)
        table.add_row(Text(row), *(_cell(cell, (row, column) in bold) for column, cell in named))
    return table


def _cell(text: str, bold: bool) -> object:
    from rich.text import Text

    cell = Text(text)
    if bold:
        cell.stylize("bold", 0, len(text.split("\n")[0]))
    return cell


def _narrowed(cell: str) -> str:
    """The value with its mark, the spread beneath it."""
    value, _, rest = INTERVAL.sub("", cell).partition(" ±")
    spread, _, mark = rest.partition(" ")
    value = value.removeprefix("low: ").removesuffix(" (retrained)").replace("as retrain", "high")
    return f"{value}{mark}\n±{spread}" if spread else value.replace(f" {SAME}", SAME)
