"""precision = auto: measured once, remembered, and part of a model's key."""

from __future__ import annotations

import json

import pytest
import torch

from bench.engine.graph import open_context
from bench.errors import DamagedError
from bench.stages.cell import Cell
from bench.stages.networks import Networks
from tests.helpers.speeds import remember_speeds
from tests.helpers.tiny_run import tiny


def chosen_precision(config):
    return open_context(config).once(Networks).trainer.settings.precision


@pytest.mark.parametrize(
    ("seconds", "expected"), [((1.0, 0.5), "bf16"), ((1.0, 0.9), "fp32"), ((0.5, 1.0), "fp32")]
)
def test_bf16_is_taken_where_it_pays(tmp_path, seconds, expected):
    config = tiny(tmp_path, train={"precision": "auto"})
    file = remember_speeds(config, *seconds)
    remembered = file.read_bytes()
    settled = open_context(config)
    assert chosen_precision(config) == expected
    assert file.read_bytes() == remembered  # not measured again
    chosen = open_context(tiny(tmp_path, train={"precision": expected}))
    cell = Cell("train", "original", 0)
    assert settled.key(cell) == chosen.key(cell)


def test_measuring_leaves_threads_and_random_state_alone(tmp_path):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    assert chosen_precision(tiny(tmp_path, train={"precision": "auto"})) in ("fp32", "bf16")
    [file] = (tmp_path / "decoded").glob("precision-*.json")
    measured = json.loads(file.read_text())
    assert all(measured[kind] > 0 for kind in ("fp32", "bf16"))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_damaged_measurement_is_told_and_made_anew(tmp_path):
    config = tiny(tmp_path, train={"precision": "auto"})
    file = remember_speeds(config, 7.0, 7.0)
    file.write_text(file.read_text().replace("7.0", "0.1", 1))
    with pytest.raises(DamagedError, match="renamed to"):
        chosen_precision(config)
    assert chosen_precision(config) in ("fp32", "bf16")
    assert json.loads(file.read_text())["fp32"] != 7.0
