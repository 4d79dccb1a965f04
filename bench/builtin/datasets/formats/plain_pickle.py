"""Reads a pickle of plain values and numpy arrays without executing anything it names.

A pickle is a program, which can name any function. Here the few that make up numpy arrays are
replaced by our own, and anything else is refused: other names, other instructions, and what would
take far more memory than the file.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

MOST_STEPS = 2_000_000  # CIFAR-100 has 300,000
PLAIN = "biuf"  # kinds of numbers
INSTRUCTIONS = """
    PROTO FRAME STOP MARK POP POP_MARK PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
    BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8
    EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 GLOBAL STACK_GLOBAL REDUCE BUILD
"""  # lists, dictionaries, tuples, plain values, their memo, and calls by name


def load_plain(content: bytes) -> dict[str, Any]:
    """The dictionary in a pickle, with keys as text; what a broken one raises may be anything."""
    value = _Reader(content).load()
    if not isinstance(value, dict):
        raise pickle.UnpicklingError(f"holds a {type(value).__name__}; expected a dictionary")
    return {
        key.decode() if isinstance(key, bytes) else str(key): getattr(item, "values", item)
        for key, item in value.items()
    }


@dataclass
class _Type:
    """A numpy dtype in the making."""

    dtype: np.dtype

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """A numpy array in the making: its state holds shape, type, order and content."""

    values: np.ndarray

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, of_type, is_fortran, content = state
        self.values = _frombuffer(content, of_type, shape, "F" if is_fortran else "C")


class _Named(dict):
    """A dictionary with texts as keys; hashing a deeply nested key would end the process."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, str | bytes | int):
            raise pickle.UnpicklingError(f"has a key that is a {type(key).__name__}, not text")
        super().__setitem__(key, value)


def _dtype(text: Any, *_rest: Any) -> _Type:
    dtype = np.dtype(text if isinstance(text, str) else text.decode("ascii"))
    if dtype.kind not in PLAIN:
        raise pickle.UnpicklingError(f"holds an array of {dtype}; expected numbers")
    return _Type(dtype)


def _blank(*_rest: Any) -> _Array:
    return _Array()


def _frombuffer(content: bytes, of_type: _Type, shape: tuple[int, ...], order: str) -> np.ndarray:
    if len(content) != prod(shape) * of_type.dtype.itemsize:
        raise pickle.UnpicklingError(f"says {shape} of {len(content)} bytes")
    return np.frombuffer(content, of_type.dtype).reshape(shape, order="F" if order == "F" else "C")


def _scalar(of_type: _Type, content: bytes) -> Any:
    return _frombuffer(content, of_type, (), "C").item()


class _Steps(dict):
    """The instructions by number, as long as a pickle does not take too many of them."""

    left = MOST_STEPS

    def __getitem__(self, number: int) -> Callable[..., None]:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"takes more than {MOST_STEPS:,} steps")
        if number not in self:
            raise pickle.UnpicklingError(
                f"has instruction {number}, which plain values do not need"
            )
        return super().__getitem__(number)


class _Reader(pickle._Unpickler):
    """The unpickler that is written in Python, so that a memo of billions costs nothing."""

    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]
    NAMES: ClassVar[dict[str, Any]] = {
        "numpy.core.multiarray._reconstruct": _blank,
        "numpy.core.multiarray.scalar": _scalar,
        "numpy.core.numeric._frombuffer": _frombuffer,
        "numpy.ndarray": _Array,
        "numpy.dtype": _dtype,
    }

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.dispatch = _Steps(self.STEPS)  # type: ignore[misc]
        self.left = 2 * len(content)  # bytes that texts may become

    def find_class(self, module: str, name: str) -> Any:
        """Our own function for what makes up arrays; numpy 2 keeps the same ones elsewhere."""
        full = f"{module}.{name}"
        if full == "_codecs.encode":
            return self._encode
        known = full.replace("numpy._core.", "numpy.core.")
        if known not in self.NAMES:
            raise pickle.UnpicklingError(f"names {full}, which no array needs")
        return self.NAMES[known]

    def _encode(self, text: str, encoding: str) -> bytes:
        self.left -= len(text)
        if encoding not in ("latin1", "latin-1") or self.left < 0:
            raise pickle.UnpicklingError("encodes what no array needs")
        return text.encode("latin-1")

    def _load_empty_dict(self) -> None:
        self.append(_Named())

    def _load_dict(self) -> None:
        items, content = self.pop_mark(), _Named()
        for key, value in zip(items[::2], items[1::2], strict=True):
            content[key] = value
        self.append(content)

    def _load_bytes(self) -> None:
        self.append(self.read(int.from_bytes(self.read(8), "little")))

    def _load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Type | _Array):
            raise pickle.UnpicklingError("sets the state of what is no array")
        self.stack[-1].__setstate__(state)

    STEPS: ClassVar[dict[int, Any]] = {
        code[0]: pickle._Unpickler.dispatch[code[0]]
        for code in (getattr(pickle, name) for name in INSTRUCTIONS.split())
    } | {
        pickle.EMPTY_DICT[0]: _load_empty_dict,
        pickle.DICT[0]: _load_dict,
        pickle.BYTEARRAY8[0]: _load_bytes,
        pickle.BUILD[0]: _load_build,
    }
