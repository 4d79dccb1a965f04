"""CIFAR's files in every way that Python pickles them, and pickles that would do harm."""

from __future__ import annotations

import _codecs
import pickle
import time

import numpy as np
import pytest

from bench.builtin.datasets.formats import plain_pickle
from bench.builtin.datasets.formats.plain_pickle import load_plain
from bench.config.folders import places
from bench.errors import UserError
from bench.plugins.registry import Registry

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 3072), dtype=np.uint8)


def write_set(home, key, protocol, **changes):
    root = home / "cifar-10-batches-py"
    root.mkdir(exist_ok=True)
    batch = {"data": PIXELS, "labels": [n % 4 for n in range(8)]} | changes
    content = pickle.dumps({key(name): value for name, value in batch.items()}, protocol)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        (root / name).write_bytes(content)
    names = [key(name) for name in ("plane", "car", "bird", "cat")]
    (root / "batches.meta").write_bytes(pickle.dumps({key("label_names"): names}, protocol))


def load(home):
    with places(str(home)):
        return Registry().resolve("datasets", "cifar10")()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("key", [str, str.encode])
def test_batches_that_were_pickled_anew_are_read(tmp_path, key, protocol):
    write_set(tmp_path, key, protocol, labels=[np.int64(n % 4) for n in range(8)])
    data = load(tmp_path)
    assert np.array_equal(data.images[0, 2, 5], PIXELS[0, 2 * 32 + 5 :: 1024])
    assert data.labels.tolist() == [0, 1, 2, 3] * 12
    assert data.classes == ("plane", "car", "bird", "cat")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_arrays_keep_order_and_byte_order_under_either_name_of_numpys_modules(protocol):
    arrays = {"f": np.asfortranarray(PIXELS), "big": np.arange(5, dtype=">i4"), "b": np.ones(2) > 0}
    content = pickle.dumps(arrays, protocol)
    for text in (content, content.replace(b"numpy._core.", b"numpy.core.")):
        if text != content and protocol >= 4:
            continue  # names have lengths there
        back = load_plain(text)
        assert all(np.array_equal(back[name], array) for name, array in arrays.items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": PIXELS.astype(float)}, "data is not an array of bytes"),
        ({"data": [[1]]}, "data is not an array of bytes"),
        ({"data": PIXELS[:, :100]}, "cannot reshape"),
        ({"labels": [0.5] * 8}, "labels is not a list of whole numbers"),
        ({"labels": [True] * 8}, "labels is not a list of whole numbers"),
        ({"labels": [0]}, "8 images but 1 labels"),
        ({"labels": np.array(["a"] * 8)}, "expected numbers"),
        ({"labels": {1, 2}}, "has instruction 143"),
    ],
)
def test_what_is_no_batch_is_one_line(tmp_path, changes, words):
    write_set(tmp_path, str, 4, **changes)
    with pytest.raises(UserError, match=f"data_batch_1 cannot be read as .*{words}") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_keys_are_named_with_those_that_are_there(tmp_path):
    write_set(tmp_path, str, 4)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(pickle.dumps({"x": 1, "y": 2}))
    with pytest.raises(UserError, match="it lacks data; it holds x, y"):
        load(tmp_path)


class Trap:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


DEEP = b"\x80\x02}" + b")" + b"\x85" * 9_000  # tuples in tuples
BOMBS = {
    "a memo of four billion": (b"\x80\x02}r\xff\xff\xff\xff0", "^$"),
    "bytes that are not there": (b"\x80\x05\x96" + (2**50).to_bytes(8, "little"), "^$"),
    "a deep key": (DEEP + b"K\x01s.", "has a key that is a tuple"),
    "an endless one": (b"\x80\x02" + b"N0" * 6_000 + b".", "takes more than"),
    "a huge array": (
        pickle.dumps({"a": Trap(np.ndarray, (2**40,))}, 2),
        "takes no arguments|positional argument",
    ),
    "a text encoded again and again": (
        b"\x80\x02}X\x10\x27\x00\x00" + b"a" * 10_000 + b"q\x00" +
        b"c_codecs\nencode\nq\x01h\x00X\x06\x00\x00\x00latin1\x86q\x02R0" + b"h\x01h\x02R0" * 100,
        "encodes what no array needs",
    ),
    "a codec": (pickle.dumps({"a": Trap(_codecs.encode, "a", "rot13")}, 2), "encodes"),
    "a call": (pickle.dumps({"a": Trap(eval, "1/0")}), "names builtins.eval"),
    "a method of numpy": (pickle.dumps({"a": Trap(np.load, "x")}), "names numpy.*load"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BOMBS.values(), ids=BOMBS)
def test_a_pickle_that_would_do_harm_is_refused_soon(content, words, monkeypatch):
    monkeypatch.setattr(plain_pickle._Steps, "left", 10_000)  # CIFAR-100 takes 300,000
    start = time.perf_counter()
    with pytest.raises(Exception, match=words) as caught:
        load_plain(content)
    assert not isinstance(caught.value, ZeroDivisionError)
    assert time.perf_counter() - start < 10
