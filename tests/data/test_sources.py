"""Pools of inputs: pixels or files, with and without augmentation, example by example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import bench
from bench.builtin.datasets.truefake import truefake
from bench.config.folders import places
from bench.data.decoding import decode_centres
from bench.data.image_files import ImageFiles
from bench.data.sources import Features, Files, Pixels
from bench.engine.graph import open_context
from bench.errors import UserError
from tests.helpers.pictures import picture
from tests.helpers.tiny_run import tiny

CPU = torch.device("cpu")
N = 30


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Noise of various sizes, one of them a JPEG."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for number in range(N):
        pixels = rng.integers(0, 256, (20 + number % 3, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.{'jpg' if number == 3 else 'png'}")
    return ImageFiles(sorted(map(str, folder.iterdir())), 16)


def pixels_of(files):
    images, wrong = decode_centres(files.paths.tolist(), 16, 1)
    assert not wrong
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def epoch(pool, chunks, augment, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.cat(list(pool.epoch([torch.tensor(chunk) for chunk in chunks], augment, rng)))


@pytest.mark.parametrize("kind", ["pixels", "files"])
def test_the_detectors_augmentation_follows_the_example_and_the_epoch(files, kind):
    pool = Pixels(pixels_of(files), crop=12) if kind == "pixels" else Files(files, CPU, crop=12)
    before = torch.get_rng_state()
    whole = epoch(pool, [range(15), range(15, N)], "detector")
    assert torch.equal(torch.get_rng_state(), before)
    assert whole.shape == (N, 3, 12, 12)
    assert whole.min() >= -1
    assert whole.max() <= 1
    some = epoch(pool, [[29], [4, 2], [11]], "detector")  # fewer examples, in another order
    assert torch.equal(some, whole[[29, 4, 2, 11]])
    other = epoch(pool, [range(N)], "detector", seed=1)
    assert (other != whole).flatten(1).any(1).sum() > 0.9 * N


def test_files_give_the_same_inputs_as_pixels_in_memory(files):
    pixels, on_demand = Pixels(pixels_of(files)), Files(files, CPU)
    index = torch.tensor([7, 0, 3])
    assert torch.equal(on_demand.inputs(index), pixels.inputs(index))
    assert on_demand.size == pixels.size == (16, 16)
    assert files[np.array([5, 1])].paths.tolist() == [files.paths[5], files.paths[1]]


def test_worker_processes_change_no_input(files):
    chunks = [[i, i + 1] for i in range(0, N, 2)]
    alone, beside = Files(files, CPU, crop=12), Files(files, CPU, crop=12, workers=1)
    expected = epoch(alone, chunks, "detector")
    assert torch.equal(epoch(beside, chunks, "detector"), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanishes_is_one_line(tmp_path, workers):
    paths = [str(tmp_path / f"{number:02d}.png") for number in range(20)]
    for path in paths:
        picture(Path(path))
    Path(paths[15]).unlink()
    pool = Files(ImageFiles(paths, 8), CPU, workers=workers)
    with pytest.raises(UserError, match=r"15\.png cannot be read as an image: F.*") as caught:
        list(pool.epoch([torch.tensor([i, i + 1]) for i in range(0, 20, 2)], "none", None))
    assert "\n" not in str(caught.value)


def test_an_augmentation_that_a_pool_lacks_is_a_user_error(files):
    for pool, augment, words in (
        (Files(files, CPU), "crop-flip", "allowed: none, detector"),
        (
            Pixels(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), 16.0),
            "detector",
            "images whose white is 16; allowed: none, crop-flip",
        ),
        (Features(torch.zeros(4, 3, 5), "detector"), "crop-flip", "allowed: none, detector"),
        (Features(torch.zeros(4, 1, 5), "none"), "detector", "allowed: none$"),
    ):
        with pytest.raises(UserError, match=words):
            epoch(pool, [[0, 1]], augment)


def test_an_epoch_of_features_takes_one_augmented_view_of_each():
    features = torch.arange(4.0)[None, :, None].expand(2000, 4, 1).contiguous()
    pool = Features(features, "detector")
    assert pool.inputs(torch.arange(5)).tolist() == [[0.0]] * 5
    seen = epoch(pool, [range(2000)], "detector")[:, 0]
    assert (seen.long().bincount(minlength=4)[1:] / 2000 - 1 / 3).abs().max() < 0.05
    assert torch.equal(epoch(pool, [[1999, 3]], "detector")[:, 0], seen[[1999, 3]])


def test_a_true_tree_is_trained_on_without_its_pixels_in_memory(tmp_path):
    for number, kind in enumerate(["Real/FFHQ", "Real/FORLAB", "Fake/StyleGAN2/a"] * 20):
        picture(tmp_path / "PreSocial" / kind / f"{number:05d}.png", 3 * number)
    config = tiny(
        tmp_path / "out",
        dataset="truefake[side=8,memory=demand,fake=gan2]",
        data_dir=str(tmp_path),
        subset=None,
        methods="ssd",
        attacks="errors",
        models=1,
        train={"epochs": 1, "augment": "detector", "crop": 8},
    )
    run = bench.run(config, quiet=True)
    assert isinstance(open_context(config).data.images, ImageFiles)
    assert run.record["rows"]["ssd"]["done"] == 1


def test_broken_files_are_reported_before_training_by_every_run(tmp_path):
    folder = tmp_path / "truefake" / "PreSocial"
    for name in ("Real/FFHQ/00001.png", "Real/FFHQ/00002.png", "Fake/StyleGAN2/a/00001.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / name)
    (folder / "Real/FFHQ/00003.png").write_bytes(b"")
    for _again in range(2):
        with places(str(tmp_path), tmp_path / "decoded"), pytest.raises(UserError, match="00003"):
            truefake(real="ffhq", fake="gan2", side=8, memory="demand")
    with places(str(tmp_path)):
        data = truefake(real="ffhq", fake="gan2", side=8, memory="demand", broken="skip")
    assert len(data.images) == 3


def test_a_dangling_link_is_reported_like_any_broken_file(tmp_path):
    folder = tmp_path / "truefake" / "PreSocial"
    for name in ("Real/FFHQ/00001.png", "Real/FFHQ/00002.png", "Fake/StyleGAN2/a/00001.png"):
        picture(folder / name)
    (folder / "Real/FFHQ/00003.png").symlink_to(tmp_path / "nowhere")
    for memory in ("keep", "demand"):
        with places(str(tmp_path), tmp_path / "decoded"), pytest.raises(UserError, match="00003"):
            truefake(real="ffhq", fake="gan2", side=8, memory=memory)
