"""Results that travel: scored without their data set, and stores that are copied together."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench
from bench.cli.app import main
from bench.stages.context import Experiment
from tests.helpers.comparing import assert_same
from tests.helpers.tiny_run import tiny

ROOT = Path(bench.__file__).parent.parent
HALVED = '''"""Halves all weights."""
import copy
from dataclasses import dataclass
import torch
from bench import Method


@dataclass(frozen=True)
class Mine(Method):
    needs = ()

    @torch.no_grad()
    def unlearn(self, model, task):
        model = copy.deepcopy(model)
        for weight in model.parameters():
            weight.mul_(0.5)
        return model
'''
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
    alone = shutil.copytree(folder, tmp_path / "alone")
    assert main(["score", str(alone), "-q"]) == 1
    assert "alone lies in no results folder" in capsys.readouterr().err
    assert not (folder / "run.json").exists()


def test_plugins_of_a_run_may_be_elsewhere_now(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(HALVED)
    few = {"models": 1, "attacks": "errors", "methods": "mine", "train": {"epochs": 1}}
    run = bench.run(tiny(tmp_path / "out", plugins=[str(tmp_path / "mine.py")], **few), quiet=True)
    (moved := tmp_path / "moved").mkdir()
    (tmp_path / "mine.py").rename(moved / "mine.py")
    (run.folder / "run.json").unlink()
    assert main(["score", str(run.folder), "-q"]) == 1
    assert "needs the plugin mine.py: add --plugin FILE" in capsys.readouterr().err
    assert main(["score", str(run.folder), "-q", "--plugin", str(moved / "mine.py")]) == 0
    assert_same(run, bench.Run.load(run.folder))


def test_scoring_loads_no_library_in_its_threads(tiny_run, tmp_path):
    """Two threads that first import parts of scikit-learn at once may stop each other."""
    folder = copied(tiny_run, tmp_path / "out")
    code = (
        "import sys, threading, bench.engine.run as p; from pathlib import Path\n"
        "score = p.score\n"
        "def watched(*given):\n"
        "    there = set(sys.modules)\n"
        "    try: return score(*given)\n"
        "    finally: new.update(set(sys.modules) - there)\n"
        "new = set(); p.score = watched\n"
        f"p.score_stored(Path({str(folder)!r}), quiet=True)\n"
        "late = sorted(n for n in new if n.partition('.')[0] in ('sklearn', 'xgboost', 'scipy'))\n"
        "assert not late, late"
    )
    for made in (tmp_path / "out" / "store").glob("score*"):
        shutil.rmtree(made)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


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
