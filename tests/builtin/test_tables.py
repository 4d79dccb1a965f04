"""Tables: rows of features instead of images, learnt by an MLP that finds their scale itself."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
import torch

import bench
from bench.builtin.datasets import covertype as forest
from bench.builtin.models.mlp import mlp
from bench.config.folders import places
from bench.errors import UserError
from bench.plugins.dataset import Data
from bench.plugins.registry import Registry
from tests.helpers.tiny_run import tiny

REGISTRY = Registry()
TABLE = {"dataset": "breast-cancer", "model": "mlp[width=16]", "subset": None}


def rows(**changes):
    values = np.arange(12, dtype=np.float32).reshape(4, 1, 1, 3)
    given = {"images": values, "labels": np.array([0, 1, 0, 1]), "scale": None} | changes
    return Data("mine", classes=("a", "b"), **given)


def test_every_method_runs_on_a_table(tmp_path):
    config = tiny(tmp_path, **TABLE, methods="all", models=1, attacks="errors,detection")
    run = bench.run(config, quiet=True)
    assert not run.failed
    errors = run.scores().set_index(["row", "readout"])["value"]
    assert errors["retrain", "test_error"] < 0.1
    assert errors["retrain", "detection_test_recall"] > 0.9


def test_columns_are_used_as_they_are_and_nothing_is_taken_of_all_of_them():
    from bench.data.examples import Examples

    data = rows()
    pool = torch.from_numpy(data.images).permute(0, 3, 1, 2)
    examples = Examples(pool, torch.from_numpy(data.labels), data.scale)
    assert examples.take(torch.tensor([2])).images.flatten().tolist() == [6, 7, 8]
    assert (data.channels, data.image_size) == (3, (1, 1))


def test_an_mlp_learns_the_scale_of_what_it_is_trained_on():
    given = torch.randn(400, 2) * torch.tensor([500.0, 0.003]) + torch.tensor([1e3, 0.1])
    model = mlp(2, 2, (1, 1)).train()
    for _pass in range(50):
        model(given[:, :, None, None])
    scaled = model.eval()[:3](given)
    assert torch.allclose(scaled.mean(0), torch.zeros(2), atol=0.02)
    assert torch.allclose(scaled.std(0), torch.ones(2), atol=0.05)
    assert model[:3](torch.full((1, 2), 1e9)).max() == 10
    assert not list(model[1].parameters())
    assert len(mlp(2, 3, (8, 8))) == len(model) - 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((4, 1, 1, 3))}, "must be float32 .*not float64"),
        ({"images": np.zeros((4, 3), np.float32)}, "features], not float32"),
        ({"images": np.full((4, 1, 1, 3), np.nan, np.float32)}, "finite"),
        ({"scale": 255.0}, "images must be uint8"),
    ],
)
def test_a_table_that_is_none_is_one_line(changes, words):
    with pytest.raises(UserError, match=words):
        rows(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"train": {"augment": "crop-flip"}},
            "augment = crop-flip is not for rows of a table; allowed: none",
        ),
        ({"model": "small-cnn"}, "needs images of at least 4x4"),
        ({"model": "torchvision:resnet18"}, "choose mlp for a table"),
    ],
)
def test_what_is_for_images_is_refused_before_any_work(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        bench.run(tiny(tmp_path, **(TABLE | changes)), quiet=True)
    assert not list(tmp_path.iterdir())


# Forest cover types -------------------------------------------------------------------------------


def packed(kinds=(1, 2, 3, 4, 5, 6, 7), columns=55):
    lines = [",".join(["3"] * (columns - 1) + [str(kind)]) for kind in kinds]
    return gzip.compress("\n".join(lines).encode())


def load(home, fetch=False):
    with places(str(home), fetch=fetch):
        return REGISTRY.resolve("datasets", "covertype")()


def test_cover_types_are_read_from_the_original_file(tmp_path):
    (tmp_path / "covertype").mkdir()
    (tmp_path / "covertype" / "covtype.data.gz").write_bytes(packed())
    data = load(tmp_path)
    assert data.images.shape == (7, 1, 1, 54)
    assert data.labels.tolist() == list(range(7))


DAMAGED = {
    "no archive": b"nothing",
    "cut": packed()[:40],
    "a column less": packed(columns=54),
    "a class more": packed((9,)),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "covertype").mkdir()
    (tmp_path / "covertype" / "covtype.data.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"covtype.data.gz cannot be read as UCI's") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_download_is_asked_for_and_checked(tmp_path, monkeypatch):
    served = tmp_path / "served"
    served.write_bytes(packed())
    monkeypatch.setattr(forest, "URL", served.as_uri())
    with pytest.raises(UserError, match=r"no .*covtype.data.gz: .*--download"):
        load(tmp_path)
    with pytest.raises(UserError, match=r"cannot download .*invalid hash"):
        load(tmp_path, fetch=True)
    assert not list((tmp_path / "covertype").iterdir())
    monkeypatch.setattr(forest, "SHA256", hashlib.sha256(served.read_bytes()).hexdigest())
    assert len(load(tmp_path, fetch=True).labels) == 7
