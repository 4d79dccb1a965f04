"""One look for all figures: colour-blind safe, the same colour for a row everywhere."""

from __future__ import annotations

import hashlib

# Okabe and Ito's palette, without black and yellow; sanity rows have colours of their own.
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":"]
FIXED = {
    "original": ("#000000", "--"),
    "retrained": ("#7f7f7f", "-"),
    "retrain": ("#7f7f7f", "-"),
    "constant": ("#b0b0b0", ":"),
}
BUILT_IN = ["pgu", "ssd", "finetune", "neggrad", "gisa", "bad-teacher"]
SETTINGS = {
    "figure.dpi": 150,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "bench",  # equal runs give equal bytes
    "svg.fonttype": "path",
}


def look(row: str) -> dict[str, str]:
    """Colour and line style of a row, whatever else is in the figure."""
    if row in FIXED:
        color, line = FIXED[row]
        return {"color": color, "linestyle": line}
    name = row.partition("[")[0]
    rank = BUILT_IN.index(name) if name in BUILT_IN else _number(name)
    variant = 0 if row == name else 1 + _number(row) % 3
    return {"color": PALETTE[rank % len(PALETTE)], "linestyle": LINES[variant]}


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
