"""Your own data: a .npz file with x_train, y_train, x_test, y_test.

Images are uint8, NHWC or NHW; rows of a table are float, [n, features]. Optional: class_names;
lossy_train and lossy_test, indices of images that are not the originals. Every report mentions how
many those are, and which other arrays of the file are not used. The file is read without pickle: an
archive that holds objects is refused.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from bench.errors import UserError
from bench.plugins.dataset import Data

VERSION = 1
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("class_names", "lossy_train", "lossy_test")


def npz(path: str) -> Data:
    arrays = _read(Path(path).expanduser())
    read = _rows if arrays["x_train"].dtype.kind == "f" else _images
    train, test = (read(path, name, arrays[name]) for name in ("x_train", "x_test"))
    if not len(train):
        raise UserError(f"npz:{path}: x_train is empty")
    if train.shape[1:] != test.shape[1:]:
        shapes = f"{train.shape[1:]} and {test.shape[1:]}"
        raise UserError(f"npz:{path}: images of x_train and x_test differ in shape: {shapes}")
    images = np.concatenate([train, test])
    labels = np.concatenate([_labels(path, name, arrays[name]) for name in ("y_train", "y_test")])
    for part in ("train", "test"):
        count, named = len(arrays[f"x_{part}"]), len(arrays[f"y_{part}"])
        if count != named:
            raise UserError(f"npz:{path}: x_{part} has {count} images but y_{part} {named} labels")
    if len(labels) == 0 or labels.min() < 0:
        raise UserError(f"npz:{path}: labels must be 0, 1, 2, ... and there must be some")
    first_test = len(arrays["x_train"])
    seen = np.unique(labels[:first_test])
    # Without a list of all numbers up to the largest label: a label may be a billion.
    unseen = next((n for n, label in enumerate(seen) if n != label), len(seen))
    names = arrays.get("class_names", range(unseen))
    if unseen < max(len(names), labels.max() + 1):
        raise UserError(
            f"npz:{path}: label {unseen} has no training image; labels count from 0, and the "
            f"largest is {labels.max()}"
        )
    classes = [str(name) for name in names]
    return Data(
        name=Path(path).stem,
        images=images,
        labels=labels,
        classes=tuple(classes),
        test=np.arange(first_test, len(images)),
        scale=255.0 if read is _images else None,
        note=_note(arrays, len(images)),
    )


def _note(arrays: dict[str, np.ndarray], total: int) -> str:
    lossy = sum(len(arrays.get(name, ())) for name in ("lossy_train", "lossy_test"))
    others = [name for name in arrays if name not in ARRAYS + OPTIONAL]
    notes = [f"{lossy} of {total} images are lossy copies of the originals"] if lossy else []
    if others:
        notes.append(
            f"{', '.join(others)} of the file are not used; validation is drawn of x_train"
        )
    return "; ".join(notes)


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise UserError(f"npz:{path}: no such file; expected a .npz with {', '.join(ARRAYS)}")
    if not zipfile.is_zipfile(path):
        raise UserError(f"npz:{path}: not a .npz archive; write one with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive.files]
            if missing:
                holds = ", ".join(archive.files) or "nothing"
                raise UserError(f"npz:{path}: lacks {', '.join(missing)}; it holds {holds}")
            used = {name: archive[name] for name in ARRAYS + OPTIONAL if name in archive.files}
            return used | {name: np.empty(0) for name in archive.files if name not in used}
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"npz:{path}: holds pickled objects, which are never loaded; "
                "save plain uint8 and integer arrays"
            ) from error
        raise UserError(f"npz:{path}: damaged ({error})") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"npz:{path}: damaged ({error})") from error


def _images(path: str, name: str, images: np.ndarray) -> np.ndarray:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise UserError(
            f"npz:{path}: {name} is {images.dtype} {images.shape}; "
            "allowed: uint8 [n, height, width] or [n, height, width, channels], "
            "or a table, float [n, features]"
        )
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] > 4:
        raise UserError(f"npz:{path}: {name} is {images.shape}: channels come last (NHWC)")
    return images if images.ndim == 4 else images[..., None]


def _rows(path: str, name: str, rows: np.ndarray) -> np.ndarray:
    if rows.dtype.kind != "f" or rows.ndim != 2:
        raise UserError(
            f"npz:{path}: {name} is {rows.dtype} {rows.shape}; allowed: a table, float "
            "[n, features], or images, uint8 [n, height, width, channels]"
        )
    return rows.astype(np.float32)[:, None, None, :]


def _labels(path: str, name: str, labels: np.ndarray) -> np.ndarray:
    if not np.issubdtype(labels.dtype, np.integer) or labels.squeeze().ndim > 1:
        raise UserError(
            f"npz:{path}: {name} is {labels.dtype} {labels.shape}; allowed: one integer an image"
        )
    return labels.reshape(-1).astype(np.int64)
