"""Call the command as the terminal does, in this process, and judge how it says no."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

from bench.cli.app import main
from bench.errors import UserError

ENDED = {0, 1, 2}  # success, a mistake, wrong usage


def call(arguments: Sequence[str]) -> str:
    """Run the command; returns what it printed.

    Raises UserError with the last line of standard error where it ends with 1 or 2. Raises
    AssertionError where it ends otherwise, says nothing, or prints control characters.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    printed, told = out.getvalue(), err.getvalue()
    for text in (printed, told):
        odd = [letter for letter in text if not letter.isprintable() and letter != "\n"]
        assert not odd, f"characters that do not print: {odd[:5]!r} in {text[:1500]!r}"
    assert "Traceback (most recent" not in told, told[-3000:]
    assert code in ENDED, f"exit code {code}: {told[-1000:]!r}"
    if code == 0:
        return printed
    lines = told.rstrip("\n").splitlines()
    is_readable = code == 2 or printed or (lines and lines[-1].startswith("error: "))
    assert is_readable, f"exit code {code} without an error: {told[-1000:]!r}"
    raise UserError(lines[-1] if lines else "a cell failed")
