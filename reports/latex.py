"""Tables for a paper: LaTeX with booktabs, means with errors, bold only what the data support."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.outputs import Readout
from reports.cost import costs
from reports.notes import BOLD, SAME, title
from reports.plain import by_attack
from reports.table import (
    NONE,
    Shown,
    cells,
    heading,
    main_readouts,
    row_order,
    share_text,
    target_text,
)

if TYPE_CHECKING:
    from bench.results import Run

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "−": "--",
    "×": r"$\times$",
    "ε": r"$\varepsilon$",
}
PREAMBLE = (
    "% needs \\usepackage{booktabs} and \\usepackage{graphicx}; errors are standard deviations "
    "over models\n"
)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands; what its fonts lack becomes ?."""
    shown = "".join(SPECIAL.get(sign, sign) for sign in text)
    return re.sub(r"[^\x00-\x7f\xa1-\xff]", "?", shown)


def to_latex(run: Run) -> str:
    """The main comparison, then one table for each attack's readouts."""
    tables = [_table(run, main_readouts(run), "main", title(run), cost=True)]
    for name, readouts in by_attack(run.scores_of.readouts).items():
        tables.append(_table(run, readouts, name or "all", f"{name}: {title(run)}"))
    return PREAMBLE + "\n".join(tables)


def _table(run: Run, readouts: list[Readout], label: str, what: str, cost: bool = False) -> str:
    shares = {row: of["time_vs_retrain"] for row, of in costs(run).items()}
    lines, found = [], cells(run, readouts)
    for row in row_order(run):
        line = [escape(row), *(cell(found[row][r.name]) for r in readouts)]
        lines.append([*line, share_text(shares.get(row))] if cost else line)
    target = ["target", *(escape(target_text(run, r)) for r in readouts), *(["low"] * cost)]
    head = ["method", *(escape(r.short or heading(r)) for r in readouts), *(["time"] * cost)]
    units = ["", *(r"\%" if r.percent and r.short else "" for r in readouts), *([""] * cost)]
    heads = [head, units] if any(units) else [head]
    return table(heads, [lines[:2], lines[2:-1], lines[-1:], [target]], label, f"{what}. {BOLD}.")


def cell(found: Shown) -> str:
    """``\\textbf{12.3} {\\scriptsize$\\pm$1.1}``: mean with error, marked at the target."""
    if found.value == NONE:
        return "--"
    text = found.value.replace("-", "$-$")
    text = rf"\textbf{{{text}}}" if found.best else text
    text += r"$^{\approx}$" if found.same else ""
    return text + (rf" {{\scriptsize$\pm${found.spread}}}" if found.spread else "")


def table(heads: list[list[str]], groups: list[list[list[str]]], label: str, caption: str) -> str:
    """A floating table; a rule between groups of lines."""
    columns = "l" + "r" * (len(heads[0]) - 1)
    body = "\n\\midrule\n".join(
        "\n".join(" & ".join(line) + r" \\" for line in group) for group in groups if group
    )
    name = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    shown = escape(caption.replace(f"{SAME} ", ""))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{shown}}}",
            rf"\label{{tab:{name}}}",
            r"\centering\small",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *(" & ".join(line) + r" \\" for line in heads),
            r"\midrule",
            body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )
