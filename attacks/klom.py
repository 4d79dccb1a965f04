"""KLoM, KL divergence of margins: how far unlearned populations are from retrained ones.

Citation: K. Georgiev, R. Rinberg, S. M. Park, S. Garg, A. Ilyas, A. Madry, S. Neel,
Attribute-to-Delete: Machine Unlearning via Datamodel Matching, 2024; benchmark of R. Rinberg et
al., 2026 (RoyRin/data-unlearning-bench, unlearning_bench/eval.py).
Equation: margin = z_y - log sum over other classes of exp z_c, cut off at +-100; per example, over
20 equal bins from the smallest to the largest margin of both populations,
  KLoM = KL(unlearned || retrained) in nats, the retrained share at least 1e-5 where an unlearned
  model falls, shares then normalised. Mean and 95th percentile over the examples of Df, Dr and
  validation data.
Deviations: the published bins are half-open, so that the largest of all margins falls outside and
is not counted (edges=published); ours close the last bin. The older code (edges=first) has 19 bins
of which the largest value is lost, and a retrained share of at least 1e-5 everywhere. Both give
NaN where the unlearned models' margins of an example all are lost (edges=first: or the retrained
ones'); then the row has no number, here as there.
Retraining itself does not score 0 with few models: see the `retrain` row. Interval: jackknife over
pairs of models.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from bench.attacks.shared.error_rates import why_no_error
from bench.attacks.shared.probabilities import logit_confidence
from bench.plugins.intervals import lone_models, score_jackknife
from bench.plugins.outputs import Outputs, Readout, Scores

VERSION = 2
MANY = 100  # models, below which empty bins decide the value
BINS, SMALLEST, LARGEST = 20, 1e-5, 100.0
PLACES = {"forget": "Df", "retain": "Dr", "validation": "validation data"}
READOUTS = {
    part: [
        Readout(
            f"klom_{part}",
            f"KLoM on {where}, mean (nats)",
            "low",
            0.0,
            main=part == "forget",
            short="KLoM" if part == "forget" else "",
        ),
        Readout(f"klom_{part}_95", f"KLoM on {where}, 95th percentile (nats)", "low", 0.0),
    ]
    for part, where in PLACES.items()
}
LOST = "all margins of an example fall outside the published bins (edges=closed counts them)"
Edges = Literal["closed", "published", "first"]


def klom(outputs: Outputs, *, edges: Edges = "closed") -> Scores:
    scores, replicates, notes = [], [], lone_models("klom", outputs)
    count = len(outputs.retrained)
    if count < MANY:
        notes.append(
            f"klom: 20 bins of {count} models are mostly empty: compare with retrain, not 0"
        )
    references = {
        part: logit_confidence(outputs.retrained.logits[part], outputs.labels[part].train)
        for part in PLACES
    }
    reasons = {
        part: LOST if len(outputs.labels[part].train) else why_no_error(outputs, part)
        for part in PLACES
    }
    for row, population in outputs.rows.items():
        if len(population) < 2:
            continue
        for part, readouts in READOUTS.items():
            unlearned = logit_confidence(population.logits[part], outputs.labels[part].train)
            retrained = references[part][population.members]

            def summary(
                kept: np.ndarray, u: np.ndarray = unlearned, r: np.ndarray = retrained
            ) -> np.ndarray:
                if not u.size:
                    return np.full(2, np.nan)
                values = divergences(u[kept], r[kept], edges)
                return np.array([values.mean(), np.quantile(values, 0.95)])

            highest = (np.inf, np.inf)
            row_scores, left_out = score_jackknife(
                row, readouts, summary, len(population), highest, 10, 2
            )
            scores += row_scores
            replicates += left_out
    announced = [
        replace(readout, undefined=reasons[part])
        for part, readouts in READOUTS.items()
        for readout in readouts
    ]
    return Scores(announced, scores, notes, replicates=replicates)


def divergences(
    unlearned: np.ndarray, retrained: np.ndarray, edges: Edges = "closed"
) -> np.ndarray:
    """KLoM of each example, float64 [examples], of margins [models, examples].

    nan where the published codes give that: no margin of an example lies in a bin.
    """
    p = np.clip(unlearned, -LARGEST, LARGEST)
    q = retrained if edges == "first" else np.clip(retrained, -LARGEST, LARGEST)
    low, high = np.minimum(p.min(0), q.min(0)), np.maximum(p.max(0), q.max(0))
    if edges != "first":
        high = np.where(low >= high, low + 1, high)
    grid = np.linspace(low, high, BINS if edges == "first" else BINS + 1)
    first = 0 if edges == "first" else 1
    shares = [shares_of(side, grid, first, closed=edges == "closed") for side in (p, q)]
    floor = SMALLEST if edges == "first" else np.where(shares[0] > 0, SMALLEST, 0.0)
    lost = shares[0].sum(0) == 0
    if edges == "first":
        lost |= shares[1].sum(0) == 0
    return np.where(lost, np.nan, relative_entropy(shares[0], np.maximum(shares[1], floor)))


def shares_of(values: np.ndarray, grid: np.ndarray, first: int, closed: bool) -> np.ndarray:
    """Share of ``values`` [models, examples] in each bin of ``grid`` [edges, examples].

    Bins ``first`` to 20 - 1 + ``first``, numbered as ``numpy.digitize`` does. ``closed``: the last
    bin takes the value at its upper end.
    """
    index = sum((values >= edge).astype(np.int8) for edge in grid)
    if closed:
        index = np.minimum(index, len(grid) - 1)
    counts = np.stack([(index == number).sum(0) for number in range(first, BINS + first)])
    return counts / np.maximum(counts.sum(0), 1)


def relative_entropy(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p || q) in nats over the first axis; q is normalised. 0 where p has no mass."""
    q = q / np.maximum(q.sum(0), np.finfo(float).tiny)
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(0)
