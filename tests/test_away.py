"""Results that travel: scored without their data set, and stores that are copied together."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import bench
from bench.cli import main
from bench.experiment import Experiment
from tests.conftest import tiny
from tests.test_run import assert_same

REQUESTS = {
    "dataset": "breast-cancer",
    "model": "mlp[width=8]",
    "subset": 120,
    "scenario": "incremental[requests=2,count=10]",
    "methods": "ssd",
    "attacks": "errors,entropy",
    "models": 1,
    "train": {"epochs": 3},
}


def copied(run, folder):
    """The run's folder in a copy of all results, its records gone."""
    out = run.folder.parent.parent
    shutil.copytree(out, folder, ignore=shutil.ignore_patterns("run.json", "report"))
    return folder / run.folder.relative_to(out)


@pytest.fixture
def no_data(monkeypatch):
    def read(_experiment):
        pytest.fail("the data set was read")

    monkeypatch.setattr(Experiment, "data", property(read))


def assert_same_records(first, second):
    other = {"finished", "config", "curves", "extras", "check"}
    assert first.record.keys() == second.record.keys()
    for name in first.record.keys() - other:
        assert first.record[name] == second.record[name], name
    assert first.extras.keys() == second.extras.keys()
    for name, array in first.extras.items():
        assert np.array_equal(array, second.extras[name]), name
    assert_same(first, second)


def test_a_copy_is_scored_without_its_data_set(tiny_run, tmp_path, no_data):
    folder = copied(tiny_run, tmp_path / "out")
    assert_same_records(tiny_run, bench.score_stored(folder, quiet=True))


def test_what_is_made_but_not_scored_is_told_so(tiny_run, tmp_path, no_data, capsys):
    folder = copied(tiny_run, tmp_path / "out")
    assert main(["report", str(folder)]) == 1
    assert f"is made but not scored; go on with: bench score {folder}" in capsys.readouterr().err


def test_so_are_several_requests_and_a_table(tmp_path, request):
    run = bench.run(tiny(tmp_path / "here", **REQUESTS), quiet=True)
    first = bench.Run.load(run.folder / "request-1")
    request.getfixturevalue("no_data")
    again = bench.score_stored(copied(run, tmp_path / "there"), quiet=True)
    assert_same_records(run, again)
    assert_same_records(first, again.requests[0])


def test_what_is_missing_is_one_line(tiny_run, tmp_path, capsys):
    folder = copied(tiny_run, tmp_path / "out")
    for record in (tmp_path / "out" / "store" / "predict").rglob("*.json"):
        record.unlink()
    how = f"make it where the data set is, with: bench run --config {folder / 'config.toml'}"
    assert main(["score", str(folder), "-q"]) == 1
    told = capsys.readouterr().err
    assert "21 cells are missing" in told
    assert how in told
    data = folder / "data.npz"
    data.write_bytes(data.read_bytes()[:-1])
    assert main(["score", str(folder), "-q"]) == 1
    assert f"damaged file {data} (its checksum does not match): {how}" in capsys.readouterr().err
    assert main(["score", str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err
    assert not (folder / "run.json").exists()


def test_stores_that_are_copied_together_are_one_store(tmp_path, monkeypatch):
    few = {"models": 2, "attacks": "errors", "train": {"epochs": 3}}
    for half in ("finetune[epochs=1]", "ssd"):
        bench.run(tiny(tmp_path / half, methods=half, **few), quiet=True)
        both = tmp_path / "both" / "store"
        shutil.copytree(tmp_path / half / "store", both, dirs_exist_ok=True)

    def made(_experiment, cell, _alone):
        pytest.fail(f"{cell} was made again")

    for stage in ("train", "unlearn", "predict"):
        monkeypatch.setattr(f"bench.stages.{stage}.{stage}", made)
    monkeypatch.setattr("bench.stages.unlearn.prepare", made)
    run = bench.run(tiny(tmp_path / "both", methods="finetune[epochs=1],ssd", **few), quiet=True)
    assert [run.record["rows"][row]["done"] for row in ("finetune[epochs=1]", "ssd")] == [2, 2]
