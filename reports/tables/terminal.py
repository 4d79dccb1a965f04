"""Comparisons for a terminal: as many columns side by side as fit, the rest beneath."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from bench.reports.tables.grid import Grid
from bench.reports.tables.text import rank_table
from bench.results.finished import Finished
from bench.results.table import (
    SAME,
    TARGET,
    Shown,
    any_failed,
    done_text,
    heading,
    short_target,
)

ROOMY = 165  # columns from which intervals fit
NAME = 24  # columns of a method's name where space is scarce
Columns = list[tuple[str, list[Text]]]  # heading, and a cell for each line


def terminal(grid: Grid, width: int = 190) -> list[Table]:
    """The comparison as one table or several; short and without intervals if narrow."""
    narrow, lines = width < ROOMY, list(grid.lines)
    names = [*grid.settings, "method"]
    leading = [
        (name, [Text([*line.settings, line.row][place]) for line in lines])
        for place, name in enumerate(names)
    ]
    columns = [
        (
            (r.short if narrow else "") or heading(r),
            [_cell(line.cells[i], narrow) for line in lines],
        )
        for i, r in enumerate(grid.readouts)
    ]
    columns += [
        (short if narrow else name, [Text(line.costs[i]) for line in lines])
        for i, (name, short) in enumerate(grid.costs.items())
    ]
    if not narrow and any(any_failed(line.run) for line in lines):  # a footnote says it too
        columns.append(("models", [Text(done_text(line.run, line.row)) for line in lines]))
    ends = [place for place, line in enumerate(lines) if line.row == TARGET]
    rules = [end - 1 for end in ends] if len(ends) == 1 else ends
    return [_table(leading, part, narrow, rules) for part in _parts(leading, columns, width)]


def rank_terminal(run: Finished, width: int = 190) -> list[Table]:
    """The ranks as tables for the terminal, if there are any."""
    ranking = rank_table(run, short=width < ROOMY)
    if ranking is None:
        return []
    leading = [("method", [Text(str(row)) for row in ranking.index])]
    columns = [(name, [Text(str(rank)) for rank in ranks]) for name, ranks in ranking.items()]
    return [_table(leading, part, width < ROOMY) for part in _parts(leading, columns, width)]


def _parts(leading: Columns, columns: Columns, width: int) -> Iterator[Columns]:
    """The columns in groups that fit beside the leading ones; all where there is room to fold."""
    if width >= ROOMY:
        yield columns
        return
    *settings, names = (_widest(column) for column in leading)
    beside = sum(settings) + min(names, NAME) + 2 * len(leading)
    part: Columns = []
    used = beside
    for column in columns:
        needed = _widest(column) + 2
        if part and used + needed > width:
            yield part
            part, used = [], beside
        part.append(column)
        used += needed
    if part:
        yield part


def _widest(column: tuple[str, list[Text]]) -> int:
    name, cells = column
    return max(map(len, [name, *(line for cell in cells for line in cell.plain.split("\n"))]))


def _table(leading: Columns, columns: Columns, narrow: bool, rules: Sequence[int] = ()) -> Table:
    """One table, with a rule after each line of ``rules``."""
    table = Table(
        pad_edge=False,
        box=box.SIMPLE_HEAD if narrow else box.HEAVY_HEAD,
        padding=(0, 0, 0, 1) if narrow else (0, 1),
    )
    folds = narrow or len(leading) > 1
    for name, _cells in leading:  # a Text: brackets are no markup
        table.add_column(
            Text(name), overflow="fold", max_width=NAME if folds else None, no_wrap=not folds
        )
    for name, _cells in columns:
        table.add_column(Text(name), justify="right", overflow="fold")
    for place, texts in enumerate(zip(*(cells for _, cells in leading + columns), strict=True)):
        table.add_row(*texts, end_section=place in rules)
    return table


def _cell(cell: Shown, narrow: bool) -> Text:
    """Value, spread and mark with the interval beneath; if narrow, the spread beneath the value."""
    if narrow:
        lines = [short_target(cell.value) + SAME * cell.same]
        lines += [f"±{cell.spread}"] if cell.spread else []
    else:
        spread = f" ±{cell.spread}" if cell.spread else ""
        lines = [cell.value + spread + f" {SAME}" * cell.same]
        lines += [f"[{cell.low}, {cell.high}]"] if cell.low else []
    text = Text("\n".join(lines))
    if cell.best:
        text.stylize("bold", 0, len(lines[0]))
    return text
