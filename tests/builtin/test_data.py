"""Data sets: digits, and npz files that users bring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.builtin.datasets.digits import digits
from bench.builtin.datasets.npz import npz
from bench.errors import UserError
from bench.plugins.dataset import Data

X = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
Y = np.arange(12) % 3
GOOD = {"x_train": X, "y_train": Y, "x_test": X[:6], "y_test": Y[:6]}


def save(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return str(path)


def test_digits_are_the_real_ones():
    data = digits()
    assert data.images.shape == (1797, 8, 8, 1)
    assert data.images.max() == data.scale == 16
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_an_npz_keeps_its_test_part_apart(tmp_path):
    data = npz(save(tmp_path, **GOOD, class_names=np.array(["a", "b", "c"])))
    assert data.classes == ("a", "b", "c")
    assert data.test.tolist() == list(range(12, 18))
    assert np.array_equal(data.images[12:], X[:6])


def test_lossy_images_are_mentioned(tmp_path):
    data = npz(save(tmp_path, **GOOD, lossy_train=np.array([1, 2]), lossy_test=np.array([0])))
    assert data.note == "3 of 18 images are lossy copies of the originals"
    assert npz(save(tmp_path, **GOOD)).note == ""


def test_what_is_not_used_of_an_npz_is_mentioned(tmp_path):
    note = npz(save(tmp_path, **GOOD, x_val=X, y_val=Y)).note
    assert note == "x_val, y_val of the file are not used; validation is drawn of x_train"


def test_an_npz_of_floats_is_a_table(tmp_path):
    rows = np.random.default_rng(0).normal(size=(12, 4))
    data = npz(save(tmp_path, **GOOD | {"x_train": rows, "x_test": rows[:6]}))
    assert data.is_table
    assert data.images.shape == (18, 1, 1, 4)
    assert np.array_equal(data.images[12:, 0, 0], rows[:6].astype(np.float32))


def test_grey_images_and_column_labels_are_fine(tmp_path):
    grey = {"x_train": X[..., 0], "y_train": Y[:, None], "x_test": X[:6, ..., 0], "y_test": Y[:6]}
    data = npz(save(tmp_path, **grey))
    assert data.images.shape == (18, 6, 5, 1)
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "lacks x_test"),
        ({"x_train": X.astype(float)}, "x_train is float64"),
        ({"x_train": X[:, 0, 0].astype(float), "x_test": X}, "x_test is uint8"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "x_train is empty"),
        ({"x_train": X[0, 0]}, "x_train is uint8"),
        ({"y_train": Y[:4]}, "12 images but y_train 4 labels"),
        ({"y_train": Y * 0.5}, "y_train is float64"),
        ({"y_train": Y - 1}, "labels must be 0, 1, 2"),
        ({"y_train": Y * 0, "y_test": Y[:6] * 0}, "at least two classes"),
        ({"y_train": Y + 1, "y_test": Y[:6] + 1}, "label 0 has no training image"),
        ({"y_test": Y[:6] + 1}, "label 3 has no training image"),
        ({"y_train": np.append(Y[:-1], 10**12)}, "label 3 has no .* up to 1000000000000"),
        ({"y_test": Y[:6] + 10**9}, "label 3 has no .* up to 1000000002"),
        ({"class_names": np.array(["a", "b", "c", "d"])}, "label 3 has no training image"),
        ({"x_test": X[:6, :5]}, "differ in shape"),
        (
            {
                "x_train": X.transpose(0, 3, 1, 2).repeat(2, 3),
                "x_test": X.transpose(0, 3, 1, 2).repeat(2, 3)[:6],
            },
            "channels come last",
        ),
        ({"x_train": np.array([{"a": 1}], dtype=object)}, "pickled objects"),
    ],
)
def test_a_bad_npz_is_one_line(tmp_path, changes, message):
    arrays = {name: a for name, a in {**GOOD, **changes}.items() if a is not None}
    with pytest.raises(UserError, match=message) as caught:
        npz(save(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_npz_is_one_line(tmp_path):
    path = tmp_path / "mine.npz"
    with pytest.raises(UserError, match="no such file"):
        npz(str(path))
    whole = Path(save(tmp_path, **GOOD)).read_bytes()
    damaged = whole[:200] + bytes(40) + whole[240:]
    for content, message in (
        (b"", "not a .npz"),
        (b"hello", "not a .npz"),
        (whole[:500], "not a .npz"),
        (damaged, "mine.npz cannot be read as a .npz archive: .*CRC"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            npz(str(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": Y * 0.5}, "one integer for each of 12 examples, not float64"),
        ({"labels": Y[:, None]}, r"one integer for each of 12 examples, not int64 \(12, 1\)"),
        ({"labels": Y[:11]}, "one integer for each of 12 examples"),
        ({"labels": Y + 10**12}, r"labels must lie in 0\.\.2"),
        ({"test": np.array([3, 12])}, r"test must hold the numbers of examples, 0\.\.11, not .*12"),
        ({"validation": np.array([-1, 2])}, r"validation must hold .* not int64 -1\.\.2"),
        ({"test": np.arange(12) > 5}, "test must hold .* not bool"),
        ({"test": np.array([])}, "test must hold .* not float64"),
        ({"subjects": Y[:3]}, r"subjects must be one for each of 12 examples, not \(3,\)"),
        ({"groups": Y[:, None]}, r"groups must be one for each of 12 examples, not \(12, 1\)"),
        ({"test": np.array([3, 4, 3])}, "test names an example twice"),
    ],
)
def test_labels_and_parts_that_cannot_be_are_one_line(changes, message):
    with pytest.raises(UserError, match=f"^d: .*{message}"):
        Data(**{"name": "d", "images": X, "labels": Y, "classes": ("a", "b", "c"), **changes})


def test_the_fingerprint_sees_every_change():
    def data(**changes):
        fields = {"name": "d", "images": X, "labels": Y, "classes": ("a", "b", "c"), **changes}
        return Data(**fields).fingerprint

    other_image, other_label = X.copy(), Y.copy()
    other_image[0, 0, 0, 0] ^= 1
    other_label[0] = 2
    variants = [
        data(),
        data(images=other_image),
        data(labels=other_label),
        data(scale=16.0),
        data(test=np.array([1])),
        data(classes=("a", "b", "d")),
    ]
    assert len(set(variants)) == len(variants)
    assert data(name="moved") == data()
