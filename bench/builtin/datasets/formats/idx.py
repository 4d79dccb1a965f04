"""MNIST's file format (IDX), compressed or not, which other data sets share.

ROOT/<Name>/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz], as torchvision lays them out.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from bench.config.folders import data_home, download, may_download
from bench.errors import UserError
from bench.plugins.dataset import Data

PARTS = ("train", "t10k")
UNSIGNED = 0x08


def read_set(name: str, folder: str, classes: tuple[str, ...]) -> Data:
    """Read a data set from ``folder`` in the data folder; download it if the user said so."""
    raw = data_home() / folder / "raw"
    if may_download() and not all(_found(raw / f"{part}-images-idx3-ubyte") for part in PARTS):
        download(folder)
    images = [_read(raw / f"{part}-images-idx3-ubyte", 3, name) for part in PARTS]
    labels = [_read(raw / f"{part}-labels-idx1-ubyte", 1, name) for part in PARTS]
    return Data(
        name=name,
        images=np.concatenate(images)[..., None],
        labels=np.concatenate(labels).astype(np.int64),
        classes=classes,
        test=np.arange(len(labels[0]), len(labels[0]) + len(labels[1])),
    )


def _found(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return next((place for place in (path, packed) if place.is_file()), None)


def _read(path: Path, dimensions: int, name: str) -> np.ndarray:
    """One file of unsigned bytes with so many dimensions; raises UserError if it is not one."""
    place = _found(path)
    if place is None:
        raise UserError(
            f"{name}: no {path} or {path.name}.gz: put torchvision's files there, name the data "
            "folder with --data-dir, or add --download"
        )
    try:
        content = (
            gzip.decompress(place.read_bytes()) if place.suffix == ".gz" else place.read_bytes()
        )
        kind, ndim = struct.unpack(">xxBB", content[:4])
        shape = struct.unpack(f">{ndim}I", content[4 : 4 + 4 * ndim])
        if (kind, ndim) != (UNSIGNED, dimensions):
            raise ValueError(f"expected bytes in {dimensions} dimensions")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * ndim).reshape(shape).copy()
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise UserError(f"{name}: {place} is damaged: {error}") from error
