"""Tables for a paper: LaTeX with booktabs, means with errors, bold only what the data support."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from bench.plugins.outputs import Readout
from bench.reports.cost import costs
from bench.reports.notes import BOLD, SAME, title
from bench.reports.plain import by_attack
from bench.reports.table import (
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
    from bench.results.run import Run

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
COLUMNS = 6  # readouts in a table
PREAMBLE = (
    "% needs \\usepackage{booktabs} and \\usepackage{graphicx}; errors are standard deviations "
    "over models, or 95 % intervals in brackets\n"
)


def escape(text: str) -> str:
    """Text that LaTeX prints as it stands; what its fonts lack becomes ?."""
    shown = "".join(SPECIAL.get(sign, sign) for sign in text)
    return re.sub(r"[^\x00-\x7f\xa1-\xff]", "?", shown)


def to_latex(run: Run) -> str:
    """The main comparison, then each attack's readouts, as many to a table as can be read."""
    shown, scored = [("main", main_readouts(run))], {s.readout for s in run.scores_of.scores}
    shown += list(by_attack(run.scores_of.readouts).items())
    tables = []
    for name, readouts in shown:
        there = [readout for readout in readouts if readout.name in scored]
        for start in range(0, len(there), COLUMNS):
            label = f"{run.folder.resolve().name}-{name}-{start // COLUMNS + 1}"
            tables.append(_table(run, there[start : start + COLUMNS], label, name))
    return PREAMBLE + "\n".join(tables)


def _table(run: Run, readouts: list[Readout], label: str, name: str) -> str:
    shares = {row: of["time_vs_retrain"] for row, of in costs(run).items()}
    cost = name == "main"
    lines, found = [], cells(run, readouts)
    for row in row_order(run):
        line = [escape(row), *(cell(found[row][r.name]) for r in readouts)]
        lines.append([*line, share_text(shares.get(row)).replace(NONE, "--")] if cost else line)
    wanted = [target_text(run, r).removesuffix(" (retrained)") for r in readouts]
    target = ["target", *map(escape, wanted), *(["low"] * cost)]
    heads = headings(["method"], readouts, ["time"] * cost)
    what = f"{title(run)}{'' if cost else f'; {name}'}. {BOLD[0].upper()}{BOLD[1:]}."
    return table(heads, [lines[:2], lines[2:-1], lines[-1:], [target]], label, what)


def headings(first: list[str], readouts: list[Readout], last: list[str]) -> list[list[str]]:
    """Headings on one line, or folded on two."""
    names = [r.short + r" (%)" * r.percent if r.short else heading(r) for r in readouts]
    folded = [textwrap.wrap(name, max(12, -(-len(name) * 6 // 10))) for name in names]
    count = max((len(lines) for lines in folded), default=1)
    found = []
    for line in range(count):
        parts = [of[line - count + len(of)] if line >= count - len(of) else "" for of in folded]
        edge = line == count - 1
        found.append([*(first if edge else [""] * len(first)), *map(escape, parts)])
        found[-1] += last if edge else [""] * len(last)
    return found


def cell(found: Shown) -> str:
    """``\\textbf{12.3} {\\scriptsize$\\pm$1.1}``: mean with error, marked at the target."""
    if found.value == NONE:
        return "--"
    text = found.value.replace("-", "$-$")
    text = rf"\textbf{{{text}}}" if found.best else text
    text += r"$^{\approx}$" if found.same else ""
    error = rf"$\pm${found.spread}" if found.spread else f"[{found.low}, {found.high}]"
    return text + (rf" {{\scriptsize{error}}}" if found.spread or found.low else "")


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
