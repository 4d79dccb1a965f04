"""MNIST's file format (IDX), compressed or not, which other data sets share.

ROOT/<Name>/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz], as torchvision lays them out.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
from pathlib import Path
from typing import IO

import numpy as np

from bench.config.folders import data_home, download, may_download
from bench.errors import UserError
from bench.outside import reading, shown
from bench.plugins.dataset import Data
from bench.storage.archives import refuse_bomb

PARTS = ("train", "t10k")
UNSIGNED = 0x08


def read_set(name: str, folder: str, classes: tuple[str, ...]) -> Data:
    """Read a data set from ``folder`` in the data folder; download it if the user said so."""
    raw = data_home() / folder / "raw"
    if may_download() and not all(_found(raw / f"{part}-images-idx3-ubyte") for part in PARTS):
        download(folder)
    images = [_read(raw / f"{part}-images-idx3-ubyte", 3, name) for part in PARTS]
    labels = [_read(raw / f"{part}-labels-idx1-ubyte", 1, name) for part in PARTS]
    for part, pixels, numbers in zip(PARTS, images, labels, strict=True):
        if len(pixels) != len(numbers):
            raise UserError(f"{name}: {part} has {len(pixels)} images but {len(numbers)} labels")
    if images[0].shape[1:] != images[1].shape[1:]:
        raise UserError(f"{name}: images of train and t10k differ in shape")
    return Data(
        name=name,
        images=np.concatenate(images)[..., None],
        labels=np.concatenate(labels).astype(np.int64),
        classes=classes,
        test=np.arange(len(labels[0]), len(labels[0]) + len(labels[1])),
    )


def _found(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((place for place in (path, packed) if os.path.exists(place)), None)


def _read(path: Path, dimensions: int, name: str) -> np.ndarray:
    """One file of unsigned bytes with so many dimensions; raises UserError if it is not one."""
    place = _found(path)
    if place is None:
        raise UserError(
            f"{name}: no {shown(path)} or {path.name}.gz: put torchvision's files there, name the "
            "data folder with --data-dir, or add --download"
        )
    with reading(place, f"a file of {name}"), _open(place) as file:
        kind, ndim = struct.unpack(">xxBB", file.read(4))
        if (kind, ndim) != (UNSIGNED, dimensions):
            raise ValueError(f"expected bytes in {dimensions} dimensions")
        shape = struct.unpack(f">{ndim}I", file.read(4 * ndim))
        claimed = math.prod(shape)
        refuse_bomb(place, place.stat().st_size, claimed)
        content = file.read(claimed + 1)
        if len(content) != claimed:
            more = "more" if len(content) > claimed else f"{len(content):,}"
            raise ValueError(f"its header says {shape}, {claimed:,} bytes, but {more} follow")
        return np.frombuffer(content, np.uint8).reshape(shape).copy()


def _open(place: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(place) if place.suffix == ".gz" else place.open("rb")
