"""Figures as inline SVG: small, themed by the page, with names that clash with no other's."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from bench.reports.style import ON_PAGE, SETTINGS, THEMED

TAG = re.compile(r"<[^>]+>")
NUMBER = re.compile(r"-?\d+\.\d{2,}")
IDS = re.compile(r'(\bid="|href="#|url\(#)')
FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
NOISE = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def anchor(name: str) -> str:
    """A name as an id of the page: letters and digits, and a hash where others were lost."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    lost = "" if plain == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{plain}{lost}"


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
        return Markup(element(*body(figure, name), label))


def element(box: str, content: str, label: str) -> str:
    """An <svg> element of a figure's viewBox and content."""
    width = float(box.split()[2])
    return (
        f'<svg viewBox="{box}" role="img" aria-label="{escape(label)}" '
        f'style="--width: {width:.0f}px">{content}</svg>'
    )


def body(figure: Figure, name: str) -> tuple[str, str]:
    """A figure's viewBox and what is inside its SVG: themed colours, own ids, few digits."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=NOTHING)
    text = NOISE.sub("", buffer.getvalue())
    opening, _, content = text.partition("<svg")[2].partition(">")
    box = opening.partition('viewBox="')[2].partition('"')[0]
    content = TAG.sub(lambda tag: _plain(tag.group(), name), content.rpartition("</svg>")[0])
    content = re.sub(r"<defs>\s*</defs>", "", content)
    return box, re.sub(r"\s*\n\s*", " ", content).strip()


def _plain(tag: str, name: str) -> str:
    """One tag with short numbers, themed colours, and ids that begin with ``name``."""
    tag = NUMBER.sub(lambda digits: f"{float(digits.group()):.1f}".removesuffix(".0"), tag)
    tag = FONT.sub(r"font-size: \1px", IDS.sub(rf"\g<1>{name}-", tag))
    for color, variable in THEMED.items():
        tag = tag.replace(color, variable)
    return tag
