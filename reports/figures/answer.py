"""The answer in one figure: forgetting against utility and against cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from bench.plugins.outputs import Readout, Score
from bench.plugins.rows import CONSTANT
from bench.reports.figures.panels import GUIDE, Drawing, add_floor
from bench.reports.style import FAINT, INK, fold, lay_out, plain, symbol
from bench.results.costs import time_shares
from bench.results.finished import Finished, Scored
from bench.results.table import TIME, heading

LINE = 0.17  # inches of a name


def in_role(run: Scored, role: str) -> list[Readout]:
    """The readouts in a role that some drawn row has a number of, the preferred one first."""
    scored = {score.readout for score in run.scores_of.scores if score.row != CONSTANT}
    known = [r for r in run.scores_of.readouts if r.role == role and r.name in scored]
    return sorted(known, key=lambda readout: readout.preference)


def measures(run: Scored) -> list[Readout]:
    """Up to two readouts of forgetting: what models say of Df, and what an attacker makes of it.

    Where no attacker's number exists, two of what models say.
    """
    said, attacked = in_role(run, "forgetting"), in_role(run, "attack")
    return [*said[:1], *attacked[:1]] if attacked else said[:2]


def utility(run: Scored) -> Readout | None:
    """The readout of utility: error on test data, if it was measured."""
    return next(iter(in_role(run, "utility")), None)


@dataclass(frozen=True)
class Tradeoff:
    """What the figure shows: rows by measures of forgetting, utility and cost."""

    drawing: Drawing
    rows: Sequence[str]
    measures: Sequence[Readout]
    utility: Readout | None
    cost: dict[str, float]

    @property
    def columns(self) -> list[Readout | None]:
        """What stands along the horizontal axes: utility, and None for cost."""
        return [*([self.utility] if self.utility else []), *([None] if self.cost else [])]

    def rows_with(self, readout: Readout) -> list[str]:
        """The rows that have a number."""
        return [row for row in self.rows if self.drawing.score(row, readout.name)]


def answer(run: Finished, narrow: bool = False) -> Figure | None:
    """Each row against utility and against cost; up or down is forgetting.

    Dotted lines: where retraining is; bands: the 95 % intervals of retraining again, the floor.
    Names stand at the right, at the height of their points; below the panels in the narrow form.
    """
    drawing, scored = Drawing(run), {score.row for score in run.scores_of.scores}
    rows = [row for row in drawing.rows if row != CONSTANT and row in scored]
    shares = time_shares(run.record)
    cost = {row: share for row in rows if (share := shares.get(row))}
    shown = Tradeoff(drawing, rows, measures(run), utility(run), cost)
    if not shown.columns or not shown.measures:
        return None
    return _narrow(shown) if narrow else _wide(shown)


def _narrow(shown: Tradeoff) -> Figure:
    """All panels below one another, a legend beneath."""
    count = len(shown.measures) * len(shown.columns)
    height = 2.6 * count + 0.165 * len(shown.rows) + 0.1
    figure = Figure(figsize=(4.2, height), layout="constrained")
    plots = iter(figure.subplots(count, 1, squeeze=False).flat)
    for forgetting in shown.measures:
        for across in shown.columns:
            axes = next(plots)
            _panel(axes, shown, forgetting, across)
            axes.set_ylabel(_vertical(forgetting))
            axes.set_xlabel(_horizontal(across))
    handles = [
        Line2D([], [], label=fold(row, 44, 1), **symbol(shown.drawing.looks[row], 6))
        for row in shown.rows
    ]
    figure.legend(handles=handles, loc="outside lower center", fontsize=8, labelspacing=0.35)
    return figure


def _wide(shown: Tradeoff) -> Figure:
    """A line of panels for each measure, names at the right."""
    lines, columns = len(shown.measures), len(shown.columns)
    height = max(2.9, (LINE + 0.02) * len(shown.rows) + 0.3) * lines + 0.7
    figure = Figure(figsize=(3.4 * columns + 2.6, height), layout="constrained")
    plots = figure.subplots(lines, columns, sharey="row", sharex="col", squeeze=False)
    for forgetting, line in zip(shown.measures, plots, strict=True):
        for across, axes in zip(shown.columns, line, strict=True):
            _panel(axes, shown, forgetting, across)
            axes.set_xlabel(_horizontal(across))
            axes.label_outer()
        line[0].set_ylabel(_vertical(forgetting))
    lay_out(figure)
    for forgetting, line in zip(shown.measures, plots, strict=True):
        inches = height * line[-1].get_position().height
        _names(line[-1], shown, forgetting, LINE / inches)
    return figure


def _horizontal(across: Readout | None) -> str:
    return TIME if across is None else plain(heading(across))


def _vertical(readout: Readout) -> str:
    wanted = "nearer to the line" if readout.better == "target" else f"{readout.better}er"
    return f"{plain(heading(readout))}\n{wanted} is better"


def _panel(axes: Axes, shown: Tradeoff, forgetting: Readout, across: Readout | None) -> None:
    """One measure of forgetting against utility, or against cost where ``across`` is None."""
    _frame(axes, shown, forgetting)
    if across is None:
        _against_cost(axes, shown, forgetting)
    else:
        _against_utility(axes, shown, forgetting, across)


def _scale(readout: Readout) -> float:
    return 100 if readout.percent else 1


def _ends(score: Score, scale: float) -> list[float]:
    """The ends of the interval, or the value twice."""
    return [scale * end for end in score.interval or (score.value, score.value)]


def _frame(axes: Axes, shown: Tradeoff, readout: Readout) -> None:
    """The target of forgetting as a line, its floor as a band, and room for all rows."""
    scale = _scale(readout)
    scores = [shown.drawing.scores[row, readout.name] for row in shown.rows_with(readout)]
    ends = [end for score in scores for end in _ends(score, scale)]
    targets = [score.target for score in scores if score.target is not None]
    if readout.better != "high" and targets:
        ends.append(scale * targets[0])
    add_floor(axes, shown.drawing, readout, across=True)
    room = 0.06 * (max(ends) - min(ends) or 1)
    axes.set_ylim(min(ends) - room, max(ends) + room)
    axes.grid(color=FAINT, linewidth=0.3, alpha=0.6)


def _against_utility(axes: Axes, shown: Tradeoff, forgetting: Readout, useful: Readout) -> None:
    scale, drawing = _scale(useful), shown.drawing
    add_floor(axes, drawing, useful)
    for row in shown.rows_with(forgetting):
        x, y = drawing.score(row, useful.name), drawing.scores[row, forgetting.name]
        if x is None:
            continue
        _point(axes, drawing, row, scale * x.value, y, forgetting)
        height, color = _scale(forgetting) * y.value, drawing.looks[row]["color"]
        axes.plot(_ends(x, scale), [height, height], color=color, linewidth=0.9)


def _against_cost(axes: Axes, shown: Tradeoff, forgetting: Readout) -> None:
    axes.axvline(1, **GUIDE)
    share = {row: shown.cost[row] for row in shown.rows_with(forgetting) if row in shown.cost}
    for row, value in share.items():
        score = shown.drawing.scores[row, forgetting.name]
        _point(axes, shown.drawing, row, value, score, forgetting)
    axes.set_xscale("log")
    low, high = min([*share.values(), 1]), max([*share.values(), 1])
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))


def _point(
    axes: Axes, drawing: Drawing, row: str, x: float, score: Score, readout: Readout
) -> None:
    look, scale = drawing.looks[row], _scale(readout)
    axes.plot([x, x], _ends(score, scale), color=look["color"], linewidth=0.9)
    axes.plot([x], [scale * score.value], **symbol(look, 6))


def _names(axes: Axes, shown: Tradeoff, forgetting: Readout, distance: float) -> None:
    """Names beside the last panel, ``distance`` apart, in the order of the points' heights."""
    rows, drawing = shown.rows_with(forgetting), shown.drawing
    scale, (low, high) = _scale(forgetting), axes.get_ylim()
    values = [scale * drawing.scores[row, forgetting.name].value for row in rows]
    heights = [(value - low) / (high - low) for value in values]
    beside: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
    for row, height, place in zip(rows, heights, spread(heights, distance), strict=True):
        look = drawing.looks[row]
        axes.plot([1.01, 1.07], [height, place], linewidth=0.7, **look, **beside)
        axes.plot([1.095], [place], **symbol(look, 4.2), **beside)
        axes.text(1.125, place, fold(row, lines=1), va="center", fontsize=8, color=INK, **beside)


def spread(heights: Sequence[float], distance: float) -> list[float]:
    """Places as near to ``heights`` (0 to 1) as may be, and at least ``distance`` apart."""
    order = np.argsort(heights, kind="stable")
    places = np.array(heights, dtype=float)[order]
    distance = min(distance, 1 / max(len(places) - 1, 1))
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + distance)
    places[-1] = min(places[-1], 1.0)
    for index in range(len(places) - 2, -1, -1):
        places[index] = min(places[index], places[index + 1] - distance)
    by_row = np.empty(len(places))
    by_row[order] = places
    return by_row.tolist()
