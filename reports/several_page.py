"""The offline page of several runs side by side."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from bench.reports.over_settings import draw, positions
from bench.reports.page import attacks, environment
from bench.reports.page_table import combined
from bench.reports.several import Several
from bench.reports.style import looks
from bench.reports.svg import inline
from bench.reports.table import heading


def to_html(several: Several) -> str:
    """The page: what varies, each readout over it, one table, and how each number is made."""
    from bench.storage.provenance import package_version

    style = looks(several.rows)
    return (
        environment()
        .get_template("several.html")
        .render(
            title=several.title,
            made_by=package_version(),
            several=several,
            legend=[(row, style[row]) for row in several.rows if row != "constant"],
            figures=[
                (heading(r), _figure(several, place)) for place, r in enumerate(several.readouts)
            ],
            comparison_table=combined(several),
            attacks=_attacks(several),
        )
    )


def _figure(several: Several, place: int) -> Any:
    readout = several.readouts[place]

    def made() -> Figure:
        figure = Figure(figsize=(3.6, 2.5))
        bottom = 0.17 + 0.06 * max(name.count("\n") for name in positions(several)[1])
        axes = figure.add_axes((0.17, bottom, 0.8, 0.96 - bottom))
        draw(axes, several, readout)
        return figure

    return inline(
        made, f"setting-{place}", f"{heading(readout)} over {', '.join(several.settings)}"
    )


def _attacks(several: Several) -> list[dict[str, Any]]:
    """How each number is made, of every attack that some run had."""
    found: dict[str, dict[str, Any]] = {}
    for run in several.runs:
        for attack in attacks(run):
            found.setdefault(attack["name"], attack)
    return list(found.values())
