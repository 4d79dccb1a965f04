"""Comparing two runs that must give the same numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.plugins.scores import arrays_of


def numbers(run):
    """All scores that must not depend on how a run was made: no times, no memory."""
    frame = run.scores()
    measured = frame.readout.str.contains("time|memory")
    return frame[~measured].reset_index(drop=True)


def assert_same(first, second):
    """Both runs have the same scores and the same arrays beside them, bit for bit."""
    pd.testing.assert_frame_equal(numbers(first), numbers(second), check_exact=True)
    arrays, others = arrays_of(first.scores_of), arrays_of(second.scores_of)
    assert arrays.keys() == others.keys()
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays)
