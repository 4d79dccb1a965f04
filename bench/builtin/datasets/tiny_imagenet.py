"""Tiny-ImageNet: 200 classes of ImageNet at 64 x 64; 100,000 images to train on, 10,000 to test.

Citation: Y. Le, X. Yang, Tiny ImageNet Visual Recognition Challenge, Stanford CS 231N, 2015.
Expected in the data folder as tiny-imagenet-200/{wnids.txt,words.txt,train/<id>/images/*.JPEG,
val/images/*.JPEG,val/val_annotations.txt}. Its val part has labels and is the test set here, as in
the PGU paper; the part called test has none. About 2 % of the images are grey and are converted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.config.folders import data_home, scratch
from bench.data.decoding import drop_unreadable, load_centres
from bench.errors import UserError
from bench.plugins.dataset import Data

VERSION = 1
NAME = "tiny-imagenet"
SIDE = 64


def tiny_imagenet() -> Data:
    root = data_home() / "tiny-imagenet-200"
    if not (root / "wnids.txt").is_file():
        raise UserError(
            f"tiny-imagenet: no {root / 'wnids.txt'}: unpack tiny-imagenet-200.zip into the data "
            "folder, or name that folder with --data-dir"
        )
    ids = (root / "wnids.txt").read_text().split()
    train = [(str(p), label) for label, i in enumerate(ids) for p in _images(root / "train" / i)]
    number = {name: label for label, name in enumerate(ids)}
    lines = (root / "val" / "val_annotations.txt").read_text().splitlines()
    test = [
        (str(root / "val" / "images" / file), number[name])
        for file, name, *_box in (line.split("\t") for line in sorted(lines))
    ]
    paths, labels = zip(*train, *test, strict=True)
    pixels, faults = load_centres(paths, SIDE, scratch())
    kept, note = drop_unreadable(paths, faults, "skip")
    return Data(
        name="tiny-imagenet",
        images=pixels[kept] if len(kept) < len(paths) else pixels,
        labels=np.array(labels, dtype=np.int64)[kept],
        classes=tuple(ids),
        test=np.flatnonzero(kept >= len(train)),
        note=note,
    )


def _images(folder: Path) -> list[Path]:
    images = sorted(folder.rglob("*.JPEG"))
    if not images:
        raise UserError(f"tiny-imagenet: no images in {folder}")
    return images
