"""Errors that are not bugs of the harness, and how their messages quote texts from outside."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 200  # characters of a text from outside in a message
FEW = 5  # names of a list in a message


class UserError(Exception):
    """A user's mistake, in one line: what is wrong, what is allowed, and what to do."""


class DamagedError(UserError):
    """A stored file is not what was written; it was renamed, so that it can be computed again."""


class ContractError(Exception):
    """A plugin broke its contract (changed its input, read what it did not declare, ...)."""


def one_line(error: BaseException) -> str:
    """The message of an error on one line, after the class name unless it is one of ours."""
    message = " ".join(str(error).split())
    is_ours = isinstance(error, (UserError, ContractError))
    return message if is_ours else ": ".join(filter(None, (type(error).__name__, message)))


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


def shown_list(names: Iterable[object]) -> str:
    """The first few names of a list, as shown in a message, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - FEW:,} more" if len(every) > FEW else ""
    return ", ".join(shown(name, 60) for name in every[:FEW]) + more
