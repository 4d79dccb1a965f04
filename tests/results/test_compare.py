"""Comparisons between methods: loss, paired errors, Holm's correction, ranks with ties."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.plugins.intervals import score_models
from bench.plugins.outputs import Readout, Scores
from bench.results.compare import compare, holm, p_values, ranks
from bench.results.finished import Comparison
from tests.helpers.outputs import rng

COUNT = 12


def a_run(better="target", target=None, **rows):
    """A run with one readout: each row's values per model, the reference 0."""
    readout = Readout("error", "error", better, target)
    reference = np.full(COUNT, target or 0.0)
    scores = [
        score_models(row, "error", np.array(values), reference[: len(values)], rng())
        for row, values in rows.items()
    ]
    record = {"config": {"models": COUNT, "seed": 0}, "rows": [*rows, "retrain"]}
    return SimpleNamespace(record=record, scores_of=Scores([readout], scores))


def plain(p):
    return Comparison("error", "a", "b", 1.0, 0.0, 2.0, p, p)


def test_holm_by_hand():
    found = [pair.p_holm for pair in holm([plain(0.01), plain(0.04), plain(0.03), plain(0.005)])]
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [pair.p_holm for pair in holm([plain(0.9), plain(0.8)])] == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_helps_and_keeps_the_order(values):
    found = holm([plain(p) for p in values])
    assert all(pair.p_holm >= pair.p for pair in found)
    by_p = sorted(found, key=lambda pair: pair.p)
    assert [pair.p_holm for pair in by_p] == sorted(pair.p_holm for pair in found)


def test_p_is_students_where_losses_are_means():
    near = rng(1).normal(1, 0.1, COUNT)
    far = near + 0.05 + rng(2).normal(0, 0.1, COUNT)
    (pair,) = compare(a_run(near=near, far=far))
    assert pair.p == pytest.approx(stats.ttest_rel(near, far).pvalue, rel=0.15)
    assert pair.difference == pytest.approx(near.mean() - far.mean())


def test_pairing_finds_what_the_spread_over_models_hides():
    noise = rng(1).normal(0, 5, COUNT)
    found = compare(a_run("low", 0.0, one=noise, other=noise + 0.5 + rng(2).normal(0, 0.1, COUNT)))
    assert found[0].better == "one"


def test_distance_to_the_target_counts_on_both_sides():
    above, below = rng(1).normal(2, 0.1, COUNT), rng(2).normal(-2, 0.1, COUNT)
    near = rng(3).normal(0.5, 0.1, COUNT)
    found = ranks(run := a_run(above=above, below=below, near=near), compare(run))
    assert found["error"].to_dict() == {"above": 2, "below": 2, "near": 1}
    run = a_run("high", 1.0, above=above, below=below, near=near)
    assert ranks(run, compare(run))["error"].to_dict() == {"above": 1, "below": 3, "near": 2}


def test_what_the_data_do_not_separate_shares_a_rank():
    rows = {name: rng(seed).normal(0, 1, COUNT) for seed, name in enumerate("abc")}
    run = a_run("low", 0.0, **rows)
    assert set(ranks(run, compare(run))["error"]) == {1}


def test_rows_that_lost_models_are_not_compared():
    full = rng().normal(size=COUNT)
    run = a_run("low", 0.0, one=full, other=full + 1, partly=full[:5] + 9)
    found = ranks(run, compare(run))
    assert np.isnan(found.loc["partly", "error"])
    assert str(found.loc["other", "error"]) == "2"


def test_equal_everywhere_is_a_tie_and_constant_difference_needs_models():
    apart, error = np.array([0.0, 1.0]), np.array([0.0, 0.0])
    assert p_values(apart, error, 2).tolist() == [1, 0.25]
    assert p_values(apart, error, 11).tolist() == [1, 2**-11]


def test_false_alarms_stay_at_five_percent():
    """200 runs of six equal methods: some pair is called different in few of them."""
    wrong = 0
    for seed in range(200):
        rows = {str(i): rng(1000 * seed + i).normal(size=COUNT) for i in range(6)}
        wrong += any(pair.better for pair in compare(a_run("low", 0.0, **rows)))
    assert wrong / 200 < 0.1
