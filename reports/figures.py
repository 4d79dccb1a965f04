"""Figures of a run as files for papers: PNG, SVG and PDF, all in one look."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reports.answer import answer, folded, readouts
from bench.reports.notes import title
from bench.reports.panels import Drawing, Panel, panels_of
from bench.reports.requests import draw as over_requests
from bench.reports.style import FAINT, SETTINGS
from bench.reports.table import number
from bench.storage.files import write_atomic

if TYPE_CHECKING:
    from bench.results.run import Run

SUFFIXES = ("png", "svg", "pdf")
BEHIND = {  # what is grey in a panel
    "entropy": "retrained models",
    "attack-scores": "retrained models, judged alike",
    "epsilon": "retraining again, what nothing can beat",
    "called": "retrained models",
}


def drawings(run: Run) -> dict[str, Callable[[], Figure | None]]:
    """Every figure that the run has anything for, by file name."""
    found: dict[str, Callable[[], Figure | None]] = {
        "answer": lambda: answer(run),
        "readouts": lambda: readouts(run),
    }
    if len(run.requests) > 1:
        found["requests"] = lambda: over_requests(run)
    there = panels_of(run)
    if any(panel.name == "roc" for panel in there):
        found["roc"] = lambda: roc(run)
    for panel in there:
        if panel.name in BEHIND:
            found[panel.name] = lambda panel=panel: grid(run, panel)
    return found


def write_figures(run: Run, folder: Path) -> list[Path]:
    """Draw every figure; returns the files."""
    return save(drawings(run), folder)


def save(found: dict[str, Callable[[], Figure | None]], folder: Path) -> list[Path]:
    """Write figures in every format; a rerun gives the same bytes."""
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in found.items():
        with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
            figure = draw()
            if figure is None:
                continue
            for suffix in SUFFIXES:
                path = folder / f"{name}.{suffix}"
                dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
                content = io.BytesIO()
                figure.savefig(content, format=suffix, metadata=dates)
                write_atomic(path, content.getvalue())
                written.append(path)
    return written


def roc(run: Run) -> Figure:
    """ROC and log-ROC of the membership attack, target sets of all rows against retrained."""
    drawing = Drawing(run)
    rows = [r for r in drawing.rows if f"{r}|roc_fpr" in drawing.curves and r != "constant"]
    legend = 0.17 * -(-len(rows) // 2) + 0.35
    height = 4.6 + legend
    figure = Figure(figsize=(8.4, height))
    figure.subplots_adjust(0.08, (legend + 0.5) / height, 0.98, 1 - 0.5 / height, 0.22)
    linear, logarithmic = figure.subplots(1, 2)
    smallest = 1.0
    for row in rows:
        false, true = (drawing.curves[f"{row}|roc_{rate}"] for rate in ("fpr", "tpr"))
        score = drawing.scores[row, "mia_auc"]
        label = f"{folded(row, 40, 1)}  {score.value:.3f}"
        if score.interval:
            label += " [{:.3f}, {:.3f}]".format(*score.interval)
        linear.plot(false, true, label=label, linewidth=1.4, **drawing.looks[row])
        logarithmic.plot(false, true, linewidth=1.4, **drawing.looks[row])
        smallest = min(smallest, false[false > 0].min())  # what so many negatives can resolve
    _roc_axes(linear, logarithmic, smallest)
    figure.suptitle(f"Membership attack on the forget set\n{title(run)}", fontsize=9)
    figure.legend(
        *linear.get_legend_handles_labels(),
        title="AUC [95 % interval over models]; 0.5: nothing left to tell",
        loc="lower center",
        ncols=2,
    )
    return figure


def _roc_axes(linear: Axes, logarithmic: Axes, smallest: float) -> None:
    for axes, start in ((linear, 0), (logarithmic, smallest)):
        chance = np.linspace(start, 1, 200)
        axes.plot(chance, chance, color=FAINT, linewidth=0.8, zorder=0)
        axes.set(xlabel="false positive rate, on retrained models")
    linear.set(
        ylabel="true positive rate, on the row's models", xlim=(0, 1), ylim=(0, 1), aspect="equal"
    )
    logarithmic.set(xscale="log", yscale="log", xlim=(smallest, 1), ylim=(smallest, 1))
    logarithmic.set(aspect="equal")


def grid(run: Run, panel: Panel) -> Figure:
    """One panel for each row, on the same axes."""
    drawing = Drawing(run)
    rows = [row for row in drawing.having(panel) if row != "constant"]
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    headings = {row: _heading(drawing, panel, row) for row in rows}
    head = 0.16 * (1 + max(text.count("\n") for text in headings.values()))
    width, height = 2.75 * columns + 0.6, (1.6 + head) * lines + 0.95
    figure = Figure(figsize=(width, height))
    edges = 0.75 / width, 0.55 / height, 1 - 0.12 / width, 1 - (0.5 + head) / height
    figure.subplots_adjust(*edges, 0.08, (0.15 + head) / 1.35)
    plots = figure.subplots(lines, columns, squeeze=False)  # sharing would cost a square of time
    for place, axes in enumerate(plots.flat):
        if place >= len(rows):
            axes.set_axis_off()
            continue
        panel.draw(axes, drawing, rows[place])
        axes.set_title(headings[rows[place]])
        lowest = place + columns >= len(rows)  # of its column
        axes.tick_params(labelbottom=lowest, labelleft=place % columns == 0)
    figure.supxlabel(panel.xlabel, fontsize=9)
    figure.supylabel(panel.ylabel, fontsize=9)
    figure.suptitle(f"{panel.title}. {title(run)}\ngrey: {BEHIND[panel.name]}", fontsize=9)
    return figure


def _heading(of: Drawing, panel: Panel, row: str) -> str:
    """The row's name, folded between parameters, and its number."""
    name = folded(row, 32, 3)
    score = of.score(row, panel.readout)
    if score is None:
        return name
    readout = next(r for r in of.run.scores_of.readouts if r.name == panel.readout)
    gap = "\n" if "\n" in name else "   "
    return f"{name}{gap}{panel.symbol} {number(score.value, readout)}"
