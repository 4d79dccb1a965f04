"""The offline page of several runs side by side."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plugins.rows import CONSTANT
from bench.reports.comparison.figure import panels
from bench.reports.comparison.several import Several
from bench.reports.comparison.table import grid_of, notes_of
from bench.reports.page.svg import inline
from bench.reports.page.tables import page_table
from bench.reports.page.template import attacks, environment
from bench.reports.style import looks


def several_html(several: Several) -> str:
    """The page: what varies, each readout over it, one table, and how each number is made."""
    style = looks(several.rows)
    made: dict[str, Any] = {}
    for run in several.runs:
        made = attacks(run) | made
    return (
        environment()
        .get_template("several.html")
        .render(
            title=several.title,
            several=several,
            notes=notes_of(several),
            legend=[(row, style[row]) for row in several.rows if row != CONSTANT],
            figures=_figures(several),
            comparison_table=page_table(grid_of(several), style),
            attacks=made.values(),
        )
    )


def _figures(several: Several) -> list[tuple[str, Any]]:
    """Each main readout and cost over the settings, with its heading."""
    over = ", ".join(several.settings)
    return [
        (name, inline(partial(_figure, draw), f"setting-{place}", f"{name} over {over}"))
        for place, (name, draw) in enumerate(panels(several).items())
    ]


def _figure(draw: Callable[[Axes], None]) -> Figure:
    figure = Figure(figsize=(3.6, 2.5), layout="constrained")
    draw(figure.subplots())
    return figure
