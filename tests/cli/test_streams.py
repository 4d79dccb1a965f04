"""Standard output and error that are closed, full, or of few characters: never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.helpers.tiny_run import as_if

ODD = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
STREAMS = {  # what the shell does with the streams -> exit codes of a good and of a wrong command
    ">/dev/full": (1, 1),
    ">&-": (0, 1),
    "2>&-": (0, 1),
    "2>/dev/full": (0, 1),
    "<&- >&- 2>&-": (0, 1),
}


def shell(command, streams="", **environment):
    """Give a command in a shell, as a user does."""
    line = f"{sys.executable} -m bench {command} {streams}"
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("streams", STREAMS)
def test_closed_and_full_streams_end_in_an_exit_code(streams):
    for command, code in zip(("list scenarios", "show nothing"), STREAMS[streams], strict=True):
        ended = shell(command, streams)
        assert ended.returncode == code
        assert b"Traceback" not in ended.stdout + ended.stderr
        assert ended.stderr.count(b"\n") <= 1
    assert shell("run --nonsense", streams).returncode == 2


def test_a_full_output_is_one_line():
    for command in ("list scenarios", "--help"):
        ended = shell(command, ">/dev/full")
        assert ended.stderr.startswith(b"error: ")
        assert b"No space left on device" in ended.stderr
        assert ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX", **ODD}]
)
def test_a_report_is_printed_where_only_ascii_is(environment, tiny_run, tmp_path):
    ended = shell(f"report {tiny_run.folder} --to {tmp_path} --format md", **environment)
    assert ended.returncode == 0, ended.stderr
    assert b"original" in ended.stdout
    assert ended.stderr == b""


def test_names_reach_the_terminal_escaped(tiny_run, tmp_path):
    data = tiny_run.record["data"] | {"name": "\x1b[31mred\x07", "note": "bell \x07 and \u202e"}
    folder = as_if(tiny_run, tmp_path / "run", data=data)
    ended = shell(f"report {folder} --to {tmp_path} --format md")
    assert ended.returncode == 0, ended.stderr
    assert b"\\x1b[31mred\\x07" in ended.stdout
    assert b"bell \\x07 and \\u202e" in ended.stdout
    assert not {0x1B, 0x07} & set(ended.stdout + ended.stderr)
    ended = shell("run --nonsense='\033[31m'")
    assert ended.returncode == 2
    assert b"\x1b" not in ended.stderr
