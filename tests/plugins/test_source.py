"""Plugin files of strangers are listed without running them; what is odd about one is one line."""

from __future__ import annotations

import pytest

from bench.errors import UserError
from bench.plugins.registry import Registry
from bench.plugins.source import Source

METHOD = '''
"""Forget nothing."""
from dataclasses import dataclass
from bench import Method
{name}
@dataclass(frozen=True)
class Mine(Method):
    needs = {needs}
    def unlearn(self, model, task):
        return model
'''


def source(tmp_path, content, name="mine.py"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Source.read(path)


def method(name="", needs='("forget",)'):
    return METHOD.format(name=name, needs=needs)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (method("NAME = 5"), "NAME is '5': must be text of at most 64 letters"),
        (method("NAME = 'a/../b'"), "NAME is 'a/../b'"),
        (method("NAME = 'a\\x1b[31m'"), r"NAME is"),
        (method("NAME = ''"), "NAME is ''"),
        (method(f"NAME = '{'x' * 300}'"), "NAME is 'xxx.*300 characters"),
        (method("NAME = ('a', 'b')"), "NAME is"),
        (method("NAME = 'a' + str(1)"), "line 5: NAME is computed: write its value itself"),
        (method(needs="3"), "needs is 3: must be a tuple of texts"),
        (method(needs="'forget'"), r"needs is text: write it as a tuple, \('forget',\)"),
        (method(needs="(1, 2)"), "needs is .1, 2.: must be a tuple"),
        (method(needs="tuple(open('x'))"), "needs is computed"),
        ("def mine(:", r"mine.py, line 1: "),
        ("def mine(outputs): ...\0", "null bytes"),
        (b"# \xe4\ndef mine(outputs): ...", "is not UTF-8 .byte 0xe4 in line 1"),
        ("x = 1".encode("utf-16"), "is encoded in UTF-16"),
        ("x = " + "(" * 10_000, "mine.py"),
        ("x = " + "-" * 200_000 + "1", "nested too deeply"),
        ("x = " + ".a".join(["a"] * 100_000), "(RecursionError|nested too deeply)"),
        (f"def mine(outputs, *, a={'[' * 90 + ']' * 90}): ...\n1 +", "line 2"),
        ("", "holds no plugin"),
        ("x" * 2**23, "too long for a plugin"),
    ],
)
def test_an_odd_file_is_one_line(tmp_path, content, words):
    with pytest.raises(UserError, match=words) as caught:
        source(tmp_path, content)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_a_file_whose_name_cannot_be_typed_says_so(tmp_path):
    with pytest.raises(UserError, match=r"its file's name is '1st try': .* write NAME ="):
        source(tmp_path, method(), name="1st try.py")
    assert source(tmp_path, method("NAME = 'first'"), name="1st try.py").name == "first"


def test_a_byte_order_mark_and_a_missing_docstring_are_fine(tmp_path):
    content = "\ufeff" + method().replace('"""Forget nothing."""', "")
    assert source(tmp_path, content).summary == ""


def test_a_pipe_is_no_plugin(tmp_path):
    import os

    os.mkfifo(tmp_path / "mine.py")
    with pytest.raises(UserError, match="is a pipe"):
        Registry((str(tmp_path / "mine.py"),))


@pytest.mark.parametrize("annotation", ["'1/0'", "'('", "3", "'Literal[[]]'", "object()"])
def test_an_odd_annotation_is_one_line(tmp_path, annotation):
    file = tmp_path / "mine.py"
    file.write_text(f"def mine(outputs, *, size: {annotation} = 1): ...")
    with pytest.raises(UserError, match=r"^(mine|cannot load)"):
        Registry((str(file),)).resolve("attacks", "mine")


def test_a_default_that_no_record_can_hold_is_one_line(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from typing import Any\ndef mine(outputs, *, size: Any = {1, 2}): ...")
    with pytest.raises(UserError, match=r"mine: size = .* must be text, a number, true, false"):
        Registry((str(file),)).resolve("attacks", "mine")
