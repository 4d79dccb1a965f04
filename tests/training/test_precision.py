"""precision = auto: measured once, remembered, and part of a model's key."""

from __future__ import annotations

import json

import pytest
import torch

from bench.errors import DamagedError
from bench.stages.context import Cell, Experiment
from bench.training import precision
from tests.conftest import tiny


@pytest.mark.parametrize(
    ("seconds", "expected"), [((1.0, 0.5), "bf16"), ((1.0, 0.9), "fp32"), ((0.5, 1.0), "fp32")]
)
def test_bf16_is_used_where_it_is_faster(tmp_path, monkeypatch, seconds, expected):
    measured = dict(zip(("fp32", "bf16"), seconds, strict=True))
    monkeypatch.setattr(precision, "measure", lambda *_: measured)
    config = tiny(tmp_path, train={"precision": "auto"})
    settled = Experiment(config)
    assert settled.recipe.settings.precision == settled.settings.precision == expected
    monkeypatch.setattr(precision, "measure", None)  # a second time nothing is measured
    assert Experiment(config).settings.precision == expected
    chosen = Experiment(tiny(tmp_path, train={"precision": expected}))
    cell = Cell("train", "original", 0)
    assert settled.key(cell) == chosen.key(cell)


def test_measuring_leaves_threads_and_random_state_alone(tmp_path):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    experiment = Experiment(tiny(tmp_path, train={"precision": "auto"}))
    assert experiment.settings.precision in ("fp32", "bf16")
    [file] = (tmp_path / "decoded").glob("precision-*.json")
    measured = json.loads(file.read_text())
    assert all(measured[kind] > 0 for kind in ("fp32", "bf16"))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_damaged_measurement_is_reported_and_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "measure", lambda *_: {"fp32": 1.0, "bf16": 1.0})
    config = tiny(tmp_path, train={"precision": "auto"})
    assert Experiment(config).settings.precision == "fp32"
    [file] = (tmp_path / "decoded").glob("precision-*.json")
    file.write_text(file.read_text().replace("1.0", "0.1", 1))
    with pytest.raises(DamagedError, match="renamed to"):
        _ = Experiment(config).settings
    assert Experiment(config).settings.precision == "fp32"
