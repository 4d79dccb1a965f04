"""Several requests, one after another: the table of each, every number as CSV, a figure over all.

Each method goes on from its own model of the request before. What is scored at a request is all
that was forgotten by then, against models retrained without it, as the PGU paper's code does.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.plugins.outputs import Readout, Score
from bench.reports.notes import SAME
from bench.reports.style import looks
from bench.reports.table import NONE, heading, number, row_order, same, target_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

    from bench.results.run import Run

SHARE, SO_FAR = "time_vs_retrain", "time_so_far_vs_retrain"
DRAWN = ("test_error", "forget_error", "forget_entropy_js", "mia_auc")
DOTTED = {"linewidth": 1.2, "marker": "o", "markersize": 2.5}
NOTES = [
    "each method goes on from its own model of the request before; Df is all that was forgotten by "
    "then, retrain and target are retrained without it",
    "so far: time of all requests up to this one, relative to retraining at each of them",
]


def over_requests(run: Run) -> pd.DataFrame:
    """Every number of every request, tidy, as ``Run.scores()`` has them; costs so far included."""
    frames = []
    for step in run.requests:
        frame = pd.concat([step.scores(), pd.DataFrame(_more_costs(run, step))], ignore_index=True)
        frame[["dataset", "scenario"]] = frame[["dataset", "scenario"]].ffill()
        frame.insert(2, "request", step.record["request"])
        frame.insert(3, "forgotten", step.record["sizes"]["forget"])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _more_costs(run: Run, step: Run) -> Iterator[dict[str, str | float]]:
    for row, record in step.record["rows"].items():
        total = shares(run)[row][1][step.record["request"] - 1]
        carried = _mean_time(record["carry_cost"])
        for name, value in ((SO_FAR, total), ("carry_time_s", carried)):
            if value is not None:
                yield {"row": row, "readout": name, "value": value}


def shares(run: Run) -> dict[str, tuple[list[float | None], list[float | None]]]:
    """Per method its times relative to retraining: of each request, and of all up to it."""
    seconds = {
        row: [_mean_time(step.record["rows"][row]["cost"]) for step in run.requests]
        for row in run.record["rows"]
    }
    sums = {row: list(accumulate(times, _plus)) for row, times in seconds.items()}
    return {
        row: tuple(
            [None if t is None or not r else t / r for t, r in zip(of, whole, strict=True)]
            for of, whole in ((seconds[row], seconds["retrain"]), (sums[row], sums["retrain"]))
        )
        for row in seconds
    }


def _plus(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def _mean_time(costs: list[dict[str, float | None]]) -> float | None:
    times = [cost["time_s"] for cost in costs if cost["time_s"] is not None]
    return sum(times) / len(times) if times else None


def terminal(run: Run, width: int = 190) -> list[Table]:
    """The main readouts of each request, one line a method; without spreads if it is narrow."""
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=1000)
    roomy = _table(run, with_spread=True)
    fits = Measurement.get(console, console.options, roomy).maximum <= width
    return [roomy if fits else _table(run, with_spread=False)]


def _table(run: Run, with_spread: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    readouts = _distinct(run, _main(run))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("", no_wrap=True)
    table.add_column("method", overflow="fold", min_width=8)
    for name in [*(r.short or r.title for r in readouts), "time", "so far"]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    cost = shares(run)
    for place, step in enumerate(run.requests):
        gone = step.record["sizes"]["forget"]
        margin = [f"request {place + 1}", f"{gone} gone"]
        scores = {(score.row, score.readout): score for score in step.scores_of.scores}
        for line, row in enumerate(row_order(step)):
            cells = [_cell(scores.get((row, r.name)), r, with_spread) for r in readouts]
            times = [_share(of[place]) for of in cost.get(row, ([None] * (place + 1),) * 2)]
            table.add_row(margin[line] if line < len(margin) else "", Text(row), *cells, *times)
        targets = [_target(step, r) for r in readouts]
        table.add_row("", "target", *targets, "low", "low", end_section=True)
    return table


def _main(run: Run) -> list[Readout]:
    return [r for r in run.scores_of.readouts if r.main] or run.scores_of.readouts


def _distinct(run: Run, readouts: list[Readout]) -> list[Readout]:
    """Without those that say the same as one before: both errors on Df, where labels are clean."""
    found: dict[tuple[Any, ...], Readout] = {}
    for readout in readouts:
        values = [
            (score.row, score.value, score.target)
            for step in run.requests
            for score in step.scores_of.scores
            if score.readout == readout.name
        ]
        found.setdefault(tuple(values), readout)
    return list(found.values())


def _cell(score: Score | None, readout: Readout, with_spread: bool) -> str:
    if score is None:
        return NONE
    text = number(score.value, readout)
    if with_spread and score.spread is not None:
        text += f" ±{number(score.spread, readout)}"
    return text + (SAME if readout.better == "target" and same(score) else "")


def _target(run: Run, readout: Readout) -> str:
    text = target_text(run, readout).removeprefix("low: ").removesuffix(" (retrained)")
    return text.replace("as retrain", "high")


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.3g}"


def notes(run: Run, of_one: Callable[[Run], list[str]]) -> list[str]:
    """What ``of_one`` says of each request, each thing once: with its requests, unless of all."""
    said: dict[str, list[int]] = {}
    for step in run.requests:
        for note in of_one(step):
            said.setdefault(note, []).append(step.record["request"])
    count = len(run.requests)
    everywhere = [note for note, where in said.items() if len(where) == count]
    somewhere = [
        f"request{'s' if len(where) > 1 else ''} {', '.join(map(str, where))}: {note}"
        for note, where in said.items()
        if len(where) < count
    ]
    return [*NOTES, *everywhere, *somewhere]


def draw(run: Run) -> Figure:
    """One panel a readout, over the examples forgotten so far: a line a row, 95 % intervals."""
    from matplotlib.figure import Figure

    announced = {r.name: r for r in run.scores_of.readouts}
    readouts = [announced[name] for name in DRAWN if name in announced] or _main(run)[:4]
    count = len(readouts) + 1  # and the cost; then the legend
    columns = 3 if count > 3 else 2
    lines = -(-(count + 1) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    panels, (corner, *rest) = grid.flat[:count], grid.flat[count:]
    rows = ["retrained", *(row for row in row_order(run) if row != "constant")]
    styles = {row: looks(rows)[row] for row in rows}
    gone = [step.record["sizes"]["forget"] for step in run.requests]
    for axes, readout in zip(panels, readouts, strict=False):
        _draw_readout(axes, run, readout, styles, gone)
    _draw_cost(panels[-1], run, styles, gone)
    for axes in panels:
        axes.set_xticks(gone)
        axes.margins(x=0.08)
    for axes in (corner, *rest):
        axes.set_axis_off()
    corner.legend(*panels[0].get_legend_handles_labels(), loc="center left", borderaxespad=0)
    figure.supxlabel("examples forgotten so far, request by request", fontsize=9)
    record, models = run.record, run.record["config"]["models"]
    title = (
        f"{record['data']['name']}, {record['scenario']}, {record['model']}: N = {models} models"
    )
    bars = "; bars: 95 % intervals over models" if models > 2 else ""
    roots = "; errors on a scale of square roots" if any(r.percent for r in readouts) else ""
    figure.suptitle(title + bars + roots, fontsize=9)
    return figure


def _draw_readout(
    axes: Axes, run: Run, readout: Readout, styles: dict[str, dict[str, str]], gone: list[int]
) -> None:
    scale = 100 if readout.percent else 1
    scores = [
        {s.row: s for s in step.scores_of.scores if s.readout == readout.name}
        for step in run.requests
    ]
    targets = [scale * next(iter(found.values())).target for found in scores]
    retrained = {**styles["retrained"], "linewidth": 4, "alpha": 0.35, "zorder": 0}
    axes.plot(gone, targets, label="target (retrained)", **retrained)
    rows = [row for row in styles if row != "retrained"]
    for place, row in enumerate(rows):
        shift = (place - (len(rows) - 1) / 2) * 0.012 * (gone[-1] - gone[0])  # bars side by side
        points = [
            (x + shift, scale * s.value, [scale * end for end in s.interval or (s.value,) * 2])
            for x, s in zip(gone, (found.get(row) for found in scores), strict=True)
            if s is not None
        ]
        where, values, bars = zip(*points, strict=True) if points else ((), (), ())
        ends = np.abs(np.reshape(bars, (-1, 2)).T - values)
        name = "\n".join(textwrap.wrap(row.replace(",", ", "), 32, break_on_hyphens=False))
        axes.errorbar(where, values, ends, label=name, elinewidth=0.8, **DOTTED, **styles[row])
    axes.set_title(heading(readout))
    if readout.percent:
        _roots(axes)


def _draw_cost(axes: Axes, run: Run, styles: dict[str, dict[str, str]], gone: list[int]) -> None:
    for row, (_each, so_far) in shares(run).items():
        known = [(x, share) for x, share in zip(gone, so_far, strict=True) if share is not None]
        if known:
            axes.plot(*zip(*known, strict=True), **DOTTED, **styles[row])
    axes.set(yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("time so far / retraining at each request")


def _roots(axes: Axes) -> None:
    """Square roots of percentages: collapse fits, and a point more of a small error is seen."""
    axes.set_yscale("function", functions=(_root, lambda root: np.sign(root) * root**2))
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02), high)
    ticks = [0, 1, 5, 10, 20, 40, 60, 80, 100]
    if sum(low <= tick <= high for tick in ticks) > 2:
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])


def _root(value: np.ndarray) -> np.ndarray:
    return np.sign(value) * np.sqrt(np.abs(value))
