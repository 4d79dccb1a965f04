"""Figures of a run as files for papers: PNG, SVG and PDF, all in one look."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from bench.plugins.outputs import Panel
from bench.plugins.rows import CONSTANT
from bench.reports.figures.answer import answer
from bench.reports.figures.panels import Drawing, add_line, draw, frame_lines
from bench.reports.figures.readouts import readouts
from bench.reports.notes import title
from bench.reports.style import SETTINGS, fold, lay_out, plain
from bench.results.finished import Finished
from bench.results.table import number
from bench.storage.files import write_atomic

SUFFIXES = ("png", "svg", "pdf")
DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
Draw = Callable[[], Figure | None]


def figures_of(run: Finished) -> dict[str, Draw]:
    """Every figure that the run has anything for, by file name.

    Panels of dots are left out: the figure of all readouts shows their numbers.
    """
    drawing = Drawing(run)
    figures: dict[str, Draw] = {"answer": partial(answer, run), "readouts": partial(readouts, run)}
    together: dict[str, list[Panel]] = {}
    for panel in drawing.panels:
        if panel.together:
            together.setdefault(panel.together, []).append(panel)
        elif panel.kind != "dots":
            figures[panel.name] = partial(grid, drawing, panel)
    figures |= {name: partial(overlay, drawing, panels) for name, panels in together.items()}
    return {re.sub(r"[^\w.-]+", "-", name).strip("-"): make for name, make in figures.items()}


def save(figures: Mapping[str, Draw], folder: Path) -> list[Path]:
    """Write figures in every format; a rerun gives the same bytes."""
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in figures.items():
        with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
            figure = make()
            if figure is None:
                continue
            lay_out(figure, fix=True)
            for suffix in SUFFIXES:
                content = io.BytesIO()
                figure.savefig(content, format=suffix, metadata=DATES.get(suffix))
                path = folder / f"{name}.{suffix}"
                write_atomic(path, content.getvalue())
                written.append(path)
    return written


def overlay(drawing: Drawing, panels: Sequence[Panel]) -> Figure | None:
    """Panels side by side that show all rows in one axes each, with a legend of their numbers."""
    first = panels[0]
    rows = _drawn_rows(drawing, first)
    if not rows:
        return None
    legend = 0.17 * -(-len(rows) // 2) + 0.35
    size = (4.2 * len(panels), 4.6 + legend)
    figure = Figure(figsize=size, layout="constrained")
    plots = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(plots, panels, strict=True):
        for row in _drawn_rows(drawing, panel):
            name = fold(row, 40, 1)
            value = drawing.interval_of(first, row)
            add_line(axes, drawing, panel, row, f"{name}  {value}")
        frame_lines(axes, drawing, panel)
        axes.set(xlabel=plain(panel.xlabel), ylabel=plain(panel.ylabel))
        if panel.diagonal:
            axes.set_aspect("equal")
    figure.suptitle(plain(f"{first.title}\n{title(drawing.run)}"), fontsize=9)
    handles = plots[0].get_legend_handles_labels()
    words = plain(_legend_title(drawing, first))
    figure.legend(*handles, title=words, loc="outside lower center", ncols=2)
    return figure


def _legend_title(drawing: Drawing, panel: Panel) -> str:
    """What the numbers of a legend are, and where they should be."""
    readout = drawing.readouts.get(panel.readout)
    if readout is None:
        return ""
    target = "" if readout.target is None else f"; target: {number(readout.target, readout)}"
    return f"{readout.title} [95 % interval over models]{target}"


def _drawn_rows(drawing: Drawing, panel: Panel) -> list[str]:
    return [row for row in drawing.rows_of(panel) if row != CONSTANT]


def grid(drawing: Drawing, panel: Panel) -> Figure | None:
    """One panel for each row, on the same axes; None without a row but the constant one."""
    rows = _drawn_rows(drawing, panel)
    if not rows:
        return None
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    headings = [_heading(drawing, panel, row) for row in rows]
    head = 0.16 * (1 + max(text.count("\n") for text in headings))
    size = (2.75 * columns + 0.6, (1.6 + head) * lines + 0.95)
    figure = Figure(figsize=size, layout="constrained")
    plots = figure.subplots(lines, columns, squeeze=False)  # sharing would cost a square of time
    for place, axes in enumerate(plots.flat):
        if place >= len(rows):
            axes.set_axis_off()
            continue
        draw(axes, drawing, panel, rows[place])
        axes.set_title(headings[place])
        lowest = place + columns >= len(rows)  # of its column
        axes.tick_params(labelbottom=lowest, labelleft=place % columns == 0)
    figure.supxlabel(plain(panel.xlabel), fontsize=9)
    figure.supylabel(plain(panel.ylabel), fontsize=9)
    grey = f"\ngrey: {panel.behind}" if panel.behind else ""
    figure.suptitle(plain(f"{panel.title}. {title(drawing.run)}{grey}"), fontsize=9)
    return figure


def _heading(drawing: Drawing, panel: Panel, row: str) -> str:
    """The row's name, folded between parameters, and its number."""
    name, value = fold(row, 32, 3), drawing.number_of(panel, row)
    between = "\n" if "\n" in name else "   "
    return f"{name}{between}{plain(panel.symbol)} {value}" if value else name
