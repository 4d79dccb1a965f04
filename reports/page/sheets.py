"""All panels of one kind for the page.

They have the same axes for all rows, and axes cost most of the time and of the bytes: they are
drawn once, as the frame, which the panel of each row then refers to.
"""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.figure import Figure

from bench.plugins.outputs import Panel
from bench.reports.figures.panels import Drawing, draw
from bench.reports.page.svg import anchor, body, element, on_page
from bench.reports.style import lay_out, plain

WIDTH, HEIGHT = 3.1, 2.1  # inches of one panel


class Sheet:
    """A frame, and a layer for each row."""

    def __init__(self, drawing: Drawing, panel: Panel):
        self.drawing, self.kind = drawing, panel
        self.rows = drawing.rows_of(panel)
        self.name = anchor(panel.name)
        with on_page():
            self.figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
            self.axes = self.figure.subplots()
            draw(self.axes, drawing, panel, self.rows[0])
            self.axes.set(xlabel=plain(panel.xlabel), ylabel=plain(panel.ylabel))
            lay_out(self.figure, fix=True)  # all rows have the axes of the first
            self._clear()
            self.box, frame = body(self.figure, f"frame-{self.name}")
            self.axes.set_axis_off()
        self.frame = Markup(f'<g id="frame-{self.name}">{frame}</g>')

    def _clear(self) -> None:
        axes = self.axes
        for artist in [*axes.lines, *axes.patches, *axes.texts, *axes.collections]:
            artist.remove()

    def panel(self, row: str) -> Markup:
        """The panel of a row, as an <svg> element."""
        with on_page():
            draw(self.axes, self.drawing, self.kind, row)
            self.axes.set_axis_off()
            name = f"{self.name}-{self.drawing.rows.index(row)}"
            _, layer = body(self.figure, name)
            self._clear()
        frame = f'<use href="#frame-{self.name}"/>'
        return Markup(element(self.box, frame + layer, f"{self.kind.title}: {row}"))

    def caption(self, row: str) -> str:
        """The number of a row with its interval."""
        value = self.drawing.interval_of(self.kind, row)
        return f"{self.kind.symbol} {value}" if value else ""
