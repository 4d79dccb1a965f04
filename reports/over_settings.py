"""Every main readout over what differs: lines over a number, dots side by side over kinds."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.plugins.outputs import Readout
from bench.reports.answer import folded, symbol
from bench.reports.settings import numeric
from bench.reports.style import FAINT, INK, SHADE, looks
from bench.reports.table import heading

if TYPE_CHECKING:
    from bench.plugins.outputs import Score
    from bench.reports.several import Several

COLUMNS = 3
WIDTH = 0.6  # of what a run's methods take where runs have no order, in runs
APART = 0.012  # of the axis, between the lines of two methods: intervals must not hide each other


def over_settings(several: Several) -> Figure:
    """All main readouts as panels of one figure, with a legend beneath."""
    rows = [row for row in several.rows if row != "constant"]
    columns = min(COLUMNS, len(several.readouts))
    lines = -(-len(several.readouts) // columns)
    legend = 0.17 * -(-len(rows) // columns) + 0.15
    width, height = 2.9 * columns + 0.3, 2.25 * lines + 0.85 + legend
    figure = Figure(figsize=(width, height))
    edges = 0.6 / width, (legend + 0.5) / height, 1 - 0.1 / width, 1 - 0.72 / height
    figure.subplots_adjust(*edges, 0.26, 0.42)
    plots = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, readout in zip(plots, several.readouts, strict=False):
        draw(axes, several, readout)
        axes.set_title("\n".join(textwrap.wrap(heading(readout), 40)), fontsize=9)
        axes.set_xlabel("")  # once is enough
    for axes in plots[len(several.readouts) :]:
        axes.set_axis_off()
    figure.suptitle(several.title, fontsize=9)
    figure.text(0.5, (legend + 0.1) / height, positions(several)[2], ha="center", fontsize=9)
    style = looks(several.rows)
    handles = [
        Line2D([], [], label=folded(row, 40, 1), **(symbol(style[row], 5) | style[row]))
        for row in rows
    ]
    figure.legend(handles=handles, loc="lower center", ncols=columns, fontsize=8)
    return figure


def draw(axes: Axes, several: Several, readout: Readout) -> None:
    """A readout over the settings: 95 % intervals as bars, target dotted, its floor as a band."""
    places, names, label = positions(several)
    style = looks(several.rows)
    found = _scores(several, readout)
    scale = 100 if readout.percent else 1
    ordered = on_an_axis(several)
    _retraining(axes, found.get("retrain", {}), readout, places, scale, ordered)
    drawn = [row for row in several.rows if row in found and row != "constant"]
    step = APART * (np.ptp(places) or 1) if ordered else WIDTH / len(drawn)
    between = {} if ordered else {"linestyle": "none"}
    for number, row in enumerate(drawn):
        together = ordered and len(drawn) > 12
        shift = 0 if together else step * (number - (len(drawn) - 1) / 2)
        xs = [places[place] + shift for place in found[row]]
        scores = list(found[row].values())
        for x, score in zip(xs, scores, strict=True):
            if score.interval is not None:
                ends = [scale * end for end in score.interval]
                axes.plot([x, x], ends, color=style[row]["color"], linewidth=0.9)
        values = [scale * score.value for score in scores]
        axes.plot(xs, values, **(symbol(style[row], 4.5) | style[row] | between), linewidth=1.1)
    axes.set_xticks(places, names)
    room = 0.12 * (np.ptp(places) or 1) if ordered else 0.55
    axes.set_xlim(min(places) - room, max(places) + room)
    axes.set_xlabel(label)
    axes.grid(axis="y", color=FAINT, linewidth=0.3, alpha=0.6)


def _scores(several: Several, readout: Readout) -> dict[str, dict[int, Score]]:
    """Row -> number of the run -> score."""
    found: dict[str, dict[int, Score]] = {}
    for place, run in enumerate(several.runs):
        for score in run.scores_of.scores:
            if score.readout == readout.name:
                found.setdefault(score.row, {})[place] = score
    return found


def _retraining(
    axes: Axes,
    floor: dict[int, Score],
    readout: Readout,
    places: list[float],
    scale: float,
    ordered: bool,
) -> None:
    """Where retrained models are, and the interval of retraining again: over all, or of each."""
    half = (WIDTH + 0.1) / 2
    whole = [([places[place] for place in floor], list(floor.values()))] if floor else []
    each = [([places[p] - half, places[p] + half], [score] * 2) for p, score in floor.items()]
    for xs, scores in whole if ordered else each:
        ends = [[scale * end for end in s.interval or (s.value, s.value)] for s in scores]
        low, high = zip(*ends, strict=True)
        axes.fill_between(xs, low, high, color=SHADE, alpha=0.45, linewidth=0)
        if readout.better != "high":
            targets = [scale * score.target for score in scores]
            axes.plot(xs, targets, color=INK, linewidth=0.9, linestyle=":")


def on_an_axis(several: Several) -> bool:
    """Whether one number varies: its values have an order and distances, kinds have none."""
    return len(several.settings) == 1 and numeric(next(iter(several.settings.values())))


def positions(several: Several) -> tuple[list[float], list[str], str]:
    """Where each run stands on the axis, what is written there, and the axis's label.

    On a numeric axis where one number varies; side by side otherwise.
    """
    name, values = next(iter(several.settings.items()))
    if on_an_axis(several):
        return [float(value) for value in values], [f"{value:g}" for value in values], name
    count = len(several.runs)
    texts = [", ".join(several.values(place)) for place in range(count)]
    width = max(8, 44 // count)
    names = ["\n".join(textwrap.wrap(text, width)[:3]) for text in texts]
    return [float(place) for place in range(count)], names, ", ".join(several.settings)
