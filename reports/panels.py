"""One panel of one row each: the same drawing in the figures for papers and on the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bench.reports.style import FAINT, INK, MARKERS, SHADE, looks, marker
from bench.reports.table import row_order

if TYPE_CHECKING:
    from bench.plugins.outputs import Score
    from bench.results.run import Run

ERRORS = {
    "forget_error": "Df, trained",
    "forget_error_true": "Df, true",
    "retain_error": "Dr",
    "validation_error": "validation",
    "test_error": "test",
}


@dataclass(frozen=True)
class Panel:
    """A kind of panel: what it needs, how it is drawn, and what stands beside its axes."""

    name: str
    title: str
    curve: str  # what a row must have
    draw: Callable[[Axes, Drawing, str], None]
    xlabel: str
    ylabel: str
    symbol: str = ""  # the number in its heading
    readout: str = ""


class Drawing:
    """What all panels of a run share: looks, and scales that one row cannot spoil."""

    def __init__(self, run: Run):
        self.run, self.rows = run, row_order(run)
        self.looks = looks(self.rows)
        self.curves = run.scores_of.curves
        self.scores = {(score.row, score.readout): score for score in run.scores_of.scores}
        self._ceilings: dict[str, float] = {}

    def having(self, panel: Panel) -> list[str]:
        """The rows that a panel can be drawn for."""
        if panel.curve == "errors":
            return [r for r in self.rows if any((r, name) in self.scores for name in ERRORS)]
        if panel.curve == "called":
            return [r for r in self.rows if f"confusion|forget|{r}" in self.run.extras]
        return [r for r in self.rows if f"{r}|{panel.curve}" in self.curves]

    def ceiling(self, curve: str, reference: np.ndarray) -> float:
        """A height for all panels: retrained models and most rows fit, a collapsed one is cut."""
        if curve not in self._ceilings:
            rows = [self.curves[f"{r}|{curve}"] for r in self.rows if f"{r}|{curve}" in self.curves]
            peaks = sorted((row / row.sum()).max() for row in rows)
            usual = peaks[(len(peaks) - 1) // 2]
            self._ceilings[curve] = 1.15 * max(usual, (reference / reference.sum()).max())
        return self._ceilings[curve]

    def score(self, row: str, readout: str) -> Score | None:
        return self.scores.get((row, readout))


def entropy(axes: Axes, of: Drawing, row: str) -> None:
    """Log-entropy of the outputs on Df, retrained models behind."""
    edges, reference = of.curves["|edges"], of.curves["retrained|log_entropy"]
    counts = of.curves[f"{row}|log_entropy"]
    _stairs(axes, edges, reference, SHADE, filled=True)
    _stairs(axes, edges, counts, of.looks[row]["color"])
    there = [of.curves[f"{r}|log_entropy"] for r in of.rows if f"{r}|log_entropy" in of.curves]
    shown = reference + sum(there)
    axes.set_xlim(edges[:-1][shown > 0].min() - 0.5, 1)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _cut(axes, edges, counts, of.ceiling("log_entropy", reference))


def attack_scores(axes: Axes, of: Drawing, row: str) -> None:
    """How sure the attacker is that an output is a member's; logarithmic shares.

    A pile at 0 that retrained models do not have is the Streisand effect: forgetting that shows.
    """
    edges = of.curves["|score_edges"]
    _stairs(axes, edges, of.curves[f"{row}|confidence_retrained"], SHADE, filled=True)
    _stairs(axes, edges, of.curves[f"{row}|confidence"], of.looks[row]["color"])
    total = max(of.curves[f"{row}|confidence"].sum(), 1)
    axes.set(yscale="log", xlim=(0, 1), ylim=(10 ** np.floor(np.log10(0.5 / total)), 1.5))
    axes.minorticks_off()


def epsilon(axes: Axes, of: Drawing, row: str) -> None:
    """Epsilon of each forgotten example, in the bins of forgetting quality; the last is open."""
    edges = of.curves["|epsilon_edges"]
    if "retrain|epsilon" in of.curves:
        _stairs(axes, edges, _binned(of.curves["retrain|epsilon"], edges), SHADE, filled=True)
    _stairs(axes, edges, _binned(of.curves[f"{row}|epsilon"], edges), of.looks[row]["color"])
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.03))


def roc(axes: Axes, of: Drawing, row: str) -> None:
    """True against false positive rate of the membership attack."""
    _roc_line(axes, of, row, 0)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def log_roc(axes: Axes, of: Drawing, row: str) -> None:
    """The same on logarithmic axes, down to what so many negatives can resolve."""
    false = [of.curves[f"{r}|roc_fpr"] for r in of.rows if f"{r}|roc_fpr" in of.curves]
    smallest = min(rates[rates > 0].min() for rates in false)
    _roc_line(axes, of, row, smallest)
    axes.set(xscale="log", yscale="log", xlim=(smallest, 1), ylim=(smallest, 1))
    axes.minorticks_off()


def _roc_line(axes: Axes, of: Drawing, row: str, start: float) -> None:
    chance = np.linspace(start, 1, 50)
    axes.plot(chance, chance, color=FAINT, linewidth=0.8, zorder=0)
    false, true = of.curves[f"{row}|roc_fpr"], of.curves[f"{row}|roc_tpr"]
    axes.plot(false, true, linewidth=1.4, **of.looks[row])


def errors(axes: Axes, of: Drawing, row: str) -> None:
    """Errors with their 95 % intervals (bars) beside what retrained models score (grey)."""
    there = [name for name in ERRORS if (row, name) in of.scores]
    for place, name in enumerate(there):
        score = of.scores[row, name]
        axes.plot([100 * score.target] * 2, [place - 0.34, place + 0.34], color=SHADE, linewidth=4)
    dots(axes, of, {place: (row, of.scores[row, name]) for place, name in enumerate(there)}, 100)
    axes.set(xlim=(-3, 103), ylim=(len(there) - 0.5, -0.5))
    axes.set_yticks(range(len(there)), [ERRORS[name] for name in there])


def called(axes: Axes, of: Drawing, row: str) -> None:
    """What models call examples of the forgotten classes, each class in equal parts."""
    shares = {
        name: 100 * of.run.extras[f"confusion|forget|{name}"].mean(0) for name in (row, "retrained")
    }
    classes = of.run.record["data"]["classes"]
    names = [str(classes[index]) for index in of.run.extras["confusion|called"]]
    places = np.arange(len(names))
    axes.bar(places, shares["retrained"], 0.9, color=SHADE)
    axes.bar(places, shares[row], 0.45, color=of.looks[row]["color"])
    axes.set_xticks(places, [name[:10] for name in names])
    highest = max(of.run.extras[f"confusion|forget|{r}"].mean(0).max() for r in of.having(CALLED))
    axes.set(xlim=(-0.7, len(names) - 0.3), ylim=(0, 105 * highest))
    if max(map(len, names)) > 2:
        axes.tick_params(axis="x", rotation=90)


def dots(axes: Axes, of: Drawing, found: dict[int, tuple[str, Score]], scale: float) -> None:
    """Values with their 95 % intervals along x, by place along y; few artists for many rows."""
    spans = {y: (row, s.interval) for y, (row, s) in found.items() if s.interval is not None}
    if spans:
        low, high = ([scale * span[end] for _, span in spans.values()] for end in (0, 1))
        colors = [of.looks[row]["color"] for row, _ in spans.values()]
        axes.hlines(list(spans), low, high, color=colors, linewidth=1.1, zorder=3)
    for sign in MARKERS.values():
        alike = {y: one for y, one in found.items() if marker(of.looks[one[0]]) == sign}
        if alike:
            xs = [scale * score.value for _, score in alike.values()]
            colors = [of.looks[row]["color"] for row, _ in alike.values()]
            axes.scatter(xs, list(alike), 15, colors, marker=sign, linewidth=0, zorder=4)


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    width = edges[1] - edges[0]
    return np.histogram(np.clip(values, edges[0], edges[-1] - width / 2), edges)[0]


def _stairs(
    axes: Axes, edges: np.ndarray, counts: np.ndarray, color: str, filled: bool = False
) -> None:
    shares = counts / max(counts.sum(), 1)
    axes.stairs(shares, edges, color=color, fill=filled, linewidth=1.2)


def _cut(axes: Axes, edges: np.ndarray, counts: np.ndarray, ceiling: float) -> None:
    """End the axis at ``ceiling``; say how far the highest bin goes where it goes beyond."""
    axes.set_ylim(0, ceiling)
    shares = counts / counts.sum()
    top = int(shares.argmax())
    if shares[top] > ceiling:
        middle = (edges[top] + edges[top + 1]) / 2
        left = middle > np.mean(axes.get_xlim())
        place = {"ha": "right" if left else "left", "va": "top", "fontsize": 7, "color": INK}
        gap = (-1 if left else 1) * 0.02 * np.ptp(axes.get_xlim())
        axes.text(middle + gap, ceiling * 0.98, f"up to {shares[top]:.2f}", **place)


PANELS = [
    Panel(
        "entropy",
        "Entropy on the forget set",
        "log_entropy",
        entropy,
        "log of the outputs' entropy (nats)",
        "share",
        "JS",
        "forget_entropy_js",
    ),
    Panel("roc", "ROC of the attack", "roc_fpr", roc, "FPR", "TPR", "AUC", "mia_auc"),
    Panel(
        "log-roc",
        "ROC, logarithmic",
        "roc_fpr",
        log_roc,
        "FPR",
        "TPR",
        "TPR at 1 % FPR",
        "mia_tpr1",
    ),
    Panel(
        "attack-scores",
        "The attacker's confidence",
        "confidence",
        attack_scores,
        "confidence that Df was trained on",
        "share",
        "AUC",
        "mia_auc",
    ),
    Panel(
        "epsilon",
        "Epsilon of each example",
        "epsilon",
        epsilon,
        "epsilon (the last bin is open)",
        "share",
        "F",
        "forgetting_quality",
    ),
    Panel("errors", "Errors", "errors", errors, "error (%)", ""),
]
CALLED = Panel(
    "called",
    "What forgotten examples are called",
    "called",
    called,
    "class",
    "% of outputs",
)


def panels_of(run: Run) -> list[Panel]:
    """The kinds of panel that a run has anything for."""
    drawing = Drawing(run)
    gone = f"confusion|forgotten_test|{'original'}" in run.extras
    return [p for p in [*PANELS, *([CALLED] if gone else [])] if drawing.having(p)]
