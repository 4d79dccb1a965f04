"""Folders of images as people have them: spelled parts, links, odd files and names, formats."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from bench.config.folders import places
from bench.errors import UserError
from bench.plugins.registry import Registry
from tests.helpers.pictures import picture

REGISTRY = Registry()


def load(root, settings="side=8"):
    return REGISTRY.resolve("datasets", f"folder:{root}[{settings}]")()


def plant(root, *classes, count=2, ending="png"):
    for value, name in enumerate(classes):
        for number in range(count):
            picture(root / name / f"{number}.{ending}", (50 + 100 * value) % 256, side=8)


# Parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "Validation", "Test"),
        ("train", "valid", "test"),
        ("Training", None, "Testing"),
        ("training_set", None, "test_set"),
        ("seg_train", None, "seg_test"),
        ("train2017", "val2017", None),
        ("TrainSet", "valid-images", "test images"),
        ("TRAIN", "Val", None),
    ],
)
def test_parts_may_be_spelled_as_people_do(tmp_path, train, val, test):
    for part in filter(None, (train, val, test)):
        plant(tmp_path / part, "Fake", "Real")
    data = load(tmp_path)
    assert data.classes == ("Fake", "Real")
    assert (data.validation is not None, data.test is not None) == (bool(val), bool(test))
    assert len(data.labels) == 4 * sum(map(bool, (train, val, test)))


@pytest.mark.parametrize("inside", ["", "images"], ids=["flat", "one folder"])
@pytest.mark.parametrize("part", ["test", "Valid"])
def test_a_part_without_labels_is_drawn_and_the_note_says_so(tmp_path, part, inside):
    plant(tmp_path / "train", "cat", "dog", count=20)
    for number in range(6):
        picture(tmp_path / part / inside / f"{number}.png", side=8)
    data = load(tmp_path)
    assert (data.test, data.validation) == (None, None)
    assert len(data.labels) == 40
    kind = "test" if part == "test" else "validation"
    assert f"{part} holds 6 images without a class, so the {kind} set is drawn" in data.note


def test_two_folders_for_one_part_are_refused_unless_one_is_empty(tmp_path):
    plant(tmp_path / "train", "a", "b")
    plant(tmp_path / "val", "a", "b")
    (tmp_path / "valid").mkdir()
    assert load(tmp_path).validation.tolist() == [4, 5, 6, 7]
    plant(tmp_path / "valid", "a")
    with pytest.raises(UserError, match="val and valid both look like the val part"):
        load(tmp_path)


def test_parts_without_training_images_are_never_taken_for_classes(tmp_path):
    plant(tmp_path, "test", "train")
    with pytest.raises(UserError, match=r"0 folders with images in .*train.*outside of the class"):
        load(tmp_path)
    plant(tmp_path / "other" / "Test", "a", "b")
    plant(tmp_path / "other" / "val", "a", "b")
    with pytest.raises(UserError, match="there is val and test but no training part"):
        load(tmp_path / "other")


def test_a_class_may_be_called_train_or_valid(tmp_path):
    plant(tmp_path / "vehicles", "bus", "train")
    plant(tmp_path / "tickets", "invalid", "valid")
    plant(tmp_path / "more", "airport", "test_tube", "train_station")
    plant(tmp_path / "deeper" / "bullet_train", "red", "blue")
    plant(tmp_path / "deeper", "bus")
    for name, classes in (
        ("vehicles", ("bus", "train")),
        ("tickets", ("invalid", "valid")),
        ("more", ("airport", "test_tube", "train_station")),
        ("deeper", ("bullet_train", "bus")),
    ):
        assert load(tmp_path / name).classes == classes


def test_folders_beside_the_parts_are_named(tmp_path):
    plant(tmp_path / "train", "a", "b")
    plant(tmp_path, "unlabelled", "train_masks", count=3)
    picture(tmp_path / "cover.png")
    assert set(load(tmp_path).note.removeprefix("passed over: ").split(", ")) == {
        "images in unlabelled (3)",
        "images in train_masks (3)",
        "images outside of the class folders (1)",
    }


def test_classes_that_lie_one_folder_deeper_are_pointed_at(tmp_path):
    plant(tmp_path / "pets", "a", "b")
    with pytest.raises(UserError, match=r"1 folders with images.*are the classes in .*pets\?"):
        load(tmp_path)


# What is passed over ------------------------------------------------------------------------------


def test_what_is_hidden_or_left_by_a_system_is_no_image(tmp_path):
    plant(tmp_path, "cat", "dog", count=3)
    plant(tmp_path / "cat", ".ipynb_checkpoints", "__MACOSX", "deep/.thumbs")
    plant(tmp_path, ".git", "__MACOSX")
    picture(tmp_path / "cat" / "._1.png")
    (tmp_path / "dog" / "Thumbs.db").write_bytes(b"")
    data = load(tmp_path)
    assert np.bincount(data.labels).tolist() == [3, 3]
    assert data.note == "passed over: hidden or system files and folders (7)"


def test_files_with_other_endings_are_counted_by_ending(tmp_path):
    plant(tmp_path, "a", "b")
    for number in range(12):
        (tmp_path / "a" / f"{number}.heic").write_bytes(b"")
    (tmp_path / "labels.csv").write_text("a,b")
    (tmp_path / "b" / "README").write_text("mine")
    (tmp_path / "b" / "odd.\x1b[31m").write_text("mine")
    picture(tmp_path / "loose.png")
    note = load(tmp_path).note
    for words in (
        "files ending in .heic (12)",
        "files ending in .csv (1)",
        "files without an ending (1)",
        r"files ending in .\x1b[31m (1)",
        "images outside of the class folders (1)",
    ):
        assert words in note
    only = tmp_path / "a" / "only"
    for name in ("x", "y"):
        (only / name).mkdir(parents=True)
        (only / name / "0.svg").write_text("<svg/>")
    with pytest.raises(UserError, match=r"0 folders with images.*files ending in .svg \(2\)"):
        load(only)


def test_the_list_of_what_is_passed_over_is_bounded(tmp_path):
    plant(tmp_path, "a", "b")
    for number in range(40):
        (tmp_path / "a" / f"0.e{number}").write_bytes(b"")
    note = load(tmp_path).note
    assert note.endswith("others (32)")
    assert len(note) < 400


# Links --------------------------------------------------------------------------------------------


def test_linked_folders_and_files_are_followed(tmp_path):
    plant(tmp_path / "disk", "cat", "dog", "more")
    root = tmp_path / "linked"
    plant(root, "cat")
    (root / "cat" / "batch").symlink_to(tmp_path / "disk" / "cat")
    (root / "cat" / "one.png").symlink_to(tmp_path / "disk" / "more" / "0.png")
    (root / "dog").symlink_to(tmp_path / "disk" / "dog")
    data = load(root)
    assert np.bincount(data.labels).tolist() == [5, 2]
    assert data.note == ""


def test_links_in_a_circle_or_to_nowhere_are_counted(tmp_path):
    plant(tmp_path, "cat", "dog")
    for name, target in (
        ("up", tmp_path),
        ("itself", tmp_path / "cat"),
        ("self", tmp_path / "cat" / "self"),
        ("gone", tmp_path / "nowhere"),
    ):
        (tmp_path / "cat" / name).symlink_to(target)
    (tmp_path / "whole").symlink_to(tmp_path)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert np.bincount(data.labels).tolist() == [2, 2]
    assert "links to a folder above or to one that was read already (3)" in data.note
    assert "links that lead nowhere (2)" in data.note


def test_folders_that_link_to_one_another_are_read_once(tmp_path):
    """Followed along every way, they would take for ever."""
    plant(tmp_path, "a", "b")
    for level in range(30):
        place = tmp_path / ".disk" / str(level)
        place.mkdir(parents=True)
        for name in ("left", "right"):
            (place / name).symlink_to(tmp_path / ".disk" / str(level + 1))
    plant(tmp_path / ".disk", "30")
    for name in ("a", "b"):
        (tmp_path / name / "down").symlink_to(tmp_path / ".disk" / "0")
    assert np.bincount(load(tmp_path).labels).tolist() == [4, 4]


# Names --------------------------------------------------------------------------------------------


def test_numbered_classes_are_in_natural_order(tmp_path):
    names = ["1", "2", "10", "class2", "class10", "v1.9", "v1.10"]
    plant(tmp_path, *names, count=1)
    assert load(tmp_path).classes == tuple(names)


def test_names_that_are_not_utf8_are_read_and_shown_escaped(tmp_path):
    plant(tmp_path / "latin", "bar")
    for name in (b"caf\xe9", b"two\nlines"):
        folder = os.path.join(os.fsencode(tmp_path / "latin"), name)
        os.mkdir(folder)
        with open(os.path.join(folder, b"\xe9.png"), "wb") as file:
            Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(file, "PNG")
    data = load(tmp_path / "latin")
    assert data.classes == ("bar", r"caf\udce9", r"two\nlines")
    assert data.images[2:].max() == 9


def test_accents_may_be_stored_apart_from_their_letters(tmp_path):
    plant(tmp_path / "train", "caf\u00e9", "bar")
    plant(tmp_path / "test", "cafe\u0301", "bar")
    data = load(tmp_path)
    assert data.classes == ("bar", "caf\u00e9")
    assert data.labels[data.test].tolist() == [0, 0, 1, 1]


def test_names_of_any_length_stay_apart(tmp_path):
    names = ["a" * 100 + letter + "a" * 150 for letter in "xy"]
    plant(tmp_path, *names)
    assert load(tmp_path).classes == tuple(names)


def test_a_root_whose_name_no_recipe_can_hold_is_one_line(tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/caf\xe9")
    with pytest.raises(UserError, match=r"caf\\udce9: the recipe of a run cannot hold"):
        load(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))


@pytest.mark.parametrize("path", ["x" * 5000, "~nobody-of-this-name/x", "a\x1b31m"])
def test_a_path_that_cannot_be_is_one_line(path):
    with pytest.raises(UserError, match="no such folder") as caught:
        load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_the_list_of_broken_files_shows_names_without_harm(tmp_path):
    plant(tmp_path, "a", "b")
    for number in range(50):
        (tmp_path / "a" / f"\x1b[2J{number}.png").write_bytes(b"no image")
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("50 of 54 images")
    assert lines[-1] == "  and 30 more"
    assert all(line.isprintable() for line in lines)


# Formats and odd files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending",
    ["ppm", "jfif", "jpe", "bmp", "webp", "tif", "tga", "JPG", "qoi", "jp2", "pcx", "sgi", "dib"],
)
def test_endings_of_colour_images_are_read(tmp_path, ending):
    plant(tmp_path, "a", "b", ending=ending)
    data = load(tmp_path)
    assert np.abs(data.images.astype(int).mean((1, 2, 3)) - [50, 50, 150, 150]).max() < 3
    assert data.note == ""


@pytest.mark.parametrize(("mode", "ending"), [("L", "pgm"), ("1", "pbm"), ("P", "gif")])
def test_grey_and_palette_images_have_the_same_colours_and_are_counted(tmp_path, mode, ending):
    for name in ("a", "b"):
        picture(tmp_path / name / f"0.{ending}", 255, side=8, mode=mode)
    data = load(tmp_path)
    assert (data.images == 255).all()
    assert data.note == "2 images were converted to RGB"


def test_sixteen_bit_grey_is_scaled_once_it_is_allowed(tmp_path):
    plant(tmp_path, "a", "b")
    picture(tmp_path / "a" / "x.png", 257 * 100 + 128, side=8, mode="I;16")
    with pytest.raises(UserError, match=r"1 of 5 images are not 8-bit RGB(.|\n)*mode I;16"):
        load(tmp_path)
    data = load(tmp_path, "side=8,broken=skip")
    assert (data.images[2] == 100).all()


def test_pipes_and_folders_in_a_class_folder_do_not_stop_the_others(tmp_path):
    plant(tmp_path, "a", "b")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    plant(tmp_path / "b", "folder.png")
    data = load(tmp_path, "side=8,broken=skip")
    assert np.bincount(data.labels).tolist() == [2, 4]
    assert "3 of 9 images could not be read and are left out" in data.note
    assert "pipes, sockets or devices (1)" in data.note
    with pytest.raises(UserError, match=r"pipe\.png: unreadable: .*is a pipe"):
        load(tmp_path)


def test_a_folder_without_a_readable_image_says_why(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"none of 2 images can be read:\n.*0\.png"):
        load(tmp_path, "broken=skip")


def test_images_that_fill_the_memory_are_refused_before_they_are_read(tmp_path):
    plant(tmp_path, "a", "b")
    for side in ("200000", "9" * 18):
        with pytest.raises(UserError, match=r"need more memory .* choose a smaller side"):
            load(tmp_path, f"side={side}")


# Tiny-ImageNet ------------------------------------------------------------------------------------


def plant_tiny(root):
    (root / "val").mkdir(parents=True)
    (root / "wnids.txt").write_text("n01\nn02\n")
    for label, name in enumerate(("n01", "n02")):
        picture(root / "train" / name / "images" / f"{name}_0.JPEG", 100 * label, side=64)


def test_a_val_part_that_was_sorted_into_classes_gives_the_same_data(tmp_path):
    found = {}
    for kind in ("given", "sorted", "sorted deeper"):
        root = tmp_path / kind / "tiny-imagenet-200"
        plant_tiny(root)
        for number in range(12):
            name = ("n01", "n02")[number % 2]
            folder = {"given": "images", "sorted": name, "sorted deeper": f"{name}/images"}[kind]
            picture(root / "val" / folder / f"val_{number}.JPEG", 10 * number, side=64)
        if kind != "sorted":
            lines = [f"val_{n}.JPEG\t{('n01', 'n02')[n % 2]}\t0\t0\t9\t9" for n in range(12)]
            (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
        with places(str(tmp_path / kind)):
            found[kind] = REGISTRY.resolve("datasets", "tiny-imagenet")()
    assert len({data.fingerprint for data in found.values()}) == 1
    assert len(found["sorted"].test) == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("val_0.JPEG\n", "val_annotations.txt cannot be read as lines"),
        ("val_0.JPEG\tn99\t0\n", "val_annotations.txt cannot be read as lines"),
        (None, "val_annotations.txt cannot be read as lines"),
    ],
)
def test_bad_annotations_are_one_line(tmp_path, text, words):
    root = tmp_path / "tiny-imagenet-200"
    plant_tiny(root)
    with places(str(tmp_path)), pytest.raises(UserError, match=r"no images in .*val"):
        REGISTRY.resolve("datasets", "tiny-imagenet")()
    picture(root / "val" / "images" / "val_0.JPEG", side=64)
    if text is not None:
        (root / "val" / "val_annotations.txt").write_text(text)
    with places(str(tmp_path)), pytest.raises(UserError, match=words):
        REGISTRY.resolve("datasets", "tiny-imagenet")()
