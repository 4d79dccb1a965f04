"""A folder of results that somebody sent: reading it executes nothing and writes nowhere else."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from bench.cli.app import main
from bench.config.load import load_config
from bench.results.find import find_run
from bench.storage.records import describe_file, pack_arrays, read_record
from bench.storage.store import Store
from tests.helpers.adversary import rewrite, send

TEXTS = ("--format", "csv,md,latex,json")


@pytest.fixture
def mark(tmp_path):
    """A file that exists once something was executed."""
    return tmp_path / "executed"


@pytest.fixture
def sent(tiny_run, tmp_path, mark, monkeypatch):
    """A run's folder that an adversary sent, and a working directory with a file of his."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return send(tiny_run, tmp_path / "sent", mark)


def said(capsys):
    """What a command printed, which holds no character that acts on a terminal."""
    printed = capsys.readouterr()
    for text in printed:
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    return printed


def refused(arguments, capsys):
    """The one line with which a command refuses; what it printed before does not count."""
    capsys.readouterr()
    assert main([str(part) for part in arguments]) == 1
    error = said(capsys).err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_a_report_executes_nothing_and_says_that_the_configuration_was_edited(sent, mark, capsys):
    assert main(["report", str(sent), *TEXTS]) == 0
    printed = said(capsys)
    assert "config.toml was edited after the run" in printed.err
    assert "\\x1b[31mred\\x07" in printed.out
    assert not mark.exists()
    assert not (sent.parent.parent.parent / "escape").exists()


def test_scoring_executes_nothing_and_refuses_an_edited_configuration(sent, mark, capsys):
    before = (sent / "run.json").read_bytes()
    error = refused(["score", sent, "-q"], capsys)
    assert "config.toml was edited" in error
    assert (sent / "run.json").read_bytes() == before
    assert not mark.exists()


def test_a_run_asks_before_it_executes_plugins_that_a_folder_names(sent, mark, capsys):
    for more in ([], ["--dry-run"]):
        error = refused(["run", "--config", sent / "config.toml", *more], capsys)
        assert "names plugins, whose code would be executed" in error
        assert "--plugin plugin.py" in error
    assert not mark.exists()
    named = load_config({"plugins": "mine.py"}, str(sent / "config.toml"))  # by the user, who may
    assert named.plugins == ["mine.py"]


def test_a_smaller_population_in_the_configuration_is_refused(tiny_run, tmp_path, capsys):
    shutil.copytree(tiny_run.folder.parent.parent, tmp_path / "out")
    folder = tmp_path / "out" / "runs" / tiny_run.folder.name
    assert main(["score", str(folder), "-q"]) == 0
    config, record = folder / "config.toml", (folder / "run.json").read_bytes()
    config.write_text(config.read_text().replace("models = 3", "models = 2"))
    assert "undo the change" in refused(["score", folder, "-q"], capsys)
    assert (folder / "run.json").read_bytes() == record


def test_a_report_goes_through_no_link_that_the_folder_holds(tiny_run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder, ignore=shutil.ignore_patterns("report"))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "index.html").write_text("precious")
    (folder / "report").symlink_to(theirs)
    assert "is a link" in refused(["report", folder, *TEXTS], capsys)
    (folder / "report").unlink()
    (folder / "report").mkdir()
    (folder / "report" / "table.md").symlink_to(theirs / "index.html")
    assert main(["report", str(folder), *TEXTS]) == 0
    assert (theirs / "index.html").read_text() == "precious"
    assert [path.name for path in theirs.iterdir()] == ["index.html"]


def test_opening_a_store_that_is_a_link_deletes_nothing_of_others(tmp_path):
    theirs = tmp_path / "theirs" / "kind" / "ab"
    theirs.mkdir(parents=True)
    for name in ("poetry.lock", "0123.lock", ".tmp-notes"):
        (theirs / name).touch()
        os.utime(theirs / name, (0, 0))
    ours = theirs / f"{'a' * 32}.lock"
    ours.touch()
    os.utime(ours, (0, 0))
    (tmp_path / "store").symlink_to(tmp_path / "theirs")
    Store(tmp_path / "store").open()
    assert {path.name for path in theirs.iterdir()} == {"poetry.lock", "0123.lock", ".tmp-notes"}


RECORDS = {
    "no models": lambda record: record["config"].update(models=0),
    "many models": lambda record: record["config"].update(models=10**12),
    "no text": lambda record: record["data"].update(name=["a"]),
    "no rows": lambda record: record.pop("rows"),
    "no list": lambda record: record["rows"]["ssd"].update(notes=3),
    "no table": lambda record: record.update(scores=[1, 2]),
    "unknown readout": lambda record: record["scores"][0].update(readout="nothing"),
    "many requests": lambda record: record.update(requests=10**9),
    "no checksum": lambda record: record.update(curves={"file": "curves.npz"}),
    "large file": lambda record: record["curves"].update(bytes=10**12),
}


@pytest.mark.parametrize("change", RECORDS)
def test_a_record_of_a_wrong_shape_is_one_line(change, tiny_run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder, ignore=shutil.ignore_patterns("report"))
    record = read_record(folder / "run.json")
    RECORDS[change](record)
    rewrite(folder / "run.json", record)
    assert "run.json" in refused(["report", folder, *TEXTS], capsys).replace(
        "curves.npz", "run.json"
    )


@pytest.mark.parametrize("content", [b"[" * 10**6, b"{}," * 10**6, b" " * (2**26 + 1)])
def test_a_record_that_would_fill_the_memory_is_one_line(content, tiny_run, tmp_path, capsys):
    (tmp_path / "run.json").write_bytes(content)
    assert "run.json" in refused(["report", tmp_path], capsys)


@pytest.mark.parametrize("target", ["/dev/zero", "/etc", "nowhere", "run.json"])
def test_a_record_that_is_a_link_is_one_line(target, tmp_path, capsys):
    (tmp_path / "run.json").symlink_to(target)
    refused(["report", tmp_path], capsys)


def test_arrays_of_a_wrong_shape_are_one_line(tiny_run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder, ignore=shutil.ignore_patterns("report"))
    record = read_record(folder / "run.json")
    for content in (b"no archive", pack_arrays({"curves-0-y": [object()]})):
        (folder / "curves.npz").write_bytes(content)
        record["curves"] = describe_file(folder / "curves.npz", content)
        rewrite(folder / "run.json", record)
        assert "curves.npz" in refused(["report", folder, *TEXTS], capsys)


def test_keys_in_a_manifest_are_names_of_files_and_no_paths(tiny_run, tmp_path, capsys):
    shutil.copytree(tiny_run.folder.parent.parent, tmp_path / "out")
    folder = tmp_path / "out" / "runs" / tiny_run.folder.name
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["keys"][0][1]["0"] = "../../../../etc/passwd"
    rewrite(folder / "manifest.json", manifest)
    assert "manifest.json" in refused(["score", folder, "-q"], capsys)
    assert find_run(str(folder), tmp_path) == folder
