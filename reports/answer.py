"""The answer in one figure: forgetting against utility against cost; and every main readout."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.plugins.outputs import Readout
from bench.reports.cost import costs
from bench.reports.panels import Drawing, dots
from bench.reports.style import FAINT, INK, SHADE, marker
from bench.reports.table import heading, main_readouts

if TYPE_CHECKING:
    from bench.plugins.outputs import Score
    from bench.results.run import Run

ATTACKED = ("mia_auc", "forgetting_quality", "forget_entropy_js")
UTILITY = ("test_error", "validation_error", "retain_error")
NAME = 24  # letters of a name on a line


def folded(name: str, width: int = NAME, lines: int = 2) -> str:
    """A name on at most so many lines, broken between parameters."""
    found = textwrap.wrap(name.replace(",", ", "), width, break_on_hyphens=False)
    if len(found) > lines:
        found = [*found[: lines - 1], f"{found[lines - 1][: width - 1]}…"]
    return "\n".join(found)


def measures(run: Run) -> list[Readout]:
    """Up to two readouts of forgetting: what is said of Df, and what an attacker makes of it."""
    known = _scored(run)
    poisoned = run.record["scenario"].startswith("poison") and "forget_error_true" in known
    said = ("forget_error_true" if poisoned else "forget_error", "forget_entropy_js")
    found = [
        next((known[name] for name in names if name in known), None) for names in (said, ATTACKED)
    ]
    return list({readout.name: readout for readout in found if readout is not None}.values())


def utility(run: Run) -> Readout | None:
    """The readout of utility: error on test data, if it was measured."""
    known = _scored(run)
    return next((known[name] for name in UTILITY if name in known), None)


def _scored(run: Run) -> dict[str, Readout]:
    scored = {score.readout for score in run.scores_of.scores}
    return {r.name: r for r in run.scores_of.readouts if r.name in scored}


def answer(run: Run, narrow: bool = False) -> Figure | None:
    """Each row against utility and against cost; up or down is forgetting.

    Dotted lines: where retraining is; bands: the 95 % intervals of retraining again, the floor.
    Names stand at the right, at the height of their points; below the panels in the narrow form.
    """
    drawing, useful, known = Drawing(run), utility(run), measures(run)
    rows = [
        r for r in drawing.rows if r != "constant" and r in {s.row for s in run.scores_of.scores}
    ]
    cost = {row: of["time_vs_retrain"] for row, of in costs(run).items()}
    share = {row: cost[row] for row in rows if cost.get(row)}
    kinds = [kind for kind, there in (("utility", useful), ("cost", share)) if there]
    if not kinds or not known:
        return None
    figure, plots = _canvas(len(known), len(kinds), len(rows), narrow)
    for line, forgetting in zip(plots, known, strict=True):
        there = [row for row in rows if drawing.score(row, forgetting.name)]
        for kind, axes in zip(kinds, line, strict=True):
            _frame(axes, drawing, forgetting, there)
            if kind == "utility":
                _against_utility(axes, drawing, forgetting, useful, there)
            else:
                _against_cost(axes, drawing, forgetting, {r: share[r] for r in there if r in share})
        for axes in line if narrow else line[:1]:
            axes.set_ylabel(f"{heading(forgetting)}\n{_wanted(forgetting)}")
        for axes in line:
            axes.label_outer() if not narrow else None
        if not narrow:
            _names(line[-1], drawing, forgetting, there)
    if narrow:
        _legend(figure, drawing, rows)
    return figure


def _canvas(lines: int, count: int, rows: int, narrow: bool) -> tuple[Figure, list[list[Axes]]]:
    """A figure and its axes, line by line; all in one column in the narrow form."""
    if narrow:
        legend, panels = 0.165 * rows + 0.1, lines * count
        height = 2.6 * panels + legend
        figure = Figure(figsize=(4.2, height))
        figure.subplots_adjust(0.17, (legend + 0.42) / height, 0.97, 1 - 0.08 / height, 0, 0.26)
        plots = list(figure.subplots(panels, 1, squeeze=False).flat)
        return figure, [plots[line * count : (line + 1) * count] for line in range(lines)]
    height = max(2.9, 0.19 * rows + 0.3) * lines + 0.7
    width = 3.4 * count + 2.6
    figure = Figure(figsize=(width, height))
    edges = 0.75 / width, 0.55 / height, 1 - 2.0 / width, 1 - 0.12 / height
    figure.subplots_adjust(*edges, 0.1, 0.12)
    plots = figure.subplots(lines, count, sharey="row", sharex="col", squeeze=False)
    return figure, [list(line) for line in plots]


def _wanted(readout: Readout) -> str:
    if readout.better == "target":
        return "nearer to the line is better"
    return "lower is better" if readout.better == "low" else "higher is better"


def _scale(readout: Readout) -> float:
    return 100 if readout.percent else 1


def _frame(axes: Axes, of: Drawing, readout: Readout, rows: list[str]) -> None:
    """The target of forgetting as a line, its floor as a band, and room for all rows."""
    scale = _scale(readout)
    scores = [of.scores[row, readout.name] for row in rows]
    if readout.better != "high":
        axes.axhline(scale * scores[0].target, color=INK, linewidth=0.8, linestyle=":")
    floor = of.score("retrain", readout.name)
    if floor is not None:
        low, high = floor.interval or (floor.value, floor.value)
        axes.axhspan(scale * low, scale * high, color=SHADE, alpha=0.45, linewidth=0)
    ends = [scale * x for s in scores for x in (s.interval or (s.value, s.value))]
    ends += [scale * scores[0].target] if readout.better != "high" else []
    room = 0.06 * (max(ends) - min(ends) or 1)
    axes.set_ylim(min(ends) - room, max(ends) + room)
    axes.grid(color=FAINT, linewidth=0.3, alpha=0.6)


def _against_utility(
    axes: Axes, of: Drawing, forgetting: Readout, utility: Readout, rows: list[str]
) -> None:
    scale = _scale(utility)
    there = [row for row in rows if of.score(row, utility.name)]
    floor = of.score("retrain", utility.name)
    if floor is not None:
        axes.axvline(scale * floor.target, color=INK, linewidth=0.8, linestyle=":")
        low, high = floor.interval or (floor.value, floor.value)
        axes.axvspan(scale * low, scale * high, color=SHADE, alpha=0.45, linewidth=0)
    for row in there:
        x, y = of.scores[row, utility.name], of.scores[row, forgetting.name]
        _point(axes, of, row, scale * x.value, y, forgetting)
        if x.interval is not None:
            ends = [scale * end for end in x.interval]
            color = of.looks[row]["color"]
            axes.plot(ends, [_scale(forgetting) * y.value] * 2, color=color, linewidth=0.9)
    axes.set_xlabel(heading(utility))


def _against_cost(axes: Axes, of: Drawing, forgetting: Readout, share: dict[str, float]) -> None:
    axes.axvline(1, color=INK, linewidth=0.8, linestyle=":")
    for row, value in share.items():
        _point(axes, of, row, value, of.scores[row, forgetting.name], forgetting)
    axes.set_xscale("log")
    low, high = min(share.values()), max(*share.values(), 1)
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.set_xlabel("time / retraining")


def _point(axes: Axes, of: Drawing, row: str, x: float, score: Score, readout: Readout) -> None:
    look, scale = of.looks[row], _scale(readout)
    if score.interval is not None:
        ends = [scale * end for end in score.interval]
        axes.plot([x, x], ends, color=look["color"], linewidth=0.9)
    axes.plot([x], [scale * score.value], **symbol(look, 6))


def _names(axes: Axes, of: Drawing, forgetting: Readout, rows: list[str]) -> None:
    """Names beside the last panel, at even distances, in the order of the points' heights."""
    scale, (low, high) = _scale(forgetting), axes.get_ylim()
    heights = [(scale * of.scores[r, forgetting.name].value - low) / (high - low) for r in rows]
    inches = axes.figure.get_figheight() * axes.get_position().height
    beside = {"transform": axes.transAxes, "clip_on": False}
    for row, height, place in zip(rows, heights, spread(heights, 0.17 / inches), strict=True):
        look = of.looks[row]
        axes.plot([1.01, 1.07], [height, place], linewidth=0.7, **look, **beside)
        axes.plot([1.095], [place], **symbol(look, 4.2), **beside)
        axes.text(1.125, place, folded(row, NAME, 1), va="center", fontsize=8, color=INK, **beside)


def symbol(look: dict[str, str], size: float) -> dict[str, object]:
    """A row's marker: filled for whole lines, open for broken ones."""
    filled = {} if look["linestyle"] == "-" else {"markerfacecolor": "none"}
    found = {"marker": marker(look), "color": look["color"], "markersize": size}
    return found | filled | {"linestyle": "none"}


def spread(heights: list[float], apart: float) -> list[float]:
    """Places as near to ``heights`` (0 to 1) as may be and ``apart`` or more apart."""
    order = np.argsort(heights, kind="stable")
    places = np.array(heights, dtype=float)[order]
    apart = min(apart, 1 / max(len(places) - 1, 1))
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + apart)
    places[-1] = min(places[-1], 1.0)
    for index in range(len(places) - 2, -1, -1):
        places[index] = min(places[index], places[index + 1] - apart)
    found = np.empty(len(places))
    found[order] = places
    return found.tolist()


def _legend(figure: Figure, of: Drawing, rows: list[str]) -> None:
    handles = [Line2D([], [], label=folded(row, 44, 1), **symbol(of.looks[row], 6)) for row in rows]
    figure.legend(handles=handles, loc="lower center", fontsize=8, labelspacing=0.35)


COLUMNS = 8  # readouts side by side


def readouts(run: Run) -> Figure | None:
    """Every main readout as a column, every row as a line: value, 95 % interval, target, floor."""
    drawing, shown = Drawing(run), main_readouts(run)
    if not shown:
        return None
    names = [folded(row, 30) for row in drawing.rows]
    lines = -(-len(shown) // COLUMNS)
    columns = -(-len(shown) // lines)
    label = 0.068 * max(len(part) for name in names for part in name.split("\n")) + 0.2
    rows = 0.19 * max(sum(1 + name.count("\n") for name in names), 1.1 * len(names))
    width, height = label + 1.2 * columns, lines * (rows + 0.85)
    figure = Figure(figsize=(width, height))
    top = 1 - 0.5 / height
    figure.subplots_adjust(label / width, 0.3 / height, 1 - 0.1 / width, top, 0.14, 0.85 / rows)
    plots = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes, readout in zip(plots.flat, shown, strict=False):
        _column(axes, drawing, readout)
    for axes in plots.flat[len(shown) :]:
        axes.set_axis_off()
    plots[0, 0].set_yticks(range(len(names)), names)
    plots[0, 0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def _column(axes: Axes, of: Drawing, readout: Readout) -> None:
    scale = _scale(readout)
    floor = of.score("retrain", readout.name)
    if floor is not None:
        low, high = (scale * end for end in floor.interval or (floor.value, floor.value))
        axes.axvspan(low, high, color=SHADE, alpha=0.45, linewidth=0)
        if readout.better != "high":
            axes.axvline(scale * floor.target, color=INK, linewidth=0.8, linestyle=":")
    across = {"transform": axes.get_yaxis_transform(), "zorder": 0}
    axes.hlines(range(len(of.rows)), 0, 1, color=FAINT, linewidth=0.3, **across)
    there = {place: row for place, row in enumerate(of.rows) if of.score(row, readout.name)}
    dots(
        axes,
        of,
        {place: (row, of.scores[row, readout.name]) for place, row in there.items()},
        scale,
    )
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title("\n".join(textwrap.wrap(heading(readout), 17)), fontsize=8)
