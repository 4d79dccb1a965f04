"""What comes from outside is shown without harm, and read with one sentence where it fails."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.outside import LONGEST, reading, shown


@given(st.text(st.characters(codec=None), max_size=500))
def test_a_shown_text_is_short_printable_and_can_be_encoded(text):
    safe = shown(text)
    assert safe.isprintable()
    safe.encode("utf-8")
    assert len(safe) <= 11 * LONGEST


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain ä 漢", "plain ä 漢"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", r"two\nlines"),
        ("name\udcff", r"name\udcff"),
        ("\u202eright to left", r"\u202eright to left"),
        ("a" * 300, "a" * 100 + "... (300 characters) ..." + "a" * 100),
    ],
)
def test_what_cannot_be_printed_is_escaped(text, safe):
    assert shown(text) == safe


@pytest.mark.parametrize("error", [KeyError("b'data'"), RecursionError("deep"), MemoryError()])
def test_whatever_a_library_raises_becomes_a_sentence_with_the_name_of_the_file(tmp_path, error):
    file = tmp_path / "my\x1bfile.npz"
    file.touch()
    reason = rf"my\\x1bfile.npz cannot be read as a table: {type(error).__name__}"
    with pytest.raises(UserError, match=reason), reading(file, "a table"):
        raise error


def test_a_sentence_of_ours_stays_as_it_is(tmp_path):
    with pytest.raises(UserError, match=r"^labels count from 0$"), reading(tmp_path, "a table"):
        raise UserError("labels count from 0")


def test_a_named_pipe_is_refused_before_anybody_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    pipe = tmp_path / "pipe"
    with (
        pytest.raises(UserError, match="is a pipe, a socket or a device"),
        reading(pipe, "a table"),
    ):
        raise AssertionError("never reached")
