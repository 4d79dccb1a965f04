"""The competition's released scorer, evaluated plainly: every value against every threshold."""

from __future__ import annotations

import numpy as np
import torch

DELTA = 1e-5


def plainly(unlearned, retrained):
    """Epsilon of one example, comparing each value with each threshold of the released scorer."""
    positive, negative = unlearned, retrained
    if np.median(retrained) > np.median(unlearned):
        positive, negative = retrained, unlearned
    ranges = sorted([np.ptp(positive), np.ptp(negative)])
    if ranges[1] > 0 and ranges[0] / ranges[1] < 0.01:
        return 50.0
    everything = np.concatenate([positive, negative])
    count = int(np.ceil((everything.max() - everything.min()) * 100))
    low, high = torch.tensor(everything.min()), torch.tensor(everything.max())
    grid = torch.linspace(low, high, count).double().numpy()[:, None]
    rates = [((negative >= grid).mean(1), (positive < grid).mean(1))]
    inner, outer = positive, negative
    if np.ptp(positive) >= np.ptp(negative):
        inner, outer = negative, positive
    width = np.ptp(inner)
    low, high = inner.min() + width - 2.0, inner.max() + 2.0
    for right in np.linspace(low, high, int(np.ceil((high - low) * 100))):
        left = np.linspace(right - width - 2.0, right - width + 2.0, 400)[:, None]
        false = ((left <= outer) & (outer <= right)).mean(1)
        rates.append((false, (~((left <= inner) & (inner <= right))).mean(1)))
    false, missed = (np.concatenate(side) for side in zip(*rates, strict=True))
    found = [epsilon(*pair) for pair in set(zip(false, missed, strict=True))]
    kept = [value for value in found if not np.isnan(value)]
    return float(np.clip(max(kept), 0, 50)) if kept else 50.0


def epsilon(false, missed):
    """Epsilon of one threshold: its rate of false positives and of misses."""
    false, missed = np.float32(false), np.float32(missed)
    if false == 0 and missed == 0:
        return np.inf
    if false == 0 or missed == 0:
        return np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [
            np.log(np.float32(1 - DELTA) - false) - np.log(missed),
            np.log(np.float32(1 - DELTA) - missed) - np.log(false),
        ]
    return np.nan if np.isnan(values).all() else max(0.0, float(np.nanmax(values)))
