"""Reads arrays from .npz archives that anybody may have made: no pickle, and no more than is there.

Before an array is unpacked, its header has to agree with the size that the archive states, and that
size with the size of the file. So an archive that lies costs neither memory nor time.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections import Counter
from collections.abc import Container

import numpy as np
from numpy.lib import format as npy

from bench.errors import UserError, shown, shown_list

SMALL = 2**28  # bytes that any file may unpack to
TIMES = 100  # a file that unpacks to more than so many times its own size was made to do harm
SUFFIX = ".npy"
LONGEST_HEADER = 2**16  # bytes; numpy writes 118 before a plain array
PIECE = 2**24  # bytes that are unpacked at a time
PLAIN = "biufcSU"  # kinds of dtypes: numbers and texts
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that numpy writes


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """The names of an archive's arrays; raises UserError where two have the same name."""
    names = Counter(info.filename.removesuffix(SUFFIX) for info in archive.infolist())
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise UserError(f"it holds {shown_list(twice)} twice: write it again with numpy.savez")
    return list(names)


def read_arrays(
    archive: zipfile.ZipFile, size: int, wanted: Container[str]
) -> dict[str, np.ndarray]:
    """The ``wanted`` arrays of an archive by name, as far as it has them.

    Parameters
    ----------
    archive
        The opened archive, whose names are checked (``array_names``).
    size
        The bytes of the packed archive, which bound those of the arrays.

    Raises
    ------
    UserError
        Where a member is encrypted, packed in an unusual way, larger than the file makes
        plausible, not as large as its header says, or holds objects.
    """
    members = {info.filename.removesuffix(SUFFIX): info for info in archive.infolist()}
    chosen = {name: info for name, info in members.items() if name in wanted}
    refuse_bomb("the archive", size, sum(info.file_size for info in chosen.values()))
    return {name: _read(archive, name, info) for name, info in chosen.items()}


def _read(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> np.ndarray:
    """One array, in the byte order of this machine."""
    if info.flag_bits & 1:
        raise UserError(f"{shown(name)} is encrypted: write the archive with numpy.savez")
    if info.compress_type not in METHODS:
        raise UserError(
            f"{shown(name)} is packed by method {info.compress_type} of the zip format, which "
            "numpy does not write: write the archive with numpy.savez"
        )
    with archive.open(info) as member:
        shape, is_fortran, dtype, start = _header(name, member.read(LONGEST_HEADER))
    claimed = math.prod(shape) * dtype.itemsize
    if start + claimed != info.file_size or min(shape, default=0) < 0:
        raise UserError(
            f"{shown(name)} is damaged: its header says {dtype} {shown(shape)}, {claimed:,} bytes, "
            f"but {info.file_size - start:,} follow"
        )
    content = bytearray(claimed)
    with archive.open(info) as member:
        member.read(start)
        for place in range(0, claimed, PIECE):
            piece = member.read(min(PIECE, claimed - place))
            content[place : place + len(piece)] = piece
        if len(content) != claimed or member.tell() != info.file_size:
            raise UserError(f"{shown(name)} is damaged: it ends too early")
    flat = np.frombuffer(content, dtype)
    array = flat.reshape(shape, order="F" if is_fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(name: str, content: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, order, type, and where the numbers begin; raises UserError for objects."""
    beginning = io.BytesIO(content)
    version = npy.read_magic(beginning)
    if version not in HEADERS:
        raise UserError(f"{shown(name)} is no plain array (version {version} of numpy's format)")
    shape, is_fortran, dtype = HEADERS[version](beginning)
    if dtype.hasobject:
        raise UserError(
            f"{shown(name)} holds pickled objects, which are never loaded; save plain arrays of "
            "numbers or of texts"
        )
    if dtype.kind not in PLAIN:
        raise UserError(f"{shown(name)} is {shown(dtype)}: allowed are numbers and texts")
    return shape, is_fortran, dtype, beginning.tell()


def most_bytes(size: int) -> int:
    """To how many bytes a packed file of this size may unpack."""
    return max(SMALL, TIMES * size)


def refuse_bomb(name: str | os.PathLike[str], size: int, claimed: int) -> None:
    """Raise UserError if a packed file unpacks to far more bytes than such files do."""
    if claimed > most_bytes(size):
        raise UserError(
            f"{shown(name)} has {size:,} bytes and would unpack to {claimed:,}, more than the "
            f"{most_bytes(size):,} that are allowed for its size: is it damaged? If not, save it "
            "unpacked"
        )
