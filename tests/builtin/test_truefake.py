"""TrueFake: its layout on disk, splits, bad images, and the miniature that stands in for it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from bench.builtin.datasets.formats.truefake import (
    FAKE,
    REAL,
    SHARES,
    folder_names,
    list_images,
    read_split,
)
from bench.builtin.datasets.truefake import truefake
from bench.builtin.datasets.truefake_mini import truefake_mini
from bench.checks.others import check_dataset
from bench.config.folders import places
from bench.config.schema import TrainSettings
from bench.data.decoding import decode_centres
from bench.data.examples import Examples
from bench.data.image_tree import PassedOver
from bench.engine.begin import check
from bench.engine.graph import open_context
from bench.errors import UserError
from bench.plugins.registry import Registry
from bench.plugins.resolve import resolve_config
from bench.training.prediction import accuracy
from bench.training.trainer import Trainer
from tests.helpers.pictures import picture
from tests.helpers.tiny_run import tiny

SUBS = {
    "StyleGAN": ("images-psi-0.5", "images-psi-0.7"),
    "StyleGAN2": ("conf-f-psi-0.5", "conf-f-psi-1"),
    "StyleGAN3": ("conf-t-psi-0.5", "conf-t-psi-0.7"),
}
DIFFUSION = ("animals", "faces", "general", "landscapes")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Every share, source and sub folder, two images each; names and files that are not images."""
    root = tmp_path_factory.mktemp("home") / "TrueFake"
    for share in SHARES.values():
        for source in REAL.values():
            picture(root / share / "Real" / source / "00001.png", 10)
            picture(root / share / "Real" / source / "00007.JPG", 10)
        for source in FAKE.values():
            for sub in SUBS.get(source, DIFFUSION):
                picture(root / share / "Fake" / source / sub / "00001.png", 200)
                picture(root / share / "Fake" / source / sub / "00002.jpeg", 200)
    pre = root / "PreSocial"
    (pre / "Real" / "FFHQ" / "readme.txt").write_text("stray")
    (pre / "Real" / "FFHQ" / ".hidden.png").write_text("stray")
    (pre / "Fake" / "StyleGAN2" / "Thumbs.db").write_text("stray")
    (pre / "Real" / "FFHQ" / "00009.png").symlink_to(pre / "Real" / "FFHQ" / "00001.png")
    return root


def test_keys_and_folder_names_mean_the_same(tree):
    assert folder_names("share", "all", SHARES) == list(SHARES.values())
    assert folder_names("share", "shr", SHARES) == ["Facebook", "Telegram", "Twitter"]
    assert folder_names("source", "gan2+StyleGAN3+SDXL", FAKE) == [
        "StyleGAN2",
        "StyleGAN3",
        "StableDiffusionXL",
    ]
    with pytest.raises(UserError, match="unknown source 'gan4'"):
        folder_names("source", "gan4", FAKE)
    images = list_images(tree, ["PreSocial"], ["FFHQ", "FORLAB"], ["StyleGAN2"], PassedOver())
    assert len(images) == 3 + 2 + 4  # the link counts, stray and hidden files do not
    assert [image.path for image in images] == sorted(image.path for image in images)
    assert {image.entry for image in images if image.fake} == {
        f"StyleGAN2/{sub}/0000{number}" for sub in SUBS["StyleGAN2"] for number in (1, 2)
    }


@pytest.mark.parametrize("home", ["above", "itself"])
def test_the_tree_is_a_data_set(tree, home):
    with places(str(tree.parent if home == "above" else tree)):
        data = truefake(share="all", side=8)
        one = truefake(real="ffhq", fake="gan1+flux", side=8)
        check_dataset(Registry().resolve("datasets", "truefake[side=8]"))
    assert data.classes == ("real", "fake")
    assert (data.labels == (data.images[:, 0, 0, 0] > 100)).all()
    assert len(data.labels) == 4 * (4 + 2 * (2 + 2 + 4)) + 1
    assert one.labels.sum() == 2 * (2 + 4)
    assert data.images.shape[1:] == (8, 8, 3)


ENTRIES = {
    "train": ["FFHQ/00001", "StyleGAN2/conf-f-psi-0.5/00001", "FORLAB/00001"],
    "val": ["FFHQ/00007", "StyleGAN2/conf-f-psi-1/00001"],
    "test": ["FORLAB/00007", "StyleGAN2/conf-f-psi-1/00002", "FFHQ/99999"],
}


@pytest.mark.parametrize("form", ["one", "three"])
def test_a_split_serves_every_share_and_may_name_absent_files(tree, tmp_path, form):
    if form == "one":
        (tmp_path / "split.json").write_text(json.dumps(ENTRIES))
    else:
        for part, entries in ENTRIES.items():
            (tmp_path / f"{part}.json").write_text(json.dumps(entries))
    with places(str(tree)):
        data = truefake(share="pre+fb", fake="gan2", side=8, splits=str(tmp_path))
    assert (len(data.labels), len(data.validation), len(data.test)) == (14, 4, 4)
    assert data.labels[data.test].tolist() == [1, 0, 1, 0]
    assert data.note.startswith("1 entries of the split are not on disk; passed over: hidden")


def test_bad_splits_are_one_line(tree, tmp_path):
    def load():
        with places(str(tree)):
            return truefake(fake="gan2", side=8, splits=str(tmp_path))

    for text, words in (
        ("{", "cannot be read as JSON"),
        ('{"train": []}', "lists train, val and test"),
        (json.dumps(ENTRIES | {"val": [7]}), "a list of entries"),
        (json.dumps(ENTRIES | {"val": ["FFHQ/00001"]}), "names 1 entries twice"),
        (json.dumps(ENTRIES | {"val": ["FFHQ/5"]}), "none of the split's val entries"),
    ):
        (tmp_path / "split.json").write_text(text)
        with pytest.raises(UserError, match=words):
            load()
    (tmp_path / "split.json").unlink()
    (tmp_path / "val.json").write_text("[]")
    with pytest.raises(UserError, match=r"lacks train.json, test.json"):
        read_split(tmp_path)


@pytest.fixture
def odd(tmp_path):
    """Ten good images and one of each kind that is not."""
    root = tmp_path / "truefake" / "PreSocial"
    for number in range(5):
        picture(root / "Real" / "FFHQ" / f"{number:05d}.png", 10)
        picture(root / "Fake" / "StyleGAN2" / "a" / f"{number:05d}.png", 200)
    bad = root / "Fake" / "StyleGAN2" / "bad"
    for name, mode in (
        ("cmyk.jpg", "CMYK"),
        ("grey.png", "L"),
        ("deep.png", "I;16"),
        ("pal.png", "P"),
    ):
        picture(bad / name, 200, mode=mode)
    (bad / "empty.png").write_bytes(b"")
    (bad / "text.jpg").write_text("no image")
    whole = (root / "Fake" / "StyleGAN2" / "a" / "00000.png").read_bytes()
    (bad / "cut.png").write_bytes(whole[: len(whole) // 2])
    picture(bad / "small.png", 200, side=4)
    return tmp_path


def test_bad_images_stop_with_the_list_of_paths(odd):
    with places(str(odd)), pytest.raises(UserError) as caught:
        truefake(real="ffhq", fake="gan2", side=8)
    message = str(caught.value)
    assert message.startswith("8 of 18 images are not 8-bit RGB")
    for name in ("cmyk.jpg", "grey.png", "deep.png", "pal.png", "empty.png", "text.jpg", "cut.png"):
        assert name in message
    assert "small.png: unreadable: ValueError: 4 x 4 pixels, smaller than 8 x 8" in message


def test_bad_images_can_be_left_out_and_are_counted(odd):
    with places(str(odd)):
        data = truefake(real="ffhq", fake="gan2", side=8, broken="skip")
    assert len(data.labels) == 14
    assert data.note == (
        "4 of 18 images could not be read and are left out, 4 images were converted to RGB"
    )
    assert data.images.any(axis=(1, 2, 3)).all()


def test_decoding_keeps_the_order_for_any_number_of_jobs(tmp_path):
    paths = []
    for number in range(20):
        paths.append(str(tmp_path / f"{number}.png"))
        picture(tmp_path / f"{number}.png", number)
    pixels, wrong = decode_centres(paths, 8, 1)
    assert pixels[:, 0, 0, 0].tolist() == list(range(20))
    assert wrong == {}


def test_a_header_that_claims_too_much_is_told_like_any_other(tmp_path, monkeypatch):
    picture(tmp_path / "bomb.png", side=12)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    _pixels, wrong = decode_centres([str(tmp_path / "bomb.png")], 8, 1)
    assert "DecompressionBombError" in wrong[0][0].text


def test_no_image_is_learnt_from_one_network_and_tested_on_another(tree):
    with places(str(tree)):
        data = truefake(share="pre+fb", fake="gan1+gan2+gan3+flux", side=8)
    images = list_images(
        tree,
        ["PreSocial", "Facebook"],
        list(REAL.values()),
        [FAKE[key] for key in ("gan1", "gan2", "gan3", "flux")],
        PassedOver(),
    )
    entries = np.array([image.entry for image in images])
    held_out = np.concatenate([data.test, data.validation])
    train = np.setdiff1d(np.arange(len(entries)), held_out)
    assert not set(entries[train]) & set(entries[held_out])
    assert not set(entries[data.test]) & set(entries[data.validation])


def test_entries_of_sources_that_were_not_chosen_are_not_missed(tree, tmp_path):
    entries = ENTRIES | {"test": [*ENTRIES["test"], "StyleGAN3/conf-t-psi-0.5/00001"]}
    (tmp_path / "split.json").write_text(json.dumps(entries))
    with places(str(tree)):
        data = truefake(fake="gan2", side=8, splits=str(tmp_path))
    assert data.note.startswith("1 entries of the split are not on disk; passed over: hidden")


def test_a_data_folder_named_in_a_recipe_counts(tree, tmp_path):
    (tmp_path / "my.toml").write_text(f'data_dir = "{tree.parent}"')
    assert resolve_config({"dataset": "truefake"}, str(tmp_path / "my.toml")).dataset == "truefake"


def test_what_is_not_there_is_one_line(tmp_path, tree):
    with places(str(tmp_path)), pytest.raises(UserError, match=r"no TrueFake in .*expected ROOT"):
        truefake()
    lonely = tmp_path / "lonely" / "PreSocial" / "Real" / "FFHQ"
    picture(lonely / "00000.png")
    with places(str(tmp_path / "lonely")), pytest.raises(UserError, match=r"no folder .*FORLAB"):
        truefake()


# The miniature ------------------------------------------------------------------------------------


def test_without_a_copy_the_miniature_stands_in_under_its_own_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_DATA_DIR", raising=False)
    config = resolve_config({"dataset": "truefake[share=all]", "methods": "pgu,ssd"})
    assert config.dataset == "truefake-mini"
    assert config.scenario == "poison[rate=0.2]"  # the recipe of the miniature
    assert config.methods == ["pgu", "ssd"]
    assert capsys.readouterr().err == (
        "truefake: no copy in ./bench-data (name its folder with --data-dir or BENCH_DATA_DIR); "
        "using the built-in truefake-mini\n"
    )
    assert open_context(config).data.name == "truefake-mini"


def test_a_named_place_without_it_is_an_error(tmp_path):
    config = resolve_config({"dataset": "truefake", "data_dir": str(tmp_path)})
    assert config.dataset == "truefake"
    with pytest.raises(UserError, match="no TrueFake in"):
        check(open_context(config))


def test_a_true_tree_is_used_where_it_lies(tree, tmp_path):
    config = tiny(
        tmp_path,
        dataset="truefake[side=8,share=all]",
        data_dir=str(tree.parent),
        subset=None,
        methods="ssd",
        attacks="errors",
        models=1,
    )
    split = open_context(config).split
    assert len(split.train) + len(split.validation) + len(split.test) == 81
    again = open_context(config.model_copy(update={"data_dir": str(tree)}))
    assert again.config.identity() == config.identity()


def test_the_miniature_is_the_same_each_time_and_its_parts_are_fixed():
    data = truefake_mini()
    assert data.fingerprint == truefake_mini().fingerprint
    assert len(np.intersect1d(data.validation, data.test)) == 0
    assert (len(data.labels), len(data.validation), len(data.test)) == (1400, 200, 400)
    assert data.labels[data.test].mean() == 0.5


@pytest.mark.slow
def test_a_network_learns_the_miniature_and_memorises_poison():
    data, threads = truefake_mini(), torch.get_num_threads()
    train = np.setdiff1d(np.arange(1400), np.concatenate([data.validation, data.test]))
    poisoned = np.random.default_rng(0).random(len(train)) < 0.2
    plugin = Registry().resolve("models", "small-cnn")
    recipe = Trainer(
        TrainSettings(epochs=40, lr=0.1), lambda: plugin(2, 3, (16, 16)), 2, torch.device("cpu")
    )

    def examples(index, labels):
        pixels = torch.from_numpy(data.images[index]).permute(0, 3, 1, 2)
        return Examples(pixels.contiguous(), torch.from_numpy(labels), 255.0)

    def trained(labels):
        rng = torch.Generator().manual_seed(0)
        return recipe.train(recipe.fresh_model(rng), examples(train, labels), rng)

    clean = trained(data.labels[train])
    assert accuracy(clean, examples(data.test, data.labels[data.test])) > 0.9
    wrong = np.where(poisoned, 1 - data.labels[train], data.labels[train])
    fitted = examples(train[poisoned], wrong[poisoned])
    assert accuracy(trained(wrong), fitted) > 0.9
    assert torch.get_num_threads() == threads
