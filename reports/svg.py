"""Figures as inline SVG: small, themed by the page, with names that clash with no other's.

Panels of one kind have the same axes for all rows, and axes cost most of the time and of the bytes:
they are drawn once, as the frame, which each panel then refers to.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from bench.reports.panels import Drawing, Panel
from bench.reports.style import ON_PAGE, SETTINGS, THEMED

WIDTH, HEIGHT = 3.1, 2.1  # inches of one panel
TAG = re.compile(r"<[^>]+>")
NUMBER = re.compile(r"-?\d+\.\d{2,}")
IDS = re.compile(r'(\bid="|href="#|url\(#)')
FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
NOISE = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@contextmanager
def on_page() -> Iterator[None]:
    """Settings of figures for the page."""
    with matplotlib.rc_context({**SETTINGS, **ON_PAGE}), warnings.catch_warnings():
        yield


def inline(draw: Callable[[], Figure | None], name: str, label: str) -> Markup:
    """The figure that ``draw`` makes as an <svg> element; empty where it makes none.

    ``name`` is put before every id. ``label`` is what a screen reader says.
    """
    with on_page():
        figure = draw()
        if figure is None:
            return Markup("")
        return Markup(_element(*_body(figure, name), label))


class Sheet:
    """All panels of one kind: a frame, and a layer for each row."""

    def __init__(self, drawing: Drawing, kind: Panel):
        self.drawing, self.kind = drawing, kind
        self.rows = drawing.having(kind)
        with on_page():
            self.figure = Figure(figsize=(WIDTH, HEIGHT))
            left = 0.95 if kind.name == "errors" else 0.62
            bottom = 0.75 if kind.name == "called" else 0.42
            size = (1 - (left + 0.12) / WIDTH, 1 - (bottom + 0.1) / HEIGHT)
            self.axes = self.figure.add_axes((left / WIDTH, bottom / HEIGHT, *size))
            kind.draw(self.axes, drawing, self.rows[0])
            self.axes.set(xlabel=kind.xlabel, ylabel=kind.ylabel)
            self._clear()
            self.box, frame = _body(self.figure, f"frame-{kind.name}")
            self.axes.set_axis_off()
        self.frame = Markup(f'<g id="frame-{kind.name}">{frame}</g>')

    def _clear(self) -> None:
        for artist in [
            *self.axes.lines,
            *self.axes.patches,
            *self.axes.texts,
            *self.axes.collections,
        ]:
            artist.remove()

    def panel(self, row: str) -> Markup:
        """The panel of a row, as an <svg> element."""
        with on_page():
            self.kind.draw(self.axes, self.drawing, row)
            self.axes.set_axis_off()
            name = f"{self.kind.name}-{self.drawing.rows.index(row)}"
            _, layer = _body(self.figure, name)
            self._clear()
        frame = f'<use href="#frame-{self.kind.name}"/>'
        return Markup(_element(self.box, frame + layer, f"{self.kind.title}: {row}"))


def _element(box: str, body: str, label: str) -> str:
    width = float(box.split()[2])
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}" '
        f'style="--width: {width:.0f}px">{body}</svg>'
    )


def _body(figure: Figure, name: str) -> tuple[str, str]:
    """A figure's viewBox and what is inside its SVG: themed colours, own ids, few digits."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NOTHING)
    text = NOISE.sub("", buffer.getvalue())
    opening, _, body = text.partition("<svg")[2].partition(">")
    box = re.search(r'viewBox="([^"]+)"', opening).group(1)
    body = TAG.sub(lambda found: _plain(found.group(), name), body.rpartition("</svg>")[0])
    body = re.sub(r"<defs>\s*</defs>", "", body)
    return box, re.sub(r"\s*\n\s*", " ", body).strip()


def _plain(tag: str, name: str) -> str:
    """One tag with short numbers, themed colours, and ids that begin with ``name``."""
    tag = NUMBER.sub(lambda found: f"{float(found.group()):.1f}".removesuffix(".0"), tag)
    tag = FONT.sub(r"font-size: \1px", IDS.sub(rf"\g<1>{name}-", tag))
    for color, variable in THEMED.items():
        tag = tag.replace(color, variable)
    return tag
