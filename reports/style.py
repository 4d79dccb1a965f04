"""One look for all figures: colour-blind safe, the same colour for a row everywhere."""

from __future__ import annotations

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
SETTINGS = {
    "figure.dpi": 150,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titley": 1.0,  # else every title measures all ticks, which costs more than drawing them
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "bench",  # equal runs give equal bytes
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # letters stay letters
}
# On the page: letters are the reader's, and colours that vanish on a dark ground follow its theme.
ON_PAGE = {"svg.fonttype": "none", "font.size": 8, "xtick.labelsize": 8, "ytick.labelsize": 8}
THEMED = {
    INK: "var(--ink)",
    SHADE: "var(--shade)",
    FAINT: "var(--faint)",
    "#404040": "var(--retrain)",
    "#7f7f7f": "var(--retrained)",
    "#b0b0b0": "var(--constant)",
}


def looks(rows: list[str]) -> dict[str, dict[str, str]]:
    """Colour and line style of each row of a run; no two alike.

    Sanity rows look the same in every run, and so does the first setting of a built-in method, its
    defaults before others. Everything else takes what is free, in the order of the table.
    """
    found = {row: FIXED[row] for row in rows if row in FIXED}
    for row in sorted(rows, key=lambda row: "[" in row):
        look = BUILT_IN.get(row.partition("[")[0])
        if look and look not in found.values():
            found[row] = look
    free = [(color, line) for line in LINES for color in PALETTE]
    free = [look for look in free if look not in found.values()]
    for row in rows:
        if row not in found:
            found[row] = free.pop(0) if free else ("#888888", ":")
    return {row: {"color": color, "linestyle": line} for row, (color, line) in found.items()}


def marker(look: dict[str, str]) -> str:
    """The marker that goes with a line style."""
    return MARKERS[look["linestyle"]]
