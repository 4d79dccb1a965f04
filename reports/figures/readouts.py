"""Every main readout in one figure: a column each, a line for every row."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.plugins.outputs import Readout
from bench.reports.figures.panels import Drawing, add_dots, add_floor
from bench.reports.style import FAINT, fold, plain
from bench.results.finished import Finished
from bench.results.table import NONE, heading, main_readouts

COLUMNS = 8  # readouts side by side


def readouts(run: Finished) -> Figure | None:
    """Every main readout as a column, every row as a line: value, 95 % interval, target, floor."""
    drawing, shown = Drawing(run), main_readouts(run)
    if not shown:
        return None
    names = [fold(row, 30) for row in drawing.rows]
    lines = -(-len(shown) // COLUMNS)
    columns = -(-len(shown) // lines)
    rows = 0.19 * max(sum(1 + name.count("\n") for name in names), 1.1 * len(names))
    label = 0.068 * max(len(part) for name in names for part in name.split("\n"))
    size = (label + 0.2 + 1.2 * columns, lines * (rows + 0.85))
    figure = Figure(figsize=size, layout="constrained")
    plots = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes, readout in zip(plots.flat, shown, strict=False):
        _column(axes, drawing, readout)
    for axes in plots.flat[len(shown) :]:
        axes.set_axis_off()
    plots[0, 0].set_yticks(range(len(names)), names)
    plots[0, 0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def _column(axes: Axes, drawing: Drawing, readout: Readout) -> None:
    scale = 100 if readout.percent else 1
    add_floor(axes, drawing, readout)
    across = axes.get_yaxis_transform()
    places = range(len(drawing.rows))
    axes.hlines(places, 0, 1, color=FAINT, linewidth=0.3, transform=across, zorder=0)
    scores = {
        place: (row, drawing.scores[row, readout.name])
        for place, row in enumerate(drawing.rows)
        if drawing.score(row, readout.name)
    }
    add_dots(axes, drawing, scores, scale)
    for place, row in enumerate(drawing.rows):
        if (row, readout.name) in drawing.undefined:
            axes.text(0.5, place, NONE, ha="center", va="center", transform=across)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.tick_params(axis="x", labelbottom=bool(scores), length=3 if scores else 0)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(plain("\n".join(textwrap.wrap(heading(readout), 17))), fontsize=8)
