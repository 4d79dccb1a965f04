"""Every main readout over what differs: lines over a number, dots side by side over kinds."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.plugins.outputs import Readout, Score
from bench.plugins.rows import CONSTANT, RETRAIN
from bench.reports.comparison.several import Several
from bench.reports.style import FAINT, INK, SHADE, Look, fold, looks, plain, symbol
from bench.results.table import heading

COLUMNS = 3
WIDTH = 0.6  # of what a run's methods take where runs have no order, in runs
APART = 0.012  # of the axis, between the lines of two methods: intervals must not hide each other
READING = "bars and grey: 95 % intervals; percentages on a scale of square roots"
TICKS = (0, 1, 5, 10, 20, 40, 60, 80, 100)  # of percentages
Point = tuple[float, Sequence[float]]  # a value, and the ends of its interval


@dataclass(frozen=True)
class Axis:
    """Where each run stands along an axis, what is written there, and how wide the axis is.

    On a numeric axis where one number varies; side by side otherwise.
    """

    several: Several

    @cached_property
    def places(self) -> list[float]:
        """A place for each run."""
        if self.several.on_an_axis:
            return [float(value) for value in next(iter(self.several.settings.values()))]
        return [float(place) for place in range(len(self.several.runs))]

    @property
    def names(self) -> list[str]:
        """What is written at each place."""
        if self.several.on_an_axis:
            return [f"{place:g}" for place in self.places]
        texts = [", ".join(self.several.values(p)) for p in range(len(self.places))]
        width = max(8, 44 // len(texts))
        return [plain("\n".join(textwrap.wrap(text, width)[:3])) for text in texts]

    @property
    def label(self) -> str:
        """The names of the settings."""
        return ", ".join(self.several.settings)

    def shifts(self, count: int) -> list[float]:
        """How far each of so many rows is drawn beside the place of a run."""
        if self.several.on_an_axis:
            step = 0.0 if count > 12 else APART * (np.ptp(self.places) or 1)
        else:
            step = WIDTH / max(count, 1)
        return [step * (number - (count - 1) / 2) for number in range(count)]

    def set(self, axes: Axes) -> None:
        """Ticks, limits and grid."""
        wide = np.ptp(self.places) or 1
        room = 0.12 * wide if self.several.on_an_axis else 0.55
        axes.set_xticks(self.places, self.names)
        axes.set_xlim(min(self.places) - room, max(self.places) + room)
        axes.grid(axis="y", color=FAINT, linewidth=0.3, alpha=0.6)


def panels(several: Several) -> dict[str, Callable[[Axes], None]]:
    """By heading, what draws a main readout or a cost over the settings, if there are numbers."""
    readouts: dict[str, Callable[[Axes], None]] = {
        heading(readout): partial(draw_readout, several=several, readout=readout)
        for readout in several.readouts
        if _scores(several, readout)
    }
    costs = {
        name: partial(draw_cost, several=several, name=name)
        for name, each in several.shares.items()
        if any(share is not None for run in each for share in run.values())
    }
    return readouts | costs


def over_settings(several: Several) -> Figure | None:
    """All main readouts and costs as panels of one figure, with a legend beneath."""
    rows, drawn = _rows(several), panels(several)
    if not drawn:
        return None
    columns = min(COLUMNS, len(drawn))
    lines = -(-len(drawn) // columns)
    legend = 0.17 * -(-len(rows) // columns) + 0.15
    size = (2.9 * columns + 0.3, 2.25 * lines + 0.85 + legend)
    figure = Figure(figsize=size, layout="constrained")
    plots = list(figure.subplots(lines, columns, squeeze=False).flat)
    for place, (name, draw) in enumerate(drawn.items()):
        draw(plots[place])
        plots[place].set_title(plain("\n".join(textwrap.wrap(name, 40))), fontsize=9)
        if place + columns >= len(drawn):  # lowest of its column
            plots[place].set_xlabel(plain(Axis(several).label))
    for axes in plots[len(drawn) :]:
        axes.set_axis_off()
    figure.suptitle(plain(f"{several.title}\n{READING}"), fontsize=9)
    style = looks(several.rows)
    handles = [
        Line2D([], [], label=fold(row, 40, 1), **(symbol(style[row], 5) | style[row]))
        for row in rows
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=8)
    return figure


def _rows(several: Several) -> list[str]:
    return [row for row in several.rows if row != CONSTANT]


def draw_readout(axes: Axes, several: Several, readout: Readout) -> None:
    """A readout over the settings: 95 % intervals as bars, target dotted, its floor as a band."""
    scale = 100 if readout.percent else 1
    scores = _scores(several, readout)
    _draw_floor(axes, several, readout, scores.get(RETRAIN, {}))
    points = {
        row: {
            place: (scale * score.value, [scale * end for end in score.interval or ()])
            for place, score in scores[row].items()
        }
        for row in _rows(several)
        if row in scores
    }
    _draw_rows(axes, several, points)
    if readout.percent:
        _scale_by_roots(axes)


def _scale_by_roots(axes: Axes) -> None:
    """Square roots of percentages: collapse fits, and a point more of a small error is seen."""
    axes.set_yscale("function", functions=(_root, lambda root: np.sign(root) * root**2))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02), high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    if len(ticks) > 2:
        axes.set_yticks(ticks)


def _root(value: np.ndarray) -> np.ndarray:
    return np.sign(value) * np.sqrt(np.abs(value))


def draw_cost(axes: Axes, several: Several, name: str) -> None:
    """A cost relative to retraining over the settings, on a logarithmic axis."""
    axes.axhline(1, color=INK, linewidth=0.9, linestyle=":")
    each = several.shares[name]
    points = {
        row: {p: (share, ()) for p, of_run in enumerate(each) if (share := of_run.get(row))}
        for row in _rows(several)
        if row != RETRAIN
    }
    _draw_rows(axes, several, {row: of_row for row, of_row in points.items() if of_row})
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")


def _draw_rows(axes: Axes, several: Several, points: Mapping[str, Mapping[int, Point]]) -> None:
    """Each row's values with their intervals, joined by lines where the runs have an order."""
    axis, style = Axis(several), looks(several.rows)
    between = {} if several.on_an_axis else {"linestyle": "none"}
    for (row, values), shift in zip(points.items(), axis.shifts(len(points)), strict=True):
        xs = [axis.places[place] + shift for place in values]
        for x, (_value, ends) in zip(xs, values.values(), strict=True):
            axes.plot([x] * len(ends), ends, color=style[row]["color"], linewidth=0.9)
        look: Look = symbol(style[row], 4.5) | style[row] | between
        axes.plot(xs, [value for value, _ends in values.values()], linewidth=1.1, **look)
    axis.set(axes)


def _scores(several: Several, readout: Readout) -> dict[str, dict[int, Score]]:
    """Row -> number of the run -> score."""
    scores: dict[str, dict[int, Score]] = {}
    for place, run in enumerate(several.runs):
        for score in run.scores_of.scores:
            if score.readout == readout.name:
                scores.setdefault(score.row, {})[place] = score
    return scores


def _draw_floor(axes: Axes, several: Several, readout: Readout, floor: Mapping[int, Score]) -> None:
    """Where retrained models are, and the interval of retraining again: over all, or of each."""
    places, half = Axis(several).places, (WIDTH + 0.1) / 2
    scale = 100 if readout.percent else 1
    whole = [([places[place] for place in floor], list(floor.values()))] if floor else []
    each = [([places[p] - half, places[p] + half], [score] * 2) for p, score in floor.items()]
    for xs, scores in whole if several.on_an_axis else each:
        ends = [[scale * end for end in s.interval or (s.value, s.value)] for s in scores]
        low, high = zip(*ends, strict=True)
        axes.fill_between(xs, low, high, color=SHADE, alpha=0.45, linewidth=0)
        targets = [float("nan") if s.target is None else scale * s.target for s in scores]
        if readout.better != "high":
            axes.plot(xs, targets, color=INK, linewidth=0.9, linestyle=":")
