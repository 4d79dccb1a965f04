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
from bench.engine.graph import load_stages
from bench.stages.context import Context
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
    def read(_context):
        pytest.fail("the data set was read")

    monkeypatch.setattr(Context, "data", property(read))


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


def test_a_copy_without_weights_is_scored_all_the_same(tiny_run, tmp_path, no_data):
    folder = copied(tiny_run, tmp_path / "out")
    records = len(list((tmp_path / "out").rglob("*.json")))
    for weights in (tmp_path / "out" / "store").rglob("*.safetensors"):
        weights.unlink()
    assert_same_records(tiny_run, bench.score_stored(folder, quiet=True))
    assert len(list((tmp_path / "out").rglob("*.json"))) == records + 1  # its run.json


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
    alone = shutil.copytree(folder, tmp_path / "alone")
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-9])
    assert main(["score", str(folder), "-q"]) == 1
    assert (
        f"damaged file {manifest} (its checksum does not match): {how}" in capsys.readouterr().err
    )
    assert main(["score", str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err
    assert main(["score", str(alone), "-q"]) == 1
    assert "alone lies in no results folder" in capsys.readouterr().err
    assert not (folder / "run.json").exists()


ATTACK = '''"""How many outputs there are."""
from bench import Readout, Score, Scores

READOUTS = [Readout("size", "outputs", "high", 0.0)]


def size(outputs):
    count = float(len(outputs.labels["test"].true))
    return Scores(READOUTS, [Score(row, "size", count, 0.0, 1) for row in outputs.rows])
'''


@pytest.mark.slow
def test_scoring_needs_the_code_of_no_method_and_loads_an_attack_only_if_it_is_named(
    tmp_path, capsys
):
    (tmp_path / "mine.py").write_text(HALVED)
    (tmp_path / "size.py").write_text(ATTACK)
    plugins = [str(tmp_path / name) for name in ("mine.py", "size.py")]
    few = {"models": 1, "attacks": "errors,size", "methods": "mine", "train": {"epochs": 1}}
    run = bench.run(tiny(tmp_path / "out", plugins=plugins, **few), quiet=True)
    (run.folder / "run.json").unlink()
    (tmp_path / "mine.py").unlink()
    assert main(["score", str(run.folder), "-q"]) == 1
    assert "unknown attack 'size'" in capsys.readouterr().err
    assert main(["score", str(run.folder), "-q", "--plugin", str(tmp_path / "size.py")]) == 0
    assert_same(run, bench.Run.load(run.folder))


def test_outputs_are_read_from_a_copy_without_its_data_set(tiny_run, tmp_path, no_data):
    folder = copied(tiny_run, tmp_path / "out")
    shutil.copy(tiny_run.folder / "run.json", folder)
    ours, theirs = (run.outputs("ssd") for run in (tiny_run, bench.Run.load(folder)))
    assert np.array_equal(ours.logits["test"], theirs.logits["test"])
    shutil.rmtree(tmp_path / "out" / "store")
    with pytest.raises(bench.UserError, match=r"cells are missing in .*store"):
        bench.Run.load(folder).outputs("ssd")


def test_scoring_loads_no_library_in_its_threads(tiny_run, tmp_path):
    """Two threads that first import parts of scikit-learn at once may stop each other."""
    folder = copied(tiny_run, tmp_path / "out")
    code = (
        "import sys, bench.engine.local as local, bench.engine.run as p; from pathlib import Path\n"
        "score = local.make_and_store\n"
        "def watched(*given):\n"
        "    before = set(sys.modules)\n"
        "    try: return score(*given)\n"
        "    finally: new.update(set(sys.modules) - before)\n"
        "new = set(); local.make_and_store = watched\n"
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

    def make_again(_stage, _context, cell, _alone):
        pytest.fail(f"{cell} was made again")

    for name in ("train", "prepare", "unlearn", "predict"):
        monkeypatch.setattr(type(load_stages()[name]), "make", make_again)
    run = bench.run(tiny(tmp_path / "both", methods="finetune[epochs=1],ssd", **few), quiet=True)
    assert [run.record["rows"][row]["done"] for row in ("finetune[epochs=1]", "ssd")] == [2, 2]
