"""Messages to the user: every module logs, one handler writes plain lines to standard error.

A module takes ``log = logging.getLogger(__name__)``. It logs what the user has to know as a warning
and everything else as info. Python itself writes warnings to standard error where nobody called
``show_messages``, so a worker process loses none of them.
"""

from __future__ import annotations

import logging
import sys


class PlainLines(logging.Handler):
    """Writes each message as a line of its own to the ``sys.stderr`` of that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message and flush."""
        print(self.format(record), file=sys.stderr, flush=True)


def show_messages() -> None:
    """Show the messages of ``bench`` from level INFO on; calling it again changes nothing."""
    logger = logging.getLogger("bench")
    if not any(isinstance(handler, PlainLines) for handler in logger.handlers):
        logger.addHandler(PlainLines())
        logger.setLevel(logging.INFO)
        logger.propagate = False
