"""Figures of a run, as PNG and SVG: entropies, ROC curves and scores of the attack, epsilons."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.style import SETTINGS, looks
from reports.table import row_order, title

if TYPE_CHECKING:
    from bench.results import Run


def write_figures(run: Run, folder: Path) -> list[Path]:
    """Draw every figure that the run has curves for; returns the files."""
    drawings: dict[str, Callable[[Run], Figure]] = {}
    curves = run.scores_of.curves
    if any(name.endswith("|roc_fpr") for name in curves):
        drawings["roc"] = roc
    if any(name.endswith("|log_entropy") for name in curves):
        drawings["entropy"] = entropy_histograms
    if any(name.endswith("|confidence") for name in curves):
        drawings["attack-scores"] = attack_scores
    if any(name.endswith("|epsilon") for name in curves):
        drawings["epsilon"] = epsilons
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawings.items():
        with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
            figure = draw(run)
            for suffix in ("png", "svg"):
                path = folder / f"{name}.{suffix}"
                figure.savefig(path, metadata={"Date": None} if suffix == "svg" else None)
                figure.set_layout_engine("none")  # once is enough for both files
                written.append(path)
            plt.close(figure)
    return written


def roc(run: Run) -> Figure:
    """ROC and log-ROC of the membership attack, target sets of all rows against retrained."""
    curves = run.scores_of.curves
    scores = {s.row: s for s in run.scores_of.scores if s.readout == "mia_auc"}
    figure, (linear, logarithmic) = plt.subplots(1, 2, figsize=(8.4, 4.4))
    styles, smallest = looks(row_order(run)), 1.0
    for row in row_order(run):
        if f"{row}|roc_fpr" not in curves or row == "constant":
            continue
        false, true = curves[f"{row}|roc_fpr"], curves[f"{row}|roc_tpr"]
        label = f"{row}  {scores[row].value:.3f}"
        if scores[row].interval:
            label += " [{:.3f}, {:.3f}]".format(*scores[row].interval)
        linear.plot(false, true, label=label, linewidth=1.4, **styles[row])
        logarithmic.plot(false, true, linewidth=1.4, **styles[row])
        smallest = min(smallest, false[false > 0].min())  # what so many negatives can resolve
    for axes, start in ((linear, 0), (logarithmic, smallest)):
        chance = np.linspace(start, 1, 200)
        axes.plot(chance, chance, color="#c0c0c0", linewidth=0.8, zorder=0)
        axes.set(xlabel="false positive rate, on retrained models")
    linear.set(
        ylabel="true positive rate, on the row's models", xlim=(0, 1), ylim=(0, 1), aspect="equal"
    )
    logarithmic.set(xscale="log", yscale="log", xlim=(smallest, 1), ylim=(smallest, 1))
    logarithmic.set(aspect="equal")
    figure.suptitle(f"Membership attack on the forget set\n{title(run)}", fontsize=9, y=0.96)
    figure.legend(
        *linear.get_legend_handles_labels(),
        title="AUC [95 % interval over models]; 0.5: nothing left to tell",
        loc="upper center",
        bbox_to_anchor=(0.5, 0.07),
        ncols=2,
    )
    return figure


def entropy_histograms(run: Run) -> Figure:
    """Log-entropy of the outputs on Df, one panel per row, retrained models behind."""
    curves = run.scores_of.curves
    edges, reference = curves["|edges"], curves["retrained|log_entropy"]
    figure, grid, rows = _panels(run, "log_entropy")
    for axes, row in zip(grid.flat, rows, strict=False):
        _histogram(axes, edges, reference, "#c4c4c4", filled=True)
        _histogram(axes, edges, curves[f"{row}|log_entropy"], rows[row])
        axes.set_title(_heading(run, row, "JS", "forget_entropy_js"))
    shown = reference + sum(curves[f"{row}|log_entropy"] for row in rows)
    visible = edges[:-1][shown > 0]
    grid.flat[0].set_xlim(visible.min() - 0.5, 1)
    figure.supxlabel("natural logarithm of the outputs' entropy on the forget set", fontsize=9)
    figure.supylabel("share of outputs", fontsize=9)
    figure.suptitle(f"{title(run)}\ngrey: retrained models", fontsize=9)
    return figure


def attack_scores(run: Run) -> Figure:
    """How sure the attacker is that an output is a member's.

    A pile at 0 that retrained models do not have is the Streisand effect: forgetting that shows.
    """
    curves = run.scores_of.curves
    figure, grid, rows = _panels(run, "confidence")
    for axes, row in zip(grid.flat, rows, strict=False):
        edges = curves["|score_edges"]
        _histogram(axes, edges, curves[f"{row}|confidence_retrained"], "#c4c4c4", filled=True)
        _histogram(axes, edges, curves[f"{row}|confidence"], rows[row])
        axes.set_title(_heading(run, row, "AUC", "mia_auc"))
    grid.flat[0].set(yscale="log", xlim=(0, 1))
    for axes in grid.flat:
        axes.minorticks_off()  # on twelve panels they cost more to draw than all else
    figure.supxlabel("attacker's confidence that Df was trained on", fontsize=9)
    figure.supylabel("share of outputs (log)", fontsize=9)
    figure.suptitle(f"{title(run)}\ngrey: retrained models, judged alike", fontsize=9)
    return figure


def epsilons(run: Run) -> Figure:
    """Epsilon of each forgotten example, in the bins of forgetting quality; the last is open."""
    curves = run.scores_of.curves
    edges = curves["|epsilon_edges"]
    figure, grid, rows = _panels(run, "epsilon")
    null = _epsilon_counts(curves["retrain|epsilon"], edges) if "retrain" in rows else None
    for axes, row in zip(grid.flat, rows, strict=False):
        if null is not None:
            _histogram(axes, edges, null, "#c4c4c4", filled=True)
        _histogram(axes, edges, _epsilon_counts(curves[f"{row}|epsilon"], edges), rows[row])
        axes.set_title(_heading(run, row, "F", "forgetting_quality"))
    grid.flat[0].set_xlim(edges[0], edges[-1])
    figure.supxlabel("epsilon of an example (what lies beyond is in the last bin)", fontsize=9)
    figure.supylabel("share of forgotten examples", fontsize=9)
    figure.suptitle(f"{title(run)}\ngrey: retraining again, what nothing can beat", fontsize=9)
    return figure


def _epsilon_counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    width = edges[1] - edges[0]
    return np.histogram(np.clip(values, edges[0], edges[-1] - width / 2), edges)[0]


def _panels(run: Run, curve: str) -> tuple[Figure, np.ndarray, dict[str, str]]:
    """A figure with one panel for each row that has the curve, and the rows' colours."""
    order = row_order(run)
    styles = looks(order)
    there = [r for r in order if f"{r}|{curve}" in run.scores_of.curves and r != "constant"]
    columns = min(3, len(there))
    lines = -(-len(there) // columns)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=(2.9 * columns, 1.9 * lines),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for place, axes in enumerate(grid.flat):
        if place >= len(there):
            axes.set_axis_off()
        elif place + columns >= len(there):
            axes.tick_params(labelbottom=True)  # the lowest panel of its column
    return figure, grid, {row: styles[row]["color"] for row in there}


def _heading(run: Run, row: str, symbol: str, readout: str) -> str:
    """The row's name, folded between parameters, and its number."""
    score = next(s for s in run.scores_of.scores if (s.row, s.readout) == (row, readout))
    lines = textwrap.wrap(row.replace(",", ", "), 32, break_on_hyphens=False)
    number = f"{symbol} {score.value:.3f}"
    return "\n".join(lines) + ("   " if len(lines) == 1 else "\n") + number


def _histogram(
    axes: Axes, edges: np.ndarray, counts: np.ndarray, color: str, filled: bool = False
) -> None:
    axes.stairs(counts / counts.sum(), edges, color=color, fill=filled, linewidth=1.2)
