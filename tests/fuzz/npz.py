""".npz archives: damaged ones, ones that lie, and arrays that nobody expects."""

from __future__ import annotations

import io
import pickle
import random
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from bench.plugins.registry import Registry
from tests.fuzz.kind import Given, Kind
from tests.fuzz.mutate import ODD, change_bytes

ARRAYS = ("x_train", "y_train", "x_test", "y_test", "class_names", "lossy_train")
DTYPES = (
    "uint8", "int8", "uint16", "int64", "float16", "float32", "float64", "longdouble", "complex64",
    "bool", "<U3", "S2", "datetime64[s]", "timedelta64[D]", ">u2", ">f8", "V4", "i4,f8", "uint64",
)  # fmt: skip
SHAPES = ("(999999999999,)", "(2147483648, 8, 8)", "(-1,)", "(0, 8, 8)", "(1, (2,))", "()", "(12,")
_registry: list[Registry] = []


class Executes:
    """An object whose pickle leaves a file where it is loaded."""

    def __reduce__(self):
        return open, ("EXECUTED", "w")


class Archives(Kind):
    """.npz files of data sets."""

    name, count = "npz", 10_000

    def prepare(self, home: Path) -> None:
        """Import the reader once."""
        _registry[:] = [Registry()]
        _registry[0].resolve("datasets", "npz:x")

    def draw(self, rng: random.Random) -> Given:
        """Draw arrays, write them, and damage what was written."""
        arrays = _arrays(rng)
        members = {name: _npy(rng, array) for name, array in arrays.items()}
        if rng.random() < 0.3:
            _damage_member(rng, members)
        content = _zip(rng, members)
        if rng.random() < 0.4:
            content = change_bytes(rng, content)
        elif rng.random() < 0.3:
            content = _lie(rng, content)
        return Given(content, ".npz")

    def attempt(self, given: Given, folder: Path) -> None:
        """Read the archive as a data set."""
        file = folder / "data.npz"
        file.write_bytes(given.content)
        data = _registry[0].resolve("datasets", f"npz:{file}")()
        assert data.fingerprint
        assert len(data.labels) == len(data.images)


def _arrays(rng: random.Random) -> dict[str, np.ndarray]:
    """A small data set, in which some array may be of another type, shape or content."""
    numbers = np.random.default_rng(rng.randrange(2**32))
    is_table = rng.random() < 0.4
    arrays: dict[str, np.ndarray] = {}
    for part, count in (("train", 12), ("test", 6)):
        pixels = numbers.integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
        rows = numbers.normal(size=(count, 5)).astype(rng.choice((np.float32, np.float64)))
        arrays[f"x_{part}"] = rows if is_table else pixels
        arrays[f"y_{part}"] = np.arange(count) % 3
    if rng.random() < 0.3:
        arrays["class_names"] = np.array(["a", "b", rng.choice(ODD[6:])])
    for name in rng.sample(sorted(arrays), rng.choice((0, 1, 1, 2))):
        arrays[name] = _odd(rng, arrays[name])
        if rng.random() < 0.1:
            del arrays[name]
    return arrays


def _odd(rng: random.Random, array: np.ndarray) -> np.ndarray:
    """Another array in place of one."""
    what = rng.randrange(8)
    if what < 2:
        dtype = np.dtype(rng.choice(DTYPES))
        try:
            with np.errstate(all="ignore"):
                return array.astype(dtype)
        except (TypeError, ValueError):
            return np.zeros(array.shape, dtype)
    if what == 2:
        return array.reshape(-1)[:: rng.choice((1, 2, -1))]
    if what == 3:
        return array[: rng.choice((0, 1, 3))]
    if what == 4:
        return np.expand_dims(array, rng.choice((0, -1)))
    if what == 5 and array.dtype.kind in "fiu":
        changed = array.astype(np.float64) if array.dtype.kind == "f" else array.astype(np.int64)
        odd = (np.nan, np.inf, -np.inf, 1e300, 1e-300) if changed.dtype.kind == "f" else (
            -1, 7, 10**9, 2**62,
        )  # fmt: skip
        if changed.size:
            changed.reshape(-1)[rng.randrange(changed.size)] = rng.choice(odd)
        return changed
    if what == 6:
        return np.array(rng.choice((0, "x", b"", 1.5)))
    return np.array([Executes()] * len(array), dtype=object) if array.ndim else array


def _npy(rng: random.Random, array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _damage_member(rng: random.Random, members: dict[str, bytes]) -> None:
    """Change one array's own file: its header, its bytes, or what it is."""
    if not members:
        return
    name, what = rng.choice(sorted(members)), rng.randrange(5)
    content = members[name]
    if what == 0:
        first, last = content.find(b"("), content.find(b")") + 1
        members[name] = content[:first] + rng.choice(SHAPES).encode() + content[last:]
    elif what == 1:
        members[name] = content[:10] + change_bytes(rng, content[10:80]) + content[80:]
    elif what == 2:
        members[name] = pickle.dumps(Executes())
    elif what == 3:
        members[name] = content[:6] + bytes([rng.randrange(5), rng.randrange(3)]) + content[8:]
    else:
        members[name] = change_bytes(rng, content)


def _zip(rng: random.Random, members: dict[str, bytes]) -> bytes:
    """The members in an archive, compressed in one way or another, some under odd names."""
    buffer = io.BytesIO()
    ways = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(buffer, "w", rng.choice(ways)) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}{rng.choice(('.npy',) * 20 + ('', '.txt', '/'))}", content)
        if rng.random() < 0.1:
            odd = rng.choice(("../EXECUTED", "/tmp/EXECUTED", "x" * 300, "a\x1b[31m.npy", ".npy"))
            archive.writestr(odd, b"x")
        if rng.random() < 0.03:  # a bomb: much from little
            archive.writestr("x_train2.npy", zlib.compress(b"") + b"\0" * 10_000_000)
    return buffer.getvalue()


def _lie(rng: random.Random, content: bytes) -> bytes:
    """Let the archive's own directory claim other sizes, ways of compression, or a password."""
    changed = bytearray(content)
    place = changed.find(b"PK\x01\x02", rng.randrange(max(1, len(changed) // 2)))
    if place < 0:
        return content
    field, size, values = rng.choice((
        (8, "<H", (1, 9, 0xFFFF)),  # flags: encrypted
        (10, "<H", (1, 6, 9, 12, 14, 93, 99)),  # way of compression
        (20, "<I", (0, 1, 2**31, 2**32 - 1)),  # compressed size
        (24, "<I", (0, 1, 2**31, 2**32 - 1)),  # size
        (42, "<I", (0, 7, 2**31, 2**32 - 1)),  # where the member begins
    ))  # fmt: skip
    struct.pack_into(size, changed, place + field, rng.choice(values))
    return bytes(changed)
