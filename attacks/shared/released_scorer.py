"""The attacks of the unlearning competition's released scorer, at the very thresholds it tries.

Citation: google-deepmind/unlearning_evaluation, metric.py (Triantafillou, Pedregosa et al., NeurIPS
2023 unlearning competition).
Per example, the population with the larger median is 'positive'. Two families of rules: 'positive
above t', t on a grid of 100 a unit over all values; and 'inside [l, r] is the peakier population',
r on a grid of 100 a unit that reaches 2 beyond where the peakier one would be cut off or covered, l
on 400 points from r - width - 2 to r - width + 2, width being the peakier one's range. The released
code compares every value with each of the about 160,000 intervals. Here values are sorted once and
counted by binary search, and epsilon is looked up by the two counts: the same rates, the same
float32 arithmetic, the same epsilons.
Decisions where the released code stops with an error: if no threshold leaves an epsilon (all values
of both populations equal), nothing is known of these models, and epsilon is the cap.
"""

from __future__ import annotations

import numpy as np

CAP = 50.0
PER_UNIT = 100
MARGIN = 2.0
PEAKY = 0.01
FEW = 200  # values, up to which counting between neighbours is the faster way


def released_epsilons(unlearned: np.ndarray, retrained: np.ndarray, delta: float) -> np.ndarray:
    """Epsilon of each example, float64 [examples], from statistics [models, examples]."""
    table = epsilon_table(len(unlearned), delta)
    upper = np.median(retrained, axis=0) > np.median(unlearned, axis=0)
    positive = np.sort(np.where(upper, retrained, unlearned).T)
    negative = np.sort(np.where(upper, unlearned, retrained).T)
    found = [_example(p, n, table) for p, n in zip(positive, negative, strict=True)]
    return np.clip(found, 0, CAP)


def epsilon_table(count: int, delta: float) -> np.ndarray:
    """Epsilon by the numbers of false positives and of false negatives among ``count`` models each.

    Both none: infinity. Exactly one none: discarded, as -infinity, which no maximum takes.
    """
    rates = np.arange(count + 1, dtype=np.float32) / np.float32(count)
    false, missed = rates[:, None], rates[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = np.log(np.float32(1 - delta) - false) - np.log(missed)
        backward = np.log(np.float32(1 - delta) - missed) - np.log(false)
        table = np.maximum(np.fmax(forward, backward), 0)
    table[np.isnan(table)] = -np.inf
    table[0, :] = table[:, 0] = -np.inf
    table[0, 0] = np.inf
    return table.astype(np.float64)


def _example(positive: np.ndarray, negative: np.ndarray, table: np.ndarray) -> float:
    """The strongest rule's epsilon for sorted values [models]."""
    ranges = np.ptp(positive), np.ptp(negative)
    if max(ranges) > 0 and min(ranges) / max(ranges) < PEAKY:
        return CAP
    best = max(_single(positive, negative, table), _double(positive, negative, table))
    return best if best > -np.inf else CAP


def _single(positive: np.ndarray, negative: np.ndarray, table: np.ndarray) -> float:
    low, high = min(positive[0], negative[0]), max(positive[-1], negative[-1])
    thresholds = _float32_grid(low, high, int(np.ceil((high - low) * PER_UNIT)))
    false = len(negative) - np.searchsorted(negative, thresholds, "left")
    missed = np.searchsorted(positive, thresholds, "left")
    return table[false, missed].max(initial=-np.inf)


def _double(positive: np.ndarray, negative: np.ndarray, table: np.ndarray) -> float:
    if np.ptp(positive) >= np.ptp(negative):  # the peakier one is what lies inside
        positive, negative = negative, positive
    width = np.ptp(positive)
    low, high = positive[0] + width - MARGIN, positive[-1] + MARGIN
    right = np.linspace(low, high, int(np.ceil((high - low) * PER_UNIT)))
    tried, below = _cuts(positive, negative, right - width)
    caught, false = (
        np.maximum(np.searchsorted(side, right, "right")[:, None] - cut, 0)
        for side, cut in zip((positive, negative), below, strict=True)
    )
    return np.where(tried, table[false, len(positive) - caught], -np.inf).max(initial=-np.inf)


def _cuts(
    positive: np.ndarray, negative: np.ndarray, middle: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """How many values of each population a left threshold can cut off, for each grid of them.

    A grid has ``steps`` points from middle - 2 to middle + 2. Between two neighbouring values all
    its points cut off the same; so for few models it is enough to know whether there is one (bool
    [grids, cuts]). For many, each point counts.
    """
    steps = int(np.ceil(2 * MARGIN * PER_UNIT))
    start, stop = (middle - MARGIN)[:, None], (middle + MARGIN)[:, None]
    values = np.concatenate([positive, negative])
    if len(values) > FEW:
        left = np.linspace(start[:, 0], stop[:, 0], steps, axis=1)
        cut = tuple(np.searchsorted(side, left, "left") for side in (positive, negative))
        return np.ones(left.shape, bool), cut
    order = np.argsort(values, kind="stable")
    step = (stop - start) / (steps - 1)

    def point(index: np.ndarray) -> np.ndarray:  # what numpy.linspace gives
        return np.where(index == steps - 1, stop, index * step + start)

    reached = np.clip(np.floor((values[order] - start) / step) + 1, 0, steps)
    reached -= (reached > 0) & (point(reached - 1) > values[order])
    reached += (reached < steps) & (point(reached) <= values[order])
    edges = np.pad(reached, ((0, 0), (1, 0)))
    tried = np.diff(edges, append=steps) > 0
    of_positive = np.append(0, (order < len(positive)).cumsum())
    return tried, (of_positive, np.arange(len(values) + 1) - of_positive)


def _float32_grid(low: float, high: float, count: int) -> np.ndarray:
    """What torch.linspace gives: float32, from both ends to the middle, rounded once.

    By way of float64, which tells it from torch only where ``low`` is below 1e-16 of a step.
    """
    if count < 2:
        return np.full(count, low, dtype=np.float32).astype(np.float64)
    first, last = np.float64(np.float32(low)), np.float64(np.float32(high))
    step = np.float64(np.float32((np.float32(last) - np.float32(first)) / np.float32(count - 1)))
    index = np.arange(count)
    grid = np.where(index < count // 2, first + step * index, last - step * (count - 1 - index))
    return grid.astype(np.float32).astype(np.float64)
