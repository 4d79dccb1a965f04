"""What comes from outside: users' files and texts, read with care and shown without harm.

A file that somebody else wrote may be anything. ``reading`` turns whatever a library raises about
it into one sentence with the file's name, ``read_text`` decodes it, and ``shown`` makes any text
safe to print.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import LONGEST as LONGEST
from bench.errors import ContractError, UserError, one_line, shown
from bench.errors import printable as printable
from bench.errors import shown_list as shown_list

LONGEST_TEXT = 2**22  # bytes of a plugin's code
MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


@contextmanager
def reading(path: str | os.PathLike[str], kind: str) -> Iterator[None]:
    """Read a user's file: anything that goes wrong is a UserError that names the file.

    Parameters
    ----------
    path
        The file, as the user wrote it.
    kind
        What the file should be, such as ``a .npz archive``.

    Raises
    ------
    UserError
        If the body raises anything but an error of ours, or if the file is not a regular file (a
        named pipe would block for ever).
    """
    refuse_special(path)
    try:
        yield
    except (UserError, ContractError):
        raise
    except Exception as error:
        reason = shown(one_line(error))
        raise UserError(f"{shown(path)} cannot be read as {kind}: {reason}") from error


def user_path(text: str | os.PathLike[str]) -> Path:
    """The path that a user names, with ~ for a home; UserError where nothing can have that name."""
    path = os.path.expanduser(text)
    try:
        os.stat(path)
    except ValueError as error:  # NUL, or a lone surrogate
        raise UserError(f"{shown(text)} is no path: {shown(error)}") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise UserError(f"{shown(text)} is no path: {error.strerror}") from error
    return Path(path)


def refuse_special(path: str | os.PathLike[str]) -> None:
    """Raise UserError if ``path`` exists and is neither a regular file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # who opens the file says what is wrong
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(f"{shown(path)} is a pipe, a socket or a device; expected a regular file")


def read_text(path: str | os.PathLike[str], kind: str, longest: int = LONGEST_TEXT) -> str:
    """The text of a user's file: UTF-8, with or without a byte order mark.

    Raises UserError, as ``reading`` does, and where the file is longer than ``longest`` bytes or
    has another encoding.
    """
    with reading(path, kind):
        if os.path.isdir(path):
            raise UserError(f"{shown(path)} is a folder; expected {kind}")
        with open(path, "rb") as file:
            content = file.read(longest + 1)
        if len(content) > longest:
            raise UserError(f"{shown(path)} is too long for {kind}: at most {longest:,} bytes")
        return decode(content, path)


def decode(content: bytes, path: str | os.PathLike[str]) -> str:
    """Text in UTF-8; for any other encoding a UserError that names it, or the first odd byte."""
    for name, marks in MARKS.items():
        if content.startswith(marks):
            raise UserError(f"{shown(path)} is encoded in {name}: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{shown(path)} is not UTF-8 (byte 0x{content[error.start]:02x} in line {line}): it "
            "may be Latin-1 or Windows-1252; save it as UTF-8"
        ) from error
