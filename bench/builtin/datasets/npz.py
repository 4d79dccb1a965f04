"""Your own data: a .npz file with x_train, y_train, x_test, y_test.

Images are uint8, NHWC or NHW; rows of a table are float, [n, features]. Optional: class_names;
lossy_train and lossy_test, indices of images that are not the originals. Every report mentions how
many those are, and which other arrays of the file are not used. The file is read without pickle: an
archive that holds objects is refused.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from bench.builtin.datasets.formats.labels import class_names, whole_numbers
from bench.builtin.datasets.formats.table import as_rows, check_columns, is_table
from bench.errors import UserError
from bench.outside import reading, shown, shown_list, user_path
from bench.plugins.dataset import Data
from bench.storage.archives import array_names, read_arrays

VERSION = 1
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("class_names", "lossy_train", "lossy_test")


def npz(path: str) -> Data:
    file = user_path(path)
    with reading(file, "a .npz archive"):
        try:
            return _data(file.stem, *_read(file))
        except UserError as error:
            raise UserError(f"npz:{shown(path)}: {error}") from error


def _data(name: str, arrays: dict[str, np.ndarray], others: list[str]) -> Data:
    table = is_table(arrays["x_train"])
    read = as_rows if table else _images
    train, test = (read(part, arrays[part]) for part in ("x_train", "x_test"))
    if not len(train):
        raise UserError("x_train is empty")
    if train.shape[1:] != test.shape[1:]:
        shapes = f"{train.shape[1:]} and {test.shape[1:]}"
        raise UserError(f"images of x_train and x_test differ in shape: {shapes}")
    labels = {part: whole_numbers(f"y_{part}", arrays[f"y_{part}"]) for part in ("train", "test")}
    for part, images in (("train", train), ("test", test)):
        count, named = len(images), len(labels[part])
        if count != named:
            raise UserError(f"x_{part} has {count} images but y_{part} {named} labels")
    constant = check_columns(train, test) if table else ""
    classes = class_names(labels["train"], labels["test"], arrays.get("class_names"))
    images = np.concatenate([train, test])
    if table:
        images = images.astype(np.float32)[:, None, None, :]
    return Data(
        name=name,
        images=images,
        labels=np.concatenate([labels["train"], labels["test"]]),
        classes=classes,
        test=np.arange(len(train), len(images)),
        scale=None if table else 255.0,
        note=_note(arrays, others, len(images), constant),
    )


def _note(arrays: dict[str, np.ndarray], others: list[str], total: int, constant: str) -> str:
    lossy = sum(arrays[name].size for name in ("lossy_train", "lossy_test") if name in arrays)
    notes = [f"{lossy} of {total} images are lossy copies of the originals"] if lossy else []
    if others:
        notes.append(
            f"{shown_list(others)} of the file are not used; validation is drawn of x_train"
        )
    return "; ".join(filter(None, [*notes, constant]))


def _read(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays that are used, and the names of the others."""
    if not os.path.isfile(path):
        raise UserError(f"no such file; expected a .npz with {', '.join(ARRAYS)}")
    if not zipfile.is_zipfile(path):
        raise UserError("not a .npz archive; write one with numpy.savez")
    with zipfile.ZipFile(path) as archive:
        names = array_names(archive)
        missing = [name for name in ARRAYS if name not in names]
        if missing:
            holds = shown_list(names) or "nothing"
            raise UserError(f"lacks {', '.join(missing)}; it holds {holds}")
        arrays = read_arrays(archive, os.path.getsize(path), ARRAYS + OPTIONAL)
    return arrays, [name for name in names if name not in arrays]


def _images(name: str, images: np.ndarray) -> np.ndarray:
    """Images as uint8 [n, height, width, channels]."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise UserError(
            f"{name} is {images.dtype} {images.shape}; "
            "allowed: uint8 [n, height, width] or [n, height, width, channels], "
            "or a table, float [n, features]"
        )
    if images.ndim == 4 and images.shape[1] <= 4 < images.shape[3]:
        raise UserError(
            f"{name} is {images.shape}: channels come last (NHWC); "
            f"save {name}.transpose(0, 2, 3, 1)"
        )
    return images if images.ndim == 4 else images[..., None]
