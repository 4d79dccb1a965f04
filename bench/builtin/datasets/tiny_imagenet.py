"""Tiny-ImageNet: 200 classes of ImageNet at 64 x 64; 100,000 images to train on, 10,000 to test.

Citation: Y. Le, X. Yang, Tiny ImageNet Visual Recognition Challenge, Stanford CS 231N, 2015.
Expected in the data folder as tiny-imagenet-200/{wnids.txt,words.txt,train/<id>/images/*.JPEG,
val/images/*.JPEG,val/val_annotations.txt}, or val sorted into val/<id>/ as well. Its val part has
labels and is the test set here, as in the PGU paper; the part called test has none. About 2 % of
the images are grey and are converted.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bench.config.folders import data_home, scratch
from bench.data.decoding import load_centres
from bench.data.faults import drop_unreadable
from bench.data.image_tree import PassedOver, find_images, look
from bench.errors import UserError
from bench.outside import reading, shown
from bench.plugins.dataset import Data

VERSION = 2
NAME = "tiny-imagenet"
SIDE = 64


def tiny_imagenet() -> Data:
    root = data_home() / "tiny-imagenet-200"
    if not (root / "wnids.txt").is_file():
        raise UserError(
            f"tiny-imagenet: no {shown(root / 'wnids.txt')}: unpack tiny-imagenet-200.zip into the "
            "data folder, or name that folder with --data-dir"
        )
    with reading(root / "wnids.txt", "a list of classes"):
        ids = (root / "wnids.txt").read_text(encoding="utf-8-sig").split()
    passed = PassedOver()
    train = [(p, label) for label, i in enumerate(ids) for p in _images(root / "train" / i, passed)]
    test = _validation(root / "val", {name: label for label, name in enumerate(ids)}, passed)
    paths, labels = zip(*train, *test, strict=True)
    pixels, faults = load_centres(paths, SIDE, scratch())
    kept, note = drop_unreadable(paths, faults, "skip")
    return Data(
        name="tiny-imagenet",
        images=pixels[kept] if len(kept) < len(paths) else pixels,
        labels=np.array(labels, dtype=np.int64)[kept],
        classes=tuple(ids),
        test=np.flatnonzero(kept >= len(train)),
        note="; ".join(filter(None, [note, passed.note])),
    )


def _images(folder: Path, passed: PassedOver) -> list[str]:
    images = find_images(folder, passed)
    if not images:
        raise UserError(f"tiny-imagenet: no images in {shown(folder)}")
    return images


def _validation(folder: Path, number: dict[str, int], passed: PassedOver) -> list[tuple[str, int]]:
    """The images of val with their labels, in the order of their names, sorted by class or not."""
    unsorted = look(folder / "images", passed)[1] if (folder / "images").is_dir() else []
    annotated = _annotated(folder, number) if unsorted else {}
    passed["images without an annotation"] += len(set(unsorted) - set(annotated))
    labelled = {str(folder / "images" / name): label for name, label in annotated.items()}
    for name, label in number.items():
        if (folder / name).is_dir():
            labelled |= dict.fromkeys(find_images(folder / name, passed), label)
    if not labelled:
        raise UserError(
            f"tiny-imagenet: no images in {shown(folder)}: expected images/*.JPEG with "
            "val_annotations.txt beside it, or a folder of images for each class"
        )
    return sorted(labelled.items(), key=lambda item: (os.path.basename(item[0]), item[0]))


def _annotated(folder: Path, number: dict[str, int]) -> dict[str, int]:
    """The label of each file that val_annotations.txt names."""
    file, labels = folder / "val_annotations.txt", {}
    with reading(file, "lines of a file name and a class"):
        for line in filter(str.strip, file.read_text(encoding="utf-8-sig").splitlines()):
            name, wnid, *_box = line.split("\t")
            labels[name] = number[wnid]
    return labels
