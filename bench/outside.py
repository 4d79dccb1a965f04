"""What comes from outside: users' files and texts, read with care and shown without harm.

A file that somebody else wrote may be anything. ``reading`` turns whatever a library raises about
it into one sentence with the file's name, ``read_text`` decodes it, ``refuse_bomb`` bounds what it
may unpack to, and ``shown`` makes any text safe to print.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import ContractError, UserError, one_line

LONGEST = 200  # characters of a text from outside in a message
FEW = 5  # names of a list in a message
SMALL = 2**28  # bytes that any file may unpack to
TIMES = 100  # a file that unpacks to more than so many times its own size was made to do harm
LONGEST_TEXT = 2**22  # bytes of a recipe or of a plugin's code
MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


def shown(text: object, longest: int = LONGEST) -> str:
    r"""A text as it may appear in a message: one line, printable, and not endless.

    Characters that are not printable (control characters, terminal escape codes, lone surrogates,
    marks that turn the direction of writing) appear escaped, such as ``\x1b`` or ``\udcff``. Of a
    text of more than ``longest`` characters, the middle is left out.
    """
    whole = str(text)
    if len(whole) > longest:
        half = longest // 2
        whole = f"{whole[:half]}... ({len(whole):,} characters) ...{whole[-half:]}"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in whole
    )


def shown_list(names: Iterable[object]) -> str:
    """The first few names of a list, as shown in a message, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - FEW:,} more" if len(every) > FEW else ""
    return ", ".join(shown(name, 60) for name in every[:FEW]) + more


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
