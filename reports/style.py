"""One look for all figures: colour-blind safe, the same colour for a row everywhere."""

from __future__ import annotations

# Okabe and Ito's palette, without black and yellow; sanity rows have colours of their own.
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":"]
FIXED = {
    "original": ("#000000", "--"),
    "retrained": ("#7f7f7f", "-"),
    "retrain": ("#404040", "-"),
    "constant": ("#b0b0b0", ":"),
}
BUILT_IN = dict(zip(("pgu", "ssd", "finetune", "neggrad"), PALETTE, strict=False))
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


def looks(rows: list[str]) -> dict[str, dict[str, str]]:
    """Colour and line style of each row of a run; no two alike.

    Sanity rows and built-in methods look the same in every run. Others, and further settings of the
    same method, take what is free, in the order of the table.
    """
    found = {
        row: dict(zip(("color", "linestyle"), FIXED[row], strict=True))
        for row in rows
        if row in FIXED
    }
    free = [{"color": color, "linestyle": line} for line in LINES for color in PALETTE]
    for name, color in BUILT_IN.items():
        if name in rows:
            found[name] = {"color": color, "linestyle": "-"}
            free.remove(found[name])
    for row in rows:
        if row not in found:
            found[row] = free.pop(0) if free else {"color": "#888888", "linestyle": ":"}
    return found
