"""What the user reads: messages on standard error, results on standard output.

A module takes ``log = logging.getLogger(__name__)``. It logs what the user has to know as a warning
and everything else as info. Python itself writes warnings to standard error where nobody called
``show_messages``, so a worker process loses none of them.

Names come from files of others. Here, in one place, their control characters are escaped, and
characters that a terminal cannot show.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import TextIO

from bench.errors import UserError
from bench.outside import printable


class PlainLines(logging.Handler):
    """Writes each message as a line of its own to the ``sys.stderr`` of that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message and flush."""
        tell(self.format(record))


def show_messages() -> None:
    """Show the messages of ``bench`` from level INFO on; calling it again changes nothing."""
    logger = logging.getLogger("bench")
    if not any(isinstance(handler, PlainLines) for handler in logger.handlers):
        logger.addHandler(PlainLines())
        logger.setLevel(logging.INFO)
        logger.propagate = False


def tell(text: str) -> None:
    """Write a line to standard error; where that is closed or full, nobody can be told."""
    if sys.stderr is not None:
        try:
            print(printable(text, keep="\n"), file=sys.stderr, flush=True)
        except OSError:
            give_up(sys.stderr)


def say(text: str) -> None:
    """Write text and a new line to standard output."""
    write(printable(text, keep="\n") + "\n")


def write(text: str) -> None:
    """Write text to standard output; what its encoding lacks is escaped.

    Raises UserError if that is full. Nothing is written where it is closed.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()  # a reader who left is noticed here
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up(sys.stdout)
        raise UserError(f"cannot write to standard output: {error.strerror}") from error


def open_standard_streams() -> None:
    """Put the null device in place of standard streams that are closed.

    Otherwise the next file that is opened would take their number, and get what they are told.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, stays open
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, stays open


def give_up(stream: TextIO) -> None:
    """Let a stream that cannot be written go nowhere, or Python would complain when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
