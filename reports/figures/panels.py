"""Panels as attacks declare them: one drawing of each row, for papers and for the page.

A reader of ``Panel`` in ``bench.plugins.outputs`` knows what each kind needs; here it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bench.plugins.outputs import EVERY_ROW, Curve, Panel, Readout, Score
from bench.plugins.removal import FORGOTTEN_TEST
from bench.plugins.rows import RETRAIN
from bench.reports.style import FAINT, INK, MARKERS, SHADE, looks, marker, plain
from bench.results.finished import Finished, row_order
from bench.results.table import NONE, number

CLASSES = Panel(
    "called",
    "What forgotten examples are called",
    "bars",
    xlabel="class",
    ylabel="% of outputs",
    behind="retrained models",
)
GUIDE: dict[str, Any] = {"color": INK, "linewidth": 0.8, "linestyle": ":"}
LETTERS = 10  # of a class's name beside a bar


class Drawing:
    """What all panels of a run share: looks, curves, and scales that one row cannot spoil."""

    def __init__(self, run: Finished):
        self.run, self.rows = run, row_order(run)
        self.looks = looks(self.rows)
        self.scores = {(score.row, score.readout): score for score in run.scores_of.scores}
        self.readouts = {readout.name: readout for readout in run.scores_of.readouts}
        self.undefined = {(one.row, one.readout) for one in run.scores_of.undefined}
        panels, curves = _classes(run)
        self._curves = {
            (curve.panel, curve.row, curve.behind): curve
            for curve in [*run.scores_of.curves, *curves]
        }
        self.panels = [p for p in [*run.scores_of.panels, *panels] if self.rows_of(p)]
        binned = [p for p in self.panels if p.kind in ("histogram", "values")]
        self.ceilings = {panel.name: self._ceiling(panel) for panel in binned}

    def rows_of(self, panel: Panel) -> list[str]:
        """The rows that a panel can be drawn for."""
        if panel.kind == "dots":
            return [row for row in self.rows if self.dots_of(panel, row)]
        return [row for row in self.rows if self.curve(panel, row) is not None]

    def dots_of(self, panel: Panel, row: str) -> dict[int, Score]:
        """The scores that a panel shows of a row, by place."""
        scores = enumerate(self.scores.get((row, name)) for name in panel.readouts)
        return {place: score for place, score in scores if score is not None}

    def curve(self, panel: Panel, row: str) -> Curve | None:
        """The row's own curve."""
        return self._curves.get((panel.name, row, False))

    def behind(self, panel: Panel, row: str) -> Curve | None:
        """The grey curve behind a row's own, if there is one."""
        own = self._curves.get((panel.name, row, True))
        return own or self._curves.get((panel.name, EVERY_ROW, True))

    def all_curves(self, panel: Panel) -> list[Curve]:
        """Every curve of a panel, grey ones last."""
        curves = [curve for curve in self._curves.values() if curve.panel == panel.name]
        return sorted(curves, key=lambda curve: curve.behind)

    def score(self, row: str, readout: str) -> Score | None:
        """The number of a row, if it has one."""
        return self.scores.get((row, readout))

    def _ceiling(self, panel: Panel) -> float:
        """A height for all rows: what is grey and most rows fit, a collapsed one is cut."""
        curves = self.all_curves(panel)
        peaks = [shares(panel, curve).max() for curve in curves]
        own = sorted(p for p, curve in zip(peaks, curves, strict=True) if not curve.behind)
        grey = [p for p, curve in zip(peaks, curves, strict=True) if curve.behind]
        return 1.15 * max(own[(len(own) - 1) // 2], *grey, 0) or 1.0

    def number_of(self, panel: Panel, row: str) -> str:
        """The number in a row's heading; empty where it has none."""
        score, readout = self.score(row, panel.readout), self.readouts.get(panel.readout)
        if score is None or readout is None:
            return self._dash(panel, row)
        return number(score.value, readout)

    def _dash(self, panel: Panel, row: str) -> str:
        """A dash where the number of a row does not exist; empty where none was announced."""
        return NONE if (row, panel.readout) in self.undefined else ""

    def interval_of(self, panel: Panel, row: str) -> str:
        """That number with its unit and its 95 % interval."""
        score, readout = self.score(row, panel.readout), self.readouts.get(panel.readout)
        if score is None or readout is None:
            return self._dash(panel, row)
        text = number(score.value, readout) + (" %" if readout.percent else "")
        if score.interval is None:
            return text
        return text + " [{}, {}]".format(*(number(end, readout) for end in score.interval))


def _classes(run: Finished) -> tuple[list[Panel], list[Curve]]:
    """What models call the examples of forgotten classes, where whole classes are forgotten."""
    if f"confusion|{FORGOTTEN_TEST}|true" not in run.extras:
        return [], []
    names = [
        str(run.record["data"]["classes"][i])[:LETTERS] for i in run.extras["confusion|called"]
    ]
    heights = {
        name.rpartition("|")[2]: 100 * shares.mean(0)
        for name, shares in run.extras.items()
        if name.startswith("confusion|forget|") and shares.ndim == 2
    }
    panel = Panel(**(vars(CLASSES) | {"labels": names}))
    curves = [Curve(panel.name, row, height) for row, height in heights.items()]
    grey = [Curve(panel.name, EVERY_ROW, heights["retrained"], behind=True)]
    return [panel], [curve for curve in curves if curve.row != "retrained"] + grey


def draw(axes: Axes, drawing: Drawing, panel: Panel, row: str) -> None:
    """A row's curve on what is grey behind it, with the panel's limits."""
    KINDS[panel.kind](axes, drawing, panel, row)


def _histogram(axes: Axes, drawing: Drawing, panel: Panel, row: str) -> None:
    """Shares of what lies in each bin; a linear axis ends where most rows do."""
    own, grey = drawing.curve(panel, row), drawing.behind(panel, row)
    assert own is not None
    if grey is not None:
        axes.stairs(shares(panel, grey), panel.edges, color=SHADE, fill=True, linewidth=1.2)
    color = drawing.looks[row]["color"]
    axes.stairs(shares(panel, own), panel.edges, color=color, linewidth=1.2)
    axes.set(xlim=_bin_limits(drawing, panel), yscale=panel.yscale)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if panel.ylim is not None:
        axes.set(ylim=panel.ylim)
    elif panel.yscale == "log":
        total = max(own.y.sum(), 1)
        axes.set_ylim(10 ** np.floor(np.log10(0.5 / total)), 1.5)
        axes.minorticks_off()
    else:
        _cut(axes, panel, own, drawing.ceilings[panel.name])


def shares(panel: Panel, curve: Curve) -> np.ndarray:
    """The share of a curve in each bin; values beyond count in the outer bins."""
    counts = curve.y
    if panel.kind == "values":
        edges = np.asarray(panel.edges)
        inside = np.clip(curve.y, edges[0], edges[-1] - (edges[1] - edges[0]) / 2)
        counts = np.histogram(inside, edges)[0]
    return counts / max(counts.sum(), 1)


def _bin_limits(drawing: Drawing, panel: Panel) -> tuple[float, float]:
    """The panel's limits; where it leaves an end open, a little beyond the outermost used bin."""
    low, high = panel.xlim or (None, None)
    used = sum(shares(panel, curve) for curve in drawing.all_curves(panel)) > 0
    edges = np.asarray(panel.edges)
    room = 2.5 * (edges[1] - edges[0])
    return (
        min(edges[:-1][used], default=edges[0]) - room if low is None else low,
        max(edges[1:][used], default=edges[-1]) + room if high is None else high,
    )


def _cut(axes: Axes, panel: Panel, own: Curve, ceiling: float) -> None:
    """End the axis at ``ceiling``; say how far the highest bin goes where it goes beyond."""
    axes.set_ylim(0, ceiling)
    heights = shares(panel, own)
    top = int(heights.argmax())
    if heights[top] > ceiling:
        middle = (panel.edges[top] + panel.edges[top + 1]) / 2
        left = middle > np.mean(axes.get_xlim())
        gap = (-1 if left else 1) * 0.02 * np.ptp(axes.get_xlim())
        words, side = f"up to {heights[top]:.2f}", "right" if left else "left"
        axes.text(middle + gap, ceiling * 0.98, words, ha=side, va="top", fontsize=7, color=INK)


def _line(axes: Axes, drawing: Drawing, panel: Panel, row: str) -> None:
    """A line, on square axes where a diagonal is asked for."""
    grey = drawing.behind(panel, row)
    if grey is not None:
        axes.plot(grey.x, grey.y, linewidth=1.4, color=SHADE)
    add_line(axes, drawing, panel, row)
    frame_lines(axes, drawing, panel)
    axes.minorticks_off()


def add_line(axes: Axes, drawing: Drawing, panel: Panel, row: str, label: str = "") -> None:
    """The row's own line alone."""
    own = drawing.curve(panel, row)
    assert own is not None
    axes.plot(own.x, own.y, label=label, linewidth=1.4, **drawing.looks[row])


def frame_lines(axes: Axes, drawing: Drawing, panel: Panel) -> None:
    """Scales, limits and the diagonal of a panel of lines.

    A logarithmic axis begins at the smallest positive value, which is what the data can resolve.
    """
    xlim, ylim = panel.xlim, panel.ylim
    curves = [curve for curve in drawing.all_curves(panel) if not curve.behind]
    if panel.xscale == "log" and xlim is not None and not xlim[0]:
        xlim = (_smallest([curve.x for curve in curves], xlim[1]), xlim[1])
    if panel.yscale == "log" and ylim is not None and not ylim[0]:
        ylim = xlim if panel.diagonal else (_smallest([c.y for c in curves], ylim[1]), ylim[1])
    axes.set(xscale=panel.xscale, yscale=panel.yscale, xlim=xlim, ylim=ylim)
    if panel.diagonal:
        guess = np.linspace(*axes.get_xlim(), 200)
        axes.plot(guess, guess, color=FAINT, linewidth=0.8, zorder=0)


def _smallest(values: Sequence[np.ndarray], highest: float | None) -> float:
    """The smallest positive value; a thousandth of the axis' end where there is none below it."""
    end = 1.0 if highest is None else highest
    joined = np.concatenate(values)
    return min(joined[(joined > 0) & (joined < end)], default=end / 1000)


def _bars(axes: Axes, drawing: Drawing, panel: Panel, row: str) -> None:
    """Heights beside one another, what is grey as wider bars behind."""
    own, grey = drawing.curve(panel, row), drawing.behind(panel, row)
    assert own is not None
    places = np.arange(len(panel.labels))
    if grey is not None:
        axes.bar(places, grey.y, 0.9, color=SHADE)
    axes.bar(places, own.y, 0.45, color=drawing.looks[row]["color"])
    axes.set_xticks(places, [plain(label) for label in panel.labels])
    highest = max(curve.y.max() for curve in drawing.all_curves(panel))
    axes.set(xlim=(-0.7, len(places) - 0.3), ylim=panel.ylim or (0, 1.05 * highest or 1.0))
    if max(map(len, panel.labels)) > 2:
        axes.tick_params(axis="x", rotation=90)


def _dots(axes: Axes, drawing: Drawing, panel: Panel, row: str) -> None:
    """Numbers with their 95 % intervals (bars) beside where they should be (grey)."""
    scores = drawing.dots_of(panel, row)
    scale = 100 if any(drawing.readouts[name].percent for name in panel.readouts) else 1
    for place, score in scores.items():
        if score.target is not None:
            ends = [place - 0.34, place + 0.34]
            axes.plot([scale * score.target] * 2, ends, color=SHADE, lw=4)
    add_dots(axes, drawing, {place: (row, score) for place, score in scores.items()}, scale)
    axes.set(xlim=panel.xlim, ylim=(len(panel.labels) - 0.5, -0.5))
    axes.set_yticks(range(len(panel.labels)), [plain(label) for label in panel.labels])


def add_floor(axes: Axes, drawing: Drawing, readout: Readout, across: bool = False) -> None:
    """The target of a readout as a dotted line, and the interval of retraining again as a band.

    ``across``: horizontal ones. Where more is better, the band alone says what can be reached.
    """
    floor, scale = drawing.score(RETRAIN, readout.name), 100 if readout.percent else 1
    if floor is None:
        return
    low, high = (scale * end for end in floor.interval or (floor.value, floor.value))
    band, line = (axes.axhspan, axes.axhline) if across else (axes.axvspan, axes.axvline)
    band(low, high, color=SHADE, alpha=0.45, linewidth=0)
    if readout.better != "high" and floor.target is not None:
        line(scale * floor.target, **GUIDE)


def add_dots(
    axes: Axes, drawing: Drawing, scores: Mapping[int, tuple[str, Score]], scale: float
) -> None:
    """Values with their 95 % intervals along x, by place along y; few artists for many rows."""
    spans = {y: (row, s.interval) for y, (row, s) in scores.items() if s.interval is not None}
    if spans:
        low, high = ([scale * span[end] for _, span in spans.values()] for end in (0, 1))
        colors = [drawing.looks[row]["color"] for row, _ in spans.values()]
        axes.hlines(list(spans), low, high, color=colors, linewidth=1.1, zorder=3)
    for sign in MARKERS.values():
        alike = {y: one for y, one in scores.items() if marker(drawing.looks[one[0]]) == sign}
        if alike:
            xs = [scale * score.value for _, score in alike.values()]
            colors = [drawing.looks[row]["color"] for row, _ in alike.values()]
            axes.scatter(xs, list(alike), 15, colors, marker=sign, linewidth=0, zorder=4)


KINDS: dict[str, Callable[[Axes, Drawing, Panel, str], None]] = {
    "histogram": _histogram,
    "values": _histogram,
    "line": _line,
    "bars": _bars,
    "dots": _dots,
}
