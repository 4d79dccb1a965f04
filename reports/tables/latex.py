"""Tables for a paper: LaTeX with booktabs, means with errors, bold only what the data support."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import pandas as pd

from bench.plugins.outputs import Readout
from bench.reports.notes import BOLD, title
from bench.reports.tables.grid import Grid, Line, by_attack, single
from bench.reports.undefined import undefined_notes
from bench.results.compare import bold_rows
from bench.results.finished import Finished
from bench.results.table import (
    NONE,
    OF_RETRAINED,
    SAME,
    TARGET,
    Shown,
    heading,
    known_readouts,
    main_readouts,
)

COLUMNS = 6  # readouts in a table
PREAMBLE = (
    "% needs \\usepackage{booktabs} and \\usepackage{graphicx}; errors are standard deviations "
    "over models, or 95 % intervals in brackets\n"
)
SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{sign: f"\\{sign}" for sign in "{}&%$#_"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        SAME: r"$\approx$",
        "−": "--",
        "×": r"$\times$",
        "ε": r"$\varepsilon$",
    }
)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands; what its fonts lack becomes ?."""
    return re.sub(r"[^\x00-\x7f\xa1-\xff]", "?", text.translate(SPECIAL))


def run_latex(run: Finished) -> str:
    """The main comparison, then each attack's readouts, as many to a table as can be read."""
    best, given = bold_rows(run.compared), known_readouts(run)
    tables = []
    for name, readouts in {"main": main_readouts(run), **by_attack(run.scores_of.readouts)}.items():
        known = [readout for readout in readouts if readout in given]
        main = name == "main"
        caption = f"{title(run)}{'' if main else f'; {name}'}"
        for start in range(0, len(known), COLUMNS):
            columns = known[start : start + COLUMNS]
            label = f"{run.folder.resolve().name}-{name}-{start // COLUMNS + 1}"
            notes = undefined_notes(run, columns)
            tables.append(grid_latex(single(run, columns, best, time=main), label, caption, notes))
    return PREAMBLE + "\n".join(tables)


def grid_latex(grid: Grid, label: str, caption: str, notes: Sequence[str] = ()) -> str:
    """A comparison as a floating table, as wide as a line at most; a rule between its sections.

    ``notes``: what the caption says besides how to read the table.
    """
    frame = pd.DataFrame([_texts(line) for line in grid.lines], columns=_headings(grid))
    body = frame.style.hide(axis="index").to_latex(
        column_format="l" * (len(grid.settings) + 1) + "r" * (len(grid.readouts) + len(grid.costs)),
        hrules=True,
        sparse_columns=False,
    )
    name = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    words = f"{caption}." + "".join(f" {text[0].upper()}{text[1:]}." for text in (BOLD, *notes))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape(words)}}}",
            rf"\label{{tab:{name}}}",
            r"\centering\small",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            _ruled(body.strip(), [len(section) for section in grid.sections]) + "}",
            r"\end{table}",
            "",
        ]
    )


def _ruled(tabular: str, sizes: list[int]) -> str:
    """The tabular with a rule after each section of so many lines."""
    lines = tabular.split("\n")
    place = lines.index(r"\midrule") + 1
    for size in sizes[:-1]:
        place += size
        lines.insert(place, r"\midrule")
        place += 1
    return "\n".join(lines)


def _headings(grid: Grid) -> pd.MultiIndex | list[str]:
    """Headings of the columns, folded on as many lines as the longest needs, filled from below."""
    readouts = [_heading(readout) for readout in grid.readouts]
    folded = [textwrap.wrap(name, max(12, -(-len(name) * 6 // 10))) for name in readouts]
    columns = [*([name] for name in (*grid.settings, "method")), *folded]
    columns += [[name] for name in grid.costs.values()]
    height = max(map(len, columns))
    tuples = [tuple(map(escape, [""] * (height - len(c)) + c)) for c in columns]
    return pd.MultiIndex.from_tuples(tuples) if height > 1 else [name for (name,) in tuples]


def _heading(readout: Readout) -> str:
    return readout.short + " (%)" * readout.percent if readout.short else heading(readout)


def _texts(line: Line) -> list[str]:
    write = _target if line.row == TARGET else _cell
    costs = ("--" if cost == NONE else cost for cost in line.costs)
    return [*map(escape, [*line.settings, line.row]), *map(write, line.cells), *costs]


def _target(cell: Shown) -> str:
    return escape(cell.value.removesuffix(OF_RETRAINED))


def _cell(cell: Shown) -> str:
    r"""``\textbf{12.3} {\scriptsize$\pm$1.1}``: mean with error, marked at the target."""
    if cell.value == NONE:
        return "--"
    text = cell.value.replace("-", "$-$")
    text = rf"\textbf{{{text}}}" if cell.best else text
    text += r"$^{\approx}$" if cell.same else ""
    error = rf"$\pm${cell.spread}" if cell.spread else f"[{cell.low}, {cell.high}]"
    return text + (rf" {{\scriptsize{error}}}" if cell.spread or cell.low else "")
