"""How runs are named on the command line, and what is said where none is meant."""

from __future__ import annotations

import os

import pytest

from bench.cli.app import main
from bench.errors import UserError
from bench.results.find import find_run, newest_finished, newest_run

RUNS = {  # name: the files that it has, oldest first
    "digits-poison-20-aa": ("config.toml", "run.json"),
    "digits-poison-50-bb": ("config.toml", "run.json"),
    "digits-random-20-cc": ("config.toml",),
}


@pytest.fixture
def out(tmp_path):
    for age, (name, files) in enumerate(RUNS.items()):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).touch()
            os.utime(folder / file, (age, age))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("digits-poison-20-aa", "digits-poison-20-aa"),
        ("digits-r", "digits-random-20-cc"),
        ("digits-poison-5", "digits-poison-50-bb"),
    ],
)
def test_a_run_is_found_by_its_name_or_how_that_begins(out, given, meant):
    assert find_run(given, out) == out / "runs" / meant
    assert find_run(str(out / "runs" / given), out / "elsewhere") == out / "runs" / meant


def test_one_of_several_requests_is_named_after_its_run(out):
    (out / "runs" / "digits-poison-20-aa" / "request-2").mkdir()
    assert find_run("digits-poison-20-aa/request-2", out).name == "request-2"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "digits-poison",
            "'digits-poison' may be any of digits-poison-50-bb, digits-poison-20-aa$",
        ),
        ("digts-random-20", "did you mean digits-random-20-cc"),
        ("some/where/else", "no run in some/where: make one with bench run"),
        ("nothing", "known: digits-random-20-cc, digits-poison-50-bb, digits-poison-20-aa$"),
    ],
)
def test_what_names_no_run_or_several_is_told_the_names(out, given, told):
    with pytest.raises(UserError, match=told):
        find_run(given, out)


def test_the_newest_finished_run_is_said_not_to_be_the_newest(out, capsys):
    assert newest_run(out).name == "digits-random-20-cc"
    assert newest_finished(out).name == "digits-poison-50-bb"
    assert "digits-random-20-cc is newer but not finished" in capsys.readouterr().err
    for name in RUNS:
        (out / "runs" / name / "run.json").unlink(missing_ok=True)
    assert newest_finished(out).name == "digits-random-20-cc"


@pytest.mark.parametrize("command", ["report", "score"])
def test_where_no_run_is_one_is_to_be_made(tmp_path, command, capsys):
    assert main([command, "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: no run in {tmp_path / 'runs'}: make one with bench run")


def test_a_request_is_found_by_how_the_name_of_its_run_begins(tmp_path):
    folder = tmp_path / "runs" / "digits-incremental-1" / "request-2"
    folder.mkdir(parents=True)
    (folder.parent / "config.toml").touch()
    assert find_run("digits-inc/request-2", tmp_path) == folder
    with pytest.raises(UserError, match="has no request-3: it has fewer requests"):
        find_run("digits-inc/request-3", tmp_path)
