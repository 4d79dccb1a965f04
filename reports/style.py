"""One look for all figures: colour-blind safe, the same colour for a row everywhere."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Look = dict[str, Any]  # colour and line style of a row, as matplotlib names them

# Okabe and Ito's palette, without black and yellow; sanity rows have colours of their own.
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":"]
INK, SHADE, FAINT = "#000000", "#c4c4c4", "#c0c0c0"  # text and axes; retrained models; guides
FIXED = {
    "original": (INK, "--"),
    "retrained": ("#7f7f7f", "-"),
    "retrain": ("#404040", "-"),
    "constant": ("#b0b0b0", ":"),
}
BLUE, RED, GREEN, PINK, ORANGE, SKY = PALETTE
BUILT_IN = {  # relatives share a colour
    "pgu": (BLUE, "-"),
    "pgu-head": (BLUE, "--"),
    "ssd": (RED, "-"),
    "finetune": (GREEN, "-"),
    "gisa": (GREEN, "--"),
    "neggrad": (PINK, "-"),
    "neggrad+": (PINK, "--"),
    "bad-teacher": (ORANGE, "-"),
    "bad-teacher-sim": (ORANGE, "--"),
    "contrastive": (SKY, "-"),
}
MARKERS = {
    "-": "o",
    "--": "s",
    "-.": "^",
    ":": "D",
}  # by line style: a row is told twice, in grey too
SETTINGS: dict[Any, Any] = {
    "figure.dpi": 150,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titley": 1.0,  # else every title measures all ticks, which costs more than drawing them
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.06,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "bench",  # equal runs give equal bytes
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # letters stay letters
}
# On the page: letters are the reader's, and colours that vanish on a dark ground follow its theme.
ON_PAGE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
THEMED = {
    INK: "var(--ink)",
    SHADE: "var(--shade)",
    FAINT: "var(--faint)",
    "#404040": "var(--retrain)",
    "#7f7f7f": "var(--retrained)",
    "#b0b0b0": "var(--constant)",
}


def looks(rows: Sequence[str]) -> dict[str, Look]:
    """Colour and line style of each row of a run; no two alike.

    Sanity rows look the same in every run, and so does the first setting of a built-in method, its
    defaults before others. Everything else takes what is free, in the order of the table.
    """
    chosen = {row: FIXED[row] for row in rows if row in FIXED}
    for row in sorted(rows, key=lambda row: "[" in row):
        look = BUILT_IN.get(row.partition("[")[0])
        if look and look not in chosen.values():
            chosen[row] = look
    free = [(color, line) for line in LINES for color in PALETTE]
    free = [look for look in free if look not in chosen.values()]
    for row in rows:
        if row not in chosen:
            chosen[row] = free.pop(0) if free else ("#888888", ":")
    return {row: {"color": color, "linestyle": line} for row, (color, line) in chosen.items()}


def marker(look: Look) -> str:
    """The marker that goes with a line style."""
    return MARKERS[look["linestyle"]]


def symbol(look: Look, size: float) -> dict[str, Any]:
    """A row's marker: filled for whole lines, open for broken ones."""
    filled = {} if look["linestyle"] == "-" else {"markerfacecolor": "none"}
    shape = {"marker": marker(look), "color": look["color"], "markersize": size}
    return shape | filled | {"linestyle": "none"}


def plain(text: str) -> str:
    """Text that matplotlib draws as it stands: a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def fold(name: str, width: int = 24, lines: int = 2) -> str:
    """A name to draw, on at most so many lines of ``width`` letters, broken between parameters."""
    parts = textwrap.wrap(name.replace(",", ", "), width, break_on_hyphens=False)
    if len(parts) > lines:
        parts = [*parts[: lines - 1], f"{parts[lines - 1][: width - 1]}…"]
    return plain("\n".join(parts))


def lay_out(figure: Figure, fix: bool = False) -> None:
    """Place what a figure holds; ``fix``: once and for all, instead of each time it is drawn."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    if fix:
        figure.set_layout_engine("none")
