"""Your own images: a folder for each class, as torchvision's ImageFolder has it.

PATH/<class>/**/<image>, or PATH/train/<class>/... with PATH/test/<class>/..., PATH/val/<class>/...
or both. The parts may be spelled as people do (Train, training, valid, Validation, Testing, ...). A
part without a folder, or whose folder holds images without classes, is drawn from the training
images. Classes are the names of the folders, 2 before 10. Linked folders are followed; files that
are hidden, left by the system, or no images are passed over and counted. Each image is held
upright, resized so that its shorter side has ``side`` pixels, and cropped to the centre.
``broken``: ``stop`` and list the images that cannot be read or whose colours would change in 8-bit
RGB, or ``skip`` those that cannot be read and convert the others: 16-bit grey is scaled by 1/257,
transparent pixels are laid on white.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np

from bench.config.folders import scratch
from bench.config.limits import Count
from bench.data.decoding import load_centres
from bench.data.faults import drop_unreadable
from bench.data.image_tree import PassedOver, find_images, look
from bench.errors import UserError
from bench.outside import shown
from bench.plugins.dataset import Data

VERSION = 2
WORDS = {
    "train": {"train", "training"},
    "val": {"val", "valid", "validate", "validation"},
    "test": {"test", "testing"},
}
PARTS = tuple(WORDS)
FILLERS = r"(set|data|images)(?![a-z])"  # as in trainset or test_images
LOOSE = "images outside of the class folders"
Images = dict[str, list[str]]  # the paths of the images of each class


def folder(path: str, *, side: Count = 32, broken: Literal["stop", "skip"] = "stop") -> Data:
    root, passed = _root(path), PassedOver()
    parts, notes = _labelled(path, _parts(path, root, passed), passed)
    paths, labels, of_part = [], [], []
    for part, images in parts.items():
        for label, name in enumerate(parts["train"]):
            files = images.get(name, [])
            paths += files
            labels += [label] * len(files)
            of_part += [part] * len(files)
    pixels, faults = load_centres(paths, side, scratch(), scale=True)
    kept, note = drop_unreadable(paths, faults, broken)
    of_part = np.array(of_part)[kept]
    positions = {part: np.flatnonzero(of_part == part) for part in PARTS}
    return Data(
        name=root.resolve().name or "images",
        images=pixels[kept],
        labels=np.array(labels, dtype=np.int64)[kept],
        classes=tuple(parts["train"]),
        validation=positions["val"] if "val" in parts else None,
        test=positions["test"] if "test" in parts else None,
        note="; ".join(filter(None, [note, *notes, passed.note])),
    )


def _root(path: str) -> Path:
    root = os.path.expanduser(path)
    if not os.path.isdir(root):  # unlike pathlib, this raises nothing for an odd path
        raise UserError(f"folder:{shown(path)}: no such folder; expected a folder for each class")
    if re.search("[\ud800-\udfff]", path):
        raise UserError(
            f"folder:{shown(path)}: the recipe of a run cannot hold a path that is not UTF-8: "
            "rename the folder, or name a link to it"
        )
    return Path(root)


def _parts(path: str, root: Path, passed: PassedOver) -> dict[str, Path]:
    """The folders of train, val and test; a folder without such folders is all for training."""
    names = look(root, PassedOver())[0]
    spelled = _spelled(names)
    others = [name for name in names if not any(name in group for group in spelled.values())]
    if not _are_parts(root, spelled, others):
        return {"train": root}
    parts: dict[str, Path] = {}
    for part, group in spelled.items():
        filled = [name for name in group if find_images(root / name, PassedOver())]
        if len(filled) > 1:
            raise UserError(
                f"folder:{shown(path)}: {shown(' and '.join(filled))} both look like the {part} "
                "part: rename or remove all but one"
            )
        if group:
            parts[part] = root / (filled or group)[0]
    if "train" not in parts:
        raise UserError(
            f"folder:{shown(path)}: there is {' and '.join(parts)} but no training part: expected "
            f"{shown(path)}/train/<class>/<image> beside it"
        )
    passed[LOOSE] += len(look(root, passed)[1])
    for name in others:
        passed[f"images in {shown(name, 40)}"] += len(find_images(root / name, passed))
    return parts


def _spelled(names: list[str]) -> dict[str, list[str]]:
    """The names that are spelled like each part: Train or training_set, else seg_train."""
    words = {name: re.findall("[a-z]+", re.sub(FILLERS, "", name.lower())) for name in names}
    exact: dict[str, list[str]] = {part: [] for part in PARTS}
    close: dict[str, list[str]] = {part: [] for part in PARTS}
    for name in names:
        part = next((part for part in PARTS if WORDS[part] & set(words[name])), None)
        if part:
            close[part].append(name)
        if part and len(words[name]) == 1:
            exact[part].append(name)
    is_close = not exact["train"] and close["train"] and (close["val"] or close["test"])
    return close if is_close else exact


def _are_parts(root: Path, spelled: dict[str, list[str]], others: list[str]) -> bool:
    """Whether folders that are spelled like parts are parts: a class may be called train, too."""
    if any(look(root / name, PassedOver())[0] for name in spelled["train"]):
        return True
    found = any(spelled.values())
    return found and not any(find_images(root / name, PassedOver()) for name in others)


def _labelled(
    path: str, places: dict[str, Path], passed: PassedOver
) -> tuple[dict[str, Images], list[str]]:
    """The images of each part that has labels, the classes in natural order; and notes."""
    parts, notes, classes = {}, [], set()
    for part, place in places.items():
        images, loose = _classes(place, passed)
        if part == "train":
            _refuse_too_few(path, place, images, loose, passed)
            classes = set(images)
        unknown = sorted(set(images) - classes)
        if not images or (unknown and len(images) == 1):
            count = loose + sum(map(len, images.values()))
            full = {"val": "validation"}.get(part, part)
            notes.append(
                f"{shown(place.name)} holds {count} images without a class, "
                f"so the {full} set is drawn from the training images"
            )
            continue
        if unknown:
            raise UserError(
                f"folder:{shown(path)}: {part} has a class '{shown(unknown[0])}' without training"
            )
        passed[LOOSE] += loose
        parts[part] = images
    return parts, notes


def _classes(place: Path, passed: PassedOver) -> tuple[Images, int]:
    """The images of each class folder that has some, and how many are in none."""
    names, loose = look(place, passed)
    images: Images = {}
    for name in names:
        if files := find_images(place / name, passed):
            # Some systems store an accent apart from its letter: train and test shall agree.
            images.setdefault(unicodedata.normalize("NFC", name), []).extend(files)
    return images, len(loose)


def _refuse_too_few(path: str, place: Path, images: Images, loose: int, passed: PassedOver) -> None:
    if len(images) > 1:
        return
    passed[LOOSE] += loose
    hint = f" (are the classes in {shown(place / min(images))}?)" if images else ""
    raise UserError(
        f"folder:{shown(path)}: {len(images)} folders with images in {shown(place)}: expected "
        f"{shown(place)}/<class>/<image> with at least two classes{hint}"
        + (f"; {passed.note}" if passed.note else "")
    )
