"""A frozen backbone: its features are computed once, and every model is a head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import bench
from bench import seeds
from bench.engine.graph import open_context
from bench.plugins.registry import Registry
from bench.stages.cell import Cell
from bench.stages.networks import Networks
from bench.training.frozen import frozen_part
from tests.helpers.networks import FROZEN_NETWORK
from tests.helpers.tiny_run import tiny

"""A frozen convolution and a linear layer."""


def network(*tail):
    body = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU())
    body.requires_grad_(False)
    return nn.Sequential(body, *tail)


def test_a_network_is_taken_apart_only_where_its_last_layer_alone_learns():
    images = torch.randn(5, 1, 2, 2)
    whole = network(nn.Linear(3, 2))
    expected, head = whole(images), whole[1]
    parts = frozen_part(whole, images)
    assert (parts.width, parts.outputs) == (3, 2)
    assert torch.equal(head(parts.backbone(images)), expected)
    for other in (
        network(nn.Linear(3, 2), nn.Tanh()),  # something follows
        network(nn.Dropout(0.5), nn.Linear(3, 2)),
        nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 2)),  # all of it learns
        network(nn.Linear(3, 2)).requires_grad_(False),
    ):
        assert frozen_part(other, images) is None


def test_the_detector_shares_one_backbone():
    detector = Registry().resolve("models", "resnet50-nodown[frozen=true]")
    with seeds.isolated(0):
        model = detector(2, 3, (16, 16))
    parts = frozen_part(model, torch.zeros(1, 3, 16, 16))
    assert (parts.width, parts.outputs) == (2048, 1)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """The configuration of a run of heads, and that run."""
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "fixed.py").write_text(FROZEN_NETWORK)
    config = tiny(
        folder / "out",
        model="fixed",
        plugins=[str(folder / "fixed.py")],
        methods="finetune[epochs=2],ssd,pgu[epochs=2],pgu-head[epochs=2]",
        attacks="errors",
        models=2,
    )
    return config, bench.run(config, quiet=True)


def test_stored_heads_answer_as_the_whole_network_would(frozen):
    config, run = frozen
    assert not run.failed
    context = open_context(config)
    networks = context.once(Networks)
    backbone = networks.frozen.backbone
    original = networks.load_model(context.model_cell("original", 0, None))
    assert sum(w.numel() for w in original.parameters()) == 4330
    images = networks.images("test").inputs(torch.arange(len(context.split.test)))
    for row in ("original", "pgu[epochs=2]"):
        cell = Cell("predict", row, 1)
        stored = context.store.arrays("predict", context.key(cell))["test"]
        with torch.no_grad():
            whole = networks.load_model(context.model_cell(row, 1, None))(backbone(images))
        assert torch.allclose(torch.from_numpy(stored), whole, atol=1e-5)


def test_features_are_computed_once_whoever_is_forgotten(frozen):
    config, run = frozen
    pieces = {p: p.stat().st_mtime_ns for p in run.folder.parent.parent.rglob("features/*/*")}
    assert len(pieces) == 2 * 3  # a record and a payload for each part
    more = config.model_copy(update={"scenario": "random[count=20]", "methods": ["ssd"]})
    other = bench.run(more, quiet=True)
    assert other.record["scenario"] == "random[count=20]"
    again = {p: p.stat().st_mtime_ns for p in run.folder.parent.parent.rglob("features/*/*")}
    assert again == pieces


def test_damaged_features_are_made_anew_by_the_same_command(frozen, capsys):
    config, run = frozen
    out = run.folder.parent.parent
    pieces = {p: p.read_bytes() for p in out.rglob("features/*/*.safetensors")}
    piece, content = next(iter(pieces.items()))
    piece.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    joined = {file: file.read_bytes() for file in out.glob("decoded/features-*.npy")}
    cut, *flipped = joined  # from which the pieces are joined again
    cut.write_bytes(joined[cut][:500])
    for file in flipped:
        content = bytearray(joined[file])
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    capsys.readouterr()
    assert not bench.run(config.model_copy(update={"methods": ["neggrad"]}), quiet=True).failed
    told = capsys.readouterr().err.splitlines()
    what = "(its checksum does not match)"
    expected = {f"damaged file {file} {what}: computed again" for file in joined}
    assert expected < set(told)
    assert sum(line.startswith(f"damaged file {piece} {what}: renamed to") for line in told) == 1
    assert {p: p.read_bytes() for p in pieces} == pieces
    assert {file: file.read_bytes() for file in joined} == joined


def test_views_are_part_of_the_recipe_only_where_there_are_any(tmp_path):
    def key(**train):
        config = tiny(tmp_path, train=train)
        return config.train.identity()

    assert key() == key(views=9, crop=5)
    assert key(augment="crop-flip") != key(augment="crop-flip", views=9)
    assert key(augment="crop-flip") == key(augment="crop-flip", crop=9)
    assert key(augment="detector") != key(augment="detector", crop=9)
