"""Your own images: a folder for each class, as torchvision's ImageFolder has it.

PATH/<class>/**/<image>, or PATH/train/<class>/... with PATH/test/<class>/..., PATH/val/<class>/...
or both. A part without a folder is drawn from the training images. Classes are the names of the
folders in sorted order. Each image is resized so that its shorter side has ``side`` pixels, and
cropped to the centre. ``broken``: ``stop`` and list the files that cannot be read or are not 8-bit
RGB, or ``skip`` those that cannot be read and convert the others.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from bench.config.folders import scratch
from bench.config.limits import Count
from bench.data.decoding import drop_unreadable, load_centres
from bench.errors import UserError
from bench.outside import user_path
from bench.plugins.dataset import Data

VERSION = 1
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"}
PARTS = ("train", "val", "test")


def folder(path: str, *, side: Count = 32, broken: Literal["stop", "skip"] = "stop") -> Data:
    root = user_path(path)
    if not root.is_dir():
        raise UserError(f"folder:{path}: no such folder; expected a folder for each class")
    parts = _parts(root)
    classes = _folders(parts["train"])
    if len(classes) < 2:
        raise UserError(
            f"folder:{path}: {len(classes)} folders with images: expected {path}/<class>/<image> "
            "with at least two classes"
        )
    paths, labels, of_part = [], [], []
    for part, place in parts.items():
        unknown = set(_folders(place)) - set(classes)
        if unknown:
            raise UserError(f"folder:{path}: {part} has a class '{min(unknown)}' without training")
        for label, name in enumerate(classes):
            files = _images(place / name)
            paths += files
            labels += [label] * len(files)
            of_part += [part] * len(files)
    pixels, faults = load_centres(paths, side, scratch(), scale=True)
    kept, note = drop_unreadable(paths, faults, broken)
    of_part = np.array(of_part)[kept]
    positions = {part: np.flatnonzero(of_part == part) for part in PARTS}
    return Data(
        name=root.resolve().name,
        images=pixels[kept],
        labels=np.array(labels, dtype=np.int64)[kept],
        classes=tuple(classes),
        validation=positions["val"] if "val" in parts else None,
        test=positions["test"] if "test" in parts else None,
        note=note,
    )


def _parts(root: Path) -> dict[str, Path]:
    """The folders of train, val and test; a folder without ``train`` is all for training."""
    if not (root / "train").is_dir():
        return {"train": root}
    names = {"train": ["train"], "val": ["val", "valid", "validation"], "test": ["test"]}
    return {part: root / name for part in PARTS for name in names[part] if (root / name).is_dir()}


def _folders(place: Path) -> list[str]:
    folders = [path for path in sorted(place.iterdir()) if path.is_dir()]
    return [path.name for path in folders if not path.name.startswith(".") and _images(path)]


def _images(place: Path) -> list[str]:
    return sorted(
        os.path.join(inside, name)
        for inside, _folders, names in os.walk(place)
        for name in names
        if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")
    )
