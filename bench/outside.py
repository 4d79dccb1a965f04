"""What comes from outside: users' files and texts, read with care and shown without harm.

A file that somebody else wrote may be anything. ``reading`` turns whatever a library raises about
it into one sentence with the file's name, and ``shown`` makes any text safe to print.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import ContractError, UserError, one_line

LONGEST = 200  # characters of a text from outside in a message


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
    return printable(whole)


def printable(text: str, keep: str = "") -> str:
    """The whole text with everything escaped that is neither printable nor one of ``keep``."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in keep
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


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


def refuse_special(path: str | os.PathLike[str]) -> None:
    """Raise UserError if ``path`` exists and is neither a regular file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # who opens the file says what is wrong
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(f"{shown(path)} is a pipe, a socket or a device; expected a regular file")
