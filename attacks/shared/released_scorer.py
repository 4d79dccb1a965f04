"""The attacks of the unlearning competition's released scorer, at the very thresholds it tries.

Citation: google-deepmind/unlearning_evaluation, metric.py (Triantafillou, Pedregosa et al., NeurIPS
2023 unlearning competition).
Per example, the population with the larger median is 'positive'. Two families of rules: 'positive
above t', t on a grid of 100 a unit over all values; and 'inside [l, r] is the peakier population',
r on a grid of 100 a unit that reaches 2 beyond where the peakier one would be cut off or covered, l
on 400 points from r - width - 2 to r - width + 2, width being the peakier one's range. The released
code compares every value with each of the about 160,000 intervals. Here values are sorted once and
counted by binary search, epsilon is looked up by the two counts, and right ends of which no
interval can beat what is known are left out: the same float32 arithmetic, the same epsilons.
If no threshold leaves an epsilon (all values of both populations are equal), the released code
stops with an error; here epsilon is nan.
"""

from __future__ import annotations

import numpy as np

CAP = 50.0
PER_UNIT = 100
MARGIN = 2.0
PEAKY = 0.01
STEPS = int(np.ceil(2 * MARGIN * PER_UNIT))
FEW = 150  # values, up to which looking between neighbours is faster than looking at all points


def released_epsilons(unlearned: np.ndarray, retrained: np.ndarray, delta: float) -> np.ndarray:
    """Epsilon of each example, float64 [examples] or nan, from statistics [models, examples]."""
    table = epsilon_table(len(unlearned), delta)
    upper = np.median(retrained, axis=0) > np.median(unlearned, axis=0)
    positive = np.sort(np.where(upper, retrained, unlearned).T)
    negative = np.sort(np.where(upper, unlearned, retrained).T)
    epsilons = [_example(p, n, table) for p, n in zip(positive, negative, strict=True)]
    return np.clip(epsilons, 0, CAP)


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
    best = _double(positive, negative, table, _single(positive, negative, table))
    return best if best > -np.inf else np.nan


def _single(positive: np.ndarray, negative: np.ndarray, table: np.ndarray) -> float:
    low, high = min(positive[0], negative[0]), max(positive[-1], negative[-1])
    thresholds = _float32_grid(low, high, int(np.ceil((high - low) * PER_UNIT)))
    false = len(negative) - np.searchsorted(negative, thresholds, "left")
    missed = np.searchsorted(positive, thresholds, "left")
    return table[false, missed].max(initial=-np.inf)


def _double(positive: np.ndarray, negative: np.ndarray, table: np.ndarray, best: float) -> float:
    """The strongest interval's epsilon, or ``best`` if none is stronger."""
    if np.ptp(positive) >= np.ptp(negative):  # the peakier one is what lies inside
        positive, negative = negative, positive
    grid = _Intervals(positive, negative, table)
    if best == -np.inf:
        return grid.strongest(np.arange(len(grid.right)))
    tried = np.zeros(len(grid.right), bool)
    best = max(best, grid.strongest(np.flatnonzero(grid.may_separate())))
    batch = 4
    while best < np.inf:
        room = np.where(tried, 0.0, grid.room_above(best))
        rows = np.flatnonzero(room > 0)
        if not len(rows):
            break
        if len(rows) > batch:
            rows = rows[np.argpartition(-room[rows], batch)[:batch]]
        best = max(best, grid.strongest(rows))
        tried[rows] = True
        batch *= 4
    return best


class _Intervals:
    """All intervals [l, r] of one example, and a bound on what those of each r can reach.

    ``a`` and ``b`` count inner and outer values inside, of N each. Epsilon beats log E only where
    E a - b > N (E - 1 + delta) or a - E b > N delta. Both are differences of what r and what l
    count below them, so the best l of all is a running minimum; only where even that would do are
    the 400 points l of an r looked at. Rules of which exactly one rate is 0 are discarded: there
    must be an outer value inside and, if r takes all inner values, an inner one below l.
    """

    def __init__(self, inner: np.ndarray, outer: np.ndarray, table: np.ndarray):
        self.count, self.table = len(inner), table
        width = np.ptp(inner)
        low, high = inner[0] + width - MARGIN, inner[-1] + MARGIN
        self.right = np.linspace(low, high, int(np.ceil((high - low) * PER_UNIT)))
        middle = self.right - width
        self.start, self.stop = middle - MARGIN, middle + MARGIN
        values = np.concatenate([inner, outer])
        order = np.argsort(values, kind="stable")
        self.values = values[order]
        self.inner_below = np.append(0, (order < self.count).cumsum())
        self.outer_below = np.arange(len(values) + 1) - self.inner_below
        self.inner_to_right = np.searchsorted(inner, self.right, "right")
        self.outer_to_right = np.searchsorted(outer, self.right, "right")
        last_outer = outer[np.maximum(self.outer_to_right, 1) - 1]
        self.most_below = np.searchsorted(self.values, np.minimum(self.stop, last_outer), "left")
        self.first_inner = np.searchsorted(self.values, inner[0], "left")

    def may_separate(self) -> np.ndarray:
        """Right ends that take all inner values and leave all outer ones on one side."""
        nothing_between = self.outer_to_right == self.outer_below[self.first_inner]
        return (self.inner_to_right == self.count) & nothing_between

    def room_above(self, best: float) -> np.ndarray:
        """For each right end, above 0 where some l might make an epsilon larger than ``best``."""
        scale = np.exp(best) * (1 - 1e-5)  # the table is float32
        takes_all = self.inner_to_right == self.count
        room = np.full(len(self.right), -np.inf)
        for of_inner, of_outer, needed in (
            (scale, 1.0, self.count * (scale - 1)),
            (1.0, scale, 0.0),
        ):
            below = of_inner * self.inner_below - of_outer * self.outer_below
            least = np.minimum.accumulate(below)[self.most_below]
            below[: self.first_inner + 1] = np.inf
            least_but_one = np.minimum.accumulate(below)[self.most_below]
            here = of_inner * self.inner_to_right - of_outer * self.outer_to_right
            reached = here - np.where(takes_all, least_but_one, least)
            room = np.maximum(room, reached - needed)
        return np.where(self.outer_to_right > 0, room, 0.0)

    def strongest(self, rows: np.ndarray) -> float:
        """The largest epsilon of these right ends over their 400 points l each."""
        if not len(rows):
            return -np.inf
        caught = self.inner_to_right[rows, None] - self.inner_below
        false = self.outer_to_right[rows, None] - self.outer_below
        if len(self.values) > FEW:
            left = np.linspace(self.start[rows], self.stop[rows], STEPS, axis=1)
            below = np.searchsorted(self.values, left, "left")
            caught, false = (np.take_along_axis(side, below, 1) for side in (caught, false))
            tried = np.ones_like(caught, dtype=bool)
        else:
            tried = self.tried(rows)
        epsilons = self.table[np.maximum(false, 0), self.count - np.maximum(caught, 0)]
        return np.where(tried, epsilons, -np.inf).max()

    def tried(self, rows: np.ndarray) -> np.ndarray:
        """Whether one of the points l of each right end lies between two neighbouring values.

        bool [rows, 2 N + 1]; all such points cut off the same.
        """
        start, stop = self.start[rows, None], self.stop[rows, None]
        step = (stop - start) / (STEPS - 1)

        def point(index: np.ndarray) -> np.ndarray:  # what numpy.linspace gives
            return np.where(index == STEPS - 1, stop, index * step + start)

        reached = np.clip(np.floor((self.values - start) / step) + 1, 0, STEPS)
        reached -= (reached > 0) & (point(reached - 1) > self.values)
        reached += (reached < STEPS) & (point(reached) <= self.values)
        edges = np.pad(reached, ((0, 0), (1, 0)))
        return np.diff(edges, append=STEPS) > 0


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
