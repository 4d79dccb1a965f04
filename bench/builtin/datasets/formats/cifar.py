"""CIFAR's own files: pickled dictionaries of arrays, read without executing anything.

ROOT/cifar-10-batches-py/{data_batch_1..5,test_batch,batches.meta} and ROOT/cifar-100-python/{train,
test,meta}, as its authors and torchvision lay them out, or pickled anew by any Python.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from bench.builtin.datasets.formats.plain_pickle import load_plain
from bench.config.folders import data_home, download, may_download
from bench.errors import UserError
from bench.outside import reading, shown, shown_list
from bench.plugins.dataset import Data


def read_set(
    name: str, folder: str, parts: dict[str, list[str]], meta: tuple[str, str], labels: str
) -> Data:
    """Read a data set in CIFAR's format.

    Parameters
    ----------
    name
        The data set's name in messages, and in torchvision once it is in capitals.
    folder
        Its folder in the data folder.
    parts
        The files of train and test.
    meta
        The file and the key of the class names.
    labels
        The key of the labels.
    """
    root = data_home() / folder
    if may_download() and not root.is_dir():
        download(name.upper())
    train, test = (
        [_batch(name, root / file, labels) for file in parts[part]] for part in ("train", "test")
    )
    images = np.concatenate([pixels for pixels, _labels in (*train, *test)])
    first_test = sum(len(pixels) for pixels, _labels in train)
    return Data(
        name=name,
        images=images.transpose(0, 2, 3, 1).copy(),
        labels=np.concatenate([numbers for _pixels, numbers in (*train, *test)]),
        classes=_names(name, root / meta[0], meta[1]),
        test=np.arange(first_test, len(images)),
    )


def _batch(name: str, path: Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of one file, uint8 [n, 3, 32, 32], and their labels, int64 [n]."""
    with _reading(name, path):
        content = _load(path, "data", key)
        pixels, labels = content["data"], content[key]
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            raise ValueError("data is not an array of bytes (uint8)")
        pixels = pixels.reshape(-1, 3, 32, 32)
        if not isinstance(labels, list | np.ndarray) or not all(_is_whole(x) for x in labels):
            raise ValueError(f"{key} is not a list of whole numbers")
        if len(labels) != len(pixels):
            raise ValueError(f"{len(pixels)} images but {len(labels)} {key}")
        return pixels, np.array(labels, np.int64)


def _names(name: str, path: Path, key: str) -> tuple[str, ...]:
    with _reading(name, path):
        names = _load(path, key)[key]
        if not isinstance(names, list) or not all(isinstance(n, str | bytes) for n in names):
            raise ValueError(f"{key} is not a list of texts")
        return tuple(n.decode() if isinstance(n, bytes) else n for n in names)


def _is_whole(label: object) -> bool:
    return isinstance(label, int | np.integer) and not isinstance(label, bool)


def _load(path: Path, *keys: str) -> dict[str, Any]:
    content = load_plain(path.read_bytes())
    for key in keys:
        if key not in content:
            raise ValueError(f"it lacks {key}; it holds {shown_list(content)}")
    return content


def _reading(name: str, path: Path) -> AbstractContextManager[None]:
    """Read one file; raises UserError that says what is wrong with it, or where to get it."""
    if not os.path.exists(path):
        raise UserError(
            f"{name}: no {shown(path)}: unpack the archive of its authors into the data folder, "
            "name that folder with --data-dir, or add --download"
        )
    return reading(path, f"a file of {name}")
