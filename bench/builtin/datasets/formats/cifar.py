"""CIFAR's own files: pickled dictionaries of arrays, read without executing anything.

ROOT/cifar-10-batches-py/{data_batch_1..5,test_batch,batches.meta} and ROOT/cifar-100-python/{train,
test,meta}, as its authors and torchvision lay them out. A pickle can name any function; here only
the few that make up numpy arrays are known, and anything else is refused.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from bench.config.folders import data_home, download, may_download
from bench.errors import UserError
from bench.plugins.dataset import Data

ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numpy arrays and plain values, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"names {module}.{name}, which no array needs")
        return super().find_class(module, name)


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
    train, test = ([_read(name, root / file) for file in parts[p]] for p in ("train", "test"))
    batches = [*train, *test]
    images = np.concatenate([np.asarray(batch[b"data"], np.uint8) for batch in batches])
    first_test = sum(len(batch[b"data"]) for batch in train)
    names = _read(name, root / meta[0])[meta[1].encode()]
    return Data(
        name=name,
        images=images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(),
        labels=np.concatenate([np.asarray(b[labels.encode()], np.int64) for b in batches]),
        classes=tuple(text.decode() for text in names),
        test=np.arange(first_test, len(images)),
    )


def _read(name: str, path: Path) -> dict[bytes, Any]:
    if not path.is_file():
        raise UserError(
            f"{name}: no {path}: unpack the archive of its authors into the data folder, name that "
            "folder with --data-dir, or add --download"
        )
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file, encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
        raise UserError(f"{name}: {path} is not one of its files: {error}") from error
