"""A disk that is full at any moment of a run: one line, nothing half-written, equal numbers."""

from __future__ import annotations

import errno
import os

import bench
from bench.cli.app import main
from bench.errors import UserError
from bench.storage import files
from tests.helpers.tiny_run import tiny

SMALL = {"methods": "ssd", "attacks": "errors", "models": 1, "timed": 0, "train": {"epochs": 1}}


def numbers(run):
    scores = run.scores()
    return scores[scores["attack"] != "cost"].to_json(double_precision=15)


class FullDisk:
    """Stands for ``os.fsync``: from the given call on, there is no room."""

    def __init__(self, room):
        self.room = room

    def __call__(self, _file):
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_any_write_of_a_run_costs_nothing_that_was_finished(
    tmp_path, monkeypatch
):
    expected = numbers(bench.run(tiny(tmp_path / "whole", **SMALL), quiet=True))
    config, room, lines, run = tiny(tmp_path / "out", **SMALL), 0, [], None
    while run is None:
        monkeypatch.setattr(files.os, "fsync", FullDisk(room))
        try:
            run = bench.run(config, quiet=True)
        except UserError as error:
            lines.append(str(error))
        assert not list((tmp_path / "out").rglob(".tmp-*"))
        room += 2  # the probe of the folder succeeds, and each time one write more
        assert room < 60
    assert numbers(run) == expected
    assert len(lines) > 5
    for line in lines:
        assert line.startswith("cannot write")
        assert "No space left on device" in line
        assert "\n" not in line


def test_a_report_on_a_full_disk_is_one_line(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files.os, "fsync", FullDisk(0))
    assert main(["report", str(tiny_run.folder), "--to", str(tmp_path), "--format", "md"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: cannot write")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
