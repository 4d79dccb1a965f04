"""A tree of images in TrueFake's layout as a data set."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from bench.builtin.datasets.formats.truefake import (
    LAYOUT,
    assign_parts,
    draw_split,
    list_images,
    read_split,
)
from bench.config.folders import scratch
from bench.data.decoding import find_faults, load_centres
from bench.data.faults import Faults, drop_unreadable
from bench.data.file_state import kept_digests
from bench.data.image_files import ImageFiles
from bench.data.image_tree import PassedOver
from bench.errors import UserError
from bench.outside import shown, user_path
from bench.plugins.dataset import Data

CLASSES = ("real", "fake")
IN_MEMORY = 4e9  # bytes of pixels


def read_tree(
    name: str,
    root: Path,
    shares: list[str],
    real: list[str],
    fake: list[str],
    side: int,
    splits: str | None,
    broken: str,
    memory: str = "keep",
) -> Data:
    """A tree in TrueFake's layout as a data set; ``truefake-mini`` uses this too."""
    passed = PassedOver()
    images = list_images(root, shares, real, fake, passed)
    split = read_split(user_path(splits) if splits else root)
    if splits and split is None:
        raise UserError(
            f"{shown(splits)} holds no split: split.json, or train.json, val.json, test.json"
        )
    if split is None and len(shares) > 1:
        split = draw_split(images)
    positions: dict[str, np.ndarray] = {}
    absent = 0
    if split is not None:
        images, positions, absent = assign_parts(images, split)
    if len({image.fake for image in images}) < 2:
        raise UserError(
            f"{shown(root)}: no images of both kinds in the chosen folders; expected {LAYOUT}"
        )
    paths = [image.path for image in images]
    pixels, faults = _load(paths, side, memory)
    kept, note = drop_unreadable(paths, faults, broken, strict=True)
    if len(kept) < len(images):
        pixels, moved = pixels[kept], np.full(len(images), -1)
        moved[kept] = np.arange(len(kept))
        positions = {part: moved[at][moved[at] >= 0] for part, at in positions.items()}
    missing = f"{absent} entries of the split are not on disk" if absent else ""
    return Data(
        name=name,
        images=pixels,
        labels=np.array([images[place].fake for place in kept], dtype=np.int64),
        classes=CLASSES,
        validation=positions.get("val"),
        test=positions.get("test"),
        note="; ".join(filter(None, [note, missing, passed.note])),
        groups=np.array([images[place].source for place in kept]),
    )


def _load(paths: list[str], side: int, memory: str) -> tuple[np.ndarray | ImageFiles, Faults]:
    """The images, in memory or to be decoded on demand, and what is wrong with some files."""
    if memory == "demand" or (memory == "auto" and len(paths) * side**2 * 3 > IN_MEMORY):
        place = scratch()
        files = ImageFiles(paths, side, partial(kept_digests, scratch=place) if place else None)
        return files, find_faults(files, place)
    return load_centres(paths, side, scratch())
