"""npz files as people and strangers make them: read within bounds, or refused in one line."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from bench.builtin.datasets.npz import npz
from bench.errors import UserError
from bench.storage import archives

rng = np.random.default_rng(0)
X, Y = rng.integers(0, 256, (12, 6, 5, 3), dtype=np.uint8), np.arange(12) % 3
ROWS = rng.normal(size=(12, 4))
IMAGES = {"x_train": X, "y_train": Y, "x_test": X[:6], "y_test": Y[:6]}
TABLE = IMAGES | {"x_train": ROWS, "x_test": ROWS[:6]}


def saved(tmp_path, arrays, **changes):
    np.savez(tmp_path / "mine.npz", **arrays | changes)
    return str(tmp_path / "mine.npz")


def member(array, shape=None, dtype=None):
    """The bytes of an array, under a header that may lie."""
    buffer = io.BytesIO()
    header = npy.header_data_from_array_1_0(array)
    header |= {"shape": shape or array.shape, "descr": dtype or header["descr"]}
    npy.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + array.tobytes()


def packed(tmp_path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(tmp_path / "mine.npz", "w", method) as archive:
        for name, content in members:
            archive.writestr(f"{name}.npy", content)
    return str(tmp_path / "mine.npz")


def refused(path, words):
    with pytest.raises(UserError, match=words) as caught:
        npz(path)
    assert "\n" not in str(caught.value)
    assert "mine.npz" in str(caught.value)


# The archive --------------------------------------------------------------------------------------

GOOD = [(name, member(array)) for name, array in IMAGES.items()]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (member(X, shape=(10**12, 6, 5, 3)), r"x_train is damaged: .* 90,000,000,000,000 bytes"),
        (member(X, shape=(-12, -6, 5, 3)), "x_train is damaged"),
        (member(X, dtype="<U1000000"), "x_train is damaged"),
        (member(X)[:-1], "x_train is damaged"),
        (member(X) + b"more", "x_train is damaged"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "EOF"),
        (b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000, "cannot be read as a .npz archive"),
        (b"\x93NUMPY\x09\x00", "version"),
        (b"nothing", "magic"),
    ],
)
def test_a_member_that_lies_about_itself_is_refused_before_it_is_unpacked(tmp_path, content, words):
    refused(packed(tmp_path, [("x_train", content), *GOOD[1:]]), words)


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path, monkeypatch):
    huge = np.zeros((3, 1000, 1000, 1), np.uint8)
    path = packed(tmp_path, [("x_train", member(huge)), *GOOD[1:]], zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(archives, "SMALL", 10**6)  # any file may unpack to 256 MiB
    refused(path, r"would unpack to 3,0.* is it damaged\?")


def test_what_numpy_does_not_write_is_refused(tmp_path):
    refused(packed(tmp_path, GOOD, zipfile.ZIP_LZMA), "packed by method 14")
    whole = bytearray((tmp_path / "mine.npz").read_bytes())
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed(tmp_path, [*GOOD, GOOD[0]])
    refused(str(tmp_path / "mine.npz"), "holds x_train twice")
    packed(tmp_path, GOOD)
    whole = bytearray((tmp_path / "mine.npz").read_bytes())
    whole[whole.index(b"PK\x01\x02") + 8] |= 1  # the mark of an encrypted member
    (tmp_path / "mine.npz").write_bytes(whole)
    refused(str(tmp_path / "mine.npz"), "x_train is encrypted")
    pairs = np.zeros(12, [("a", "i4"), ("b", "i4")])
    refused(saved(tmp_path, IMAGES, y_train=pairs), "allowed are numbers and texts")


def test_other_orders_and_byte_orders_are_read(tmp_path):
    changes = {"x_train": np.asfortranarray(ROWS).astype(">f8"), "y_train": Y.astype(">i2")}
    data = npz(saved(tmp_path, TABLE, **changes))
    assert np.array_equal(data.images[:12, 0, 0], ROWS.astype(np.float32))
    assert data.labels[:12].tolist() == Y.tolist()
    np.savez_compressed(tmp_path / "mine.npz", **IMAGES)
    assert np.array_equal(npz(str(tmp_path / "mine.npz")).images[:12], X)


# Labels and names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (Y.astype(bool), r"y_train is bool .* save y.astype\(int\)"),
        (Y.astype(float), r"y_train is float64 .* save y.astype\(int\)"),
        (np.array(["cat", "dog", "emu"])[Y], r"return_inverse.* save names as class_names"),
        (np.eye(3, dtype=int)[Y], r"save y.argmax\(1\)"),
        (np.where(Y == 2, 10**9, Y), "label 2 has no training image, .* up to 1000000000"),
        (np.where(Y == 2, 2**63 + 5, Y).astype(np.uint64), "labels must be 0, 1, 2"),
        (np.zeros((), int), "one integer an image"),
    ],
)
def test_labels_that_are_not_counted_from_0_say_what_to_do(tmp_path, labels, words):
    refused(saved(tmp_path, IMAGES, y_train=labels), words)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b"], r"class_names is <U1 \(2,\); allowed: 3 texts"),
        (["a", "b", "c", "d"], "label 3 has no training image"),
        (["a", "b", "a"], "class_names holds a more than once"),
        ([0.5, 1.5, 2.5], "class_names is float64"),
        (["a", "", "c"], "class 1 has an empty name"),
        ([["a"], ["b"], ["c"]], "class_names is <U1 .3, 1."),
    ],
)
def test_names_of_classes_have_to_fit(tmp_path, names, words):
    refused(saved(tmp_path, IMAGES, class_names=np.array(names)), words)


def test_names_may_be_bytes_or_special_words(tmp_path):
    names = np.array([b"none", b"true", "hund ä".encode()])
    assert npz(saved(tmp_path, IMAGES, class_names=names)).classes == ("none", "true", "hund ä")


@pytest.mark.parametrize("channels", [3, 4])
def test_channels_that_come_first_are_refused(tmp_path, channels):
    images = rng.integers(0, 256, (12, channels, 8, 8), dtype=np.uint8)
    refused(
        saved(tmp_path, IMAGES, x_train=images), r"channels come last .*transpose\(0, 2, 3, 1\)"
    )


# Columns ------------------------------------------------------------------------------------------


def column(values):
    rows = ROWS.copy()
    rows[:, 2] = values
    return rows


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (20180131.0 + Y, "column 2: 3 different numbers become 1 in float32.* such as 20180131,"),
        (1.7e9 + np.arange(12), "column 2: 12 different numbers become"),
        (1e-50 * Y, "column 2: 3 different numbers become 1 in float32"),
        (1e300 * Y, r"column 2 holds numbers up to 2e\+300, too large"),
        (1e20 * Y, "column 2 holds numbers .* divide it by a fixed number"),
        (1e-9 * Y, "column 2 varies by .* multiply it"),
        (np.where(Y == 1, np.nan, 1.0), "4 cells are not finite numbers .*nan in row 1, column 2"),
        (np.where(Y == 1, -np.inf, 1.0), "4 cells are not finite numbers .*-inf"),
    ],
)
def test_a_column_that_no_network_can_take_is_named_with_what_to_do(tmp_path, values, words):
    rows = column(values)
    refused(saved(tmp_path, TABLE, x_train=rows, x_test=rows[:6]), words)


def test_columns_in_float32_and_those_that_hardly_merge_are_fine(tmp_path):
    noise = np.where(Y == 0, 0.1 + 0.2, 0.3)  # two numbers, different by rounding only
    assert npz(saved(tmp_path, TABLE, x_train=column(noise + Y))).is_table
    assert npz(saved(tmp_path, TABLE, x_train=ROWS.astype(np.float16))).is_table


def test_constant_columns_are_mentioned(tmp_path):
    note = npz(saved(tmp_path, TABLE, x_train=column(7.0))).note
    assert note == "columns that do not vary in x_train: 2"
    refused(saved(tmp_path, TABLE, x_train=np.ones((12, 4))), "no column of x_train varies")
