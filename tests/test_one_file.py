"""A stage, a method and a data set: each is one new file; for an attack see test_panels.py."""

from __future__ import annotations

import numpy as np
import pytest

import bench
from bench import stages
from bench.engine.dry_run import describe_plan
from bench.engine.graph import load_stages, open_context
from bench.stages.cell import Cell
from tests.helpers.tiny_run import tiny

FEW = {"models": 2, "methods": "ssd", "attacks": "errors", "train": {"epochs": 3}}
STAGE = '''"""Confidence: how sure each model is of its answers on the test set."""
from bench.stages.cell import Artefact, Cell, Size
from bench.stages.context import Stage


class Confidence(Stage):
    name, version, phase = "confidence", 1, "predict"

    def cells(self, context):
        return [Cell(self.name, row, i) for row in context.rows for i in context.members]

    def inputs(self, context, cell):
        return [Cell("predict", cell.row, cell.member)]

    def settings(self, context, cell):
        return {}

    def make(self, context, cell, alone):
        [source] = self.inputs(context, cell)
        logits = context.store.arrays(source.stage, context.key(source))["test"]
        return Artefact({"row": cell.row}, {"largest": logits.max(1)})

    def size(self, context, cell):
        return Size(bytes=4 * len(context.split.test))
'''
METHOD = '''"""Add noise to all weights."""
import copy
from dataclasses import dataclass
import torch
from bench import Method


@dataclass(frozen=True)
class Noise(Method):
    scale: float = 0.01
    needs = ()

    @torch.no_grad()
    def unlearn(self, model, task):
        model = copy.deepcopy(model)
        for weight in model.parameters():
            weight += self.scale * torch.randn(weight.shape, generator=task.rng)
        return model
'''
DATASET = '''"""Stripes, horizontal or vertical."""
import numpy as np
from bench import Data


def stripes():
    labels = np.arange(200) % 2
    images = np.zeros((200, 8, 8, 1), np.uint8)
    images[labels == 0, ::2] = images[labels == 1, :, ::2] = 200
    images += np.random.default_rng(0).integers(50, size=images.shape, dtype=np.uint8)
    return Data("stripes", images, labels, ("horizontal", "vertical"))
'''


@pytest.fixture
def one_more_stage(tmp_path, monkeypatch):
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "confidence.py").write_text(STAGE)
    monkeypatch.setattr(stages, "__path__", [*stages.__path__, str(folder)])
    load_stages.cache_clear()
    yield
    load_stages.cache_clear()


def test_a_stage(tmp_path, one_more_stage):
    config = tiny(tmp_path / "out", **FEW)
    assert "confidence ssd" in describe_plan(config)
    bench.run(config, quiet=True)
    context = open_context(config)
    logits = context.store.arrays("predict", context.key(Cell("predict", "ssd", 1)))["test"]
    found = context.store.arrays("confidence", context.key(Cell("confidence", "ssd", 1)))
    assert np.array_equal(found["largest"], logits.max(1))


def test_a_method(tmp_path):
    (tmp_path / "noise.py").write_text(METHOD)
    methods, plugins = "noise,noise[scale=10]", [str(tmp_path / "noise.py")]
    run = bench.run(tiny(tmp_path, **FEW | {"methods": methods, "plugins": plugins}), quiet=True)
    errors = run.scores().query("readout == 'test_error'").set_index("row").value
    assert errors["noise"] < errors["noise[scale=10]"]


def test_a_data_set(tmp_path):
    (tmp_path / "stripes.py").write_text(DATASET)
    changes = {"dataset": "stripes", "plugins": [str(tmp_path / "stripes.py")], "subset": None}
    run = bench.run(tiny(tmp_path, **FEW | changes), quiet=True)
    assert run.record["data"]["classes"] == ["horizontal", "vertical"]
