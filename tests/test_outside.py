"""What comes from outside is shown without harm, and read with one sentence where it fails."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.outside import LONGEST, read_text, reading, shown, shown_list, user_path


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


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark_is_read(tmp_path, newline):
    text = f"models = 2{newline}# ä"
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "file").write_bytes(text.encode(encoding))
        assert read_text(tmp_path / "file", "a recipe") == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("models".encode("utf-16"), "is encoded in UTF-16: save it as UTF-8"),
        ("models".encode("utf-32"), "is encoded in UTF-32"),
        ("a\nb # ä".encode("latin-1"), "is not UTF-8 .byte 0xe4 in line 2.: it may be Latin-1"),
        (b"x" * 101, "too long for a recipe: at most 100 bytes"),
    ],
)
def test_another_encoding_is_named(tmp_path, content, words):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_text(tmp_path / "file", "a recipe", longest=100)


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(UserError, match="is a folder; expected a recipe"):
        read_text(tmp_path, "a recipe")


@pytest.mark.parametrize("text", ["x" * 300, "a/" * 3000, "a\0b", "a\ud800b"])
def test_what_can_be_no_path_is_one_line(text):
    with pytest.raises(UserError, match="is no path: ") as caught:
        user_path(text)
    assert str(caught.value).isprintable()


def test_a_home_that_is_not_there_is_a_path_like_any_other():
    assert not user_path("~nobody-of-that-name/x").exists()


def test_a_list_in_a_message_is_short_and_printable():
    assert shown_list(["a", "b\x1b"]) == r"a, b\x1b"
    assert shown_list(map(str, range(1000))) == "0, 1, 2, 3, 4 and 995 more"
