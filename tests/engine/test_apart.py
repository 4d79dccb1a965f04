"""Rows of a user's own plugins have processes of their own: nothing they do reaches other rows."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import pytest

import bench
from bench.engine.apart import Row, RowProcesses
from bench.plugins.registry import Registry
from bench.stages.attempt import attempt
from bench.stages.cell import Cell, CellFailedError
from tests.helpers.comparing import assert_same
from tests.helpers.tiny_run import tiny

METHOD = '''"""A method for a test."""
import copy, os
from dataclasses import dataclass
import torch
from torch.nn import functional
from bench import Method

@dataclass(frozen=True)
class Mine(Method):
    mode: str = "ok"
    needs = ()

    def unlearn(self, model, task):
        if self.mode == "die":
            os._exit(0)
        if self.mode == "secret":  # no check can know every object
            task.recipe.settings.__dict__["lr"] = 1e-6
            task.retain._pool._pixels.zero_()
        if self.mode == "patch":
            functional.cross_entropy = lambda *_, **__: torch.zeros((), requires_grad=True)
            torch.set_grad_enabled(False)
        return copy.deepcopy(model)
'''
ATTACK = '''"""An attack for a test."""
import os
from bench import Readout, Score, Scores

def own(outputs, *, mode: str = "ok"):
    if mode == "die":
        os._exit(0)
    found = [Score(row, "pid", float(os.getpid()), 0.0, len(p)) for row, p in outputs.rows.items()]
    return Scores([Readout("pid", "process")], found)
'''


@pytest.fixture(scope="module")
def own_method(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "mine.py").write_text(METHOD)
    return str(folder / "mine.py")


@pytest.fixture
def out(tiny_run, tmp_path):
    """A copy of the tiny run's results: its models are trained already."""
    return Path(shutil.copytree(tiny_run.folder.parent.parent, tmp_path / "out"))


def numbers_of(run, row):
    frame = run.scores()
    kept = frame[(frame.row == row) & (frame.attack == "errors")]
    return kept.set_index("readout").value.to_dict()


def test_other_rows_are_what_they_are_without_the_plugin(own_method, out, tiny_run):
    other = "neggrad[epochs=2]"
    mine = [f"mine[mode={mode}]" for mode in ("secret", "patch", "die")]
    few = {"attacks": "errors", "jobs": 1, "timed": 1, "models": 1}
    run = bench.run(tiny(out, methods=mine, plugins=[own_method], **few), quiet=True)
    after = bench.run(tiny(out, methods=other, **few), quiet=True)
    alone = bench.run(tiny(tiny_run.folder.parent.parent, methods=other, **few), quiet=True)
    assert numbers_of(after, other) == numbers_of(alone, other)
    assert numbers_of(run, "retrain") == numbers_of(alone, "retrain")
    reasons = {row: failures[0]["reason"] for row, failures in run.failed.items()}
    assert reasons.keys() == {"mine[mode=patch]", "mine[mode=die]"}
    patched = reasons["mine[mode=patch]"]
    assert patched.startswith("method mine (mine.py) changed torch.nn.functional.cross_entropy, ")
    assert "torch's gradient mode" in patched
    assert reasons["mine[mode=die]"].startswith("method mine (mine.py) ended its process")


@pytest.mark.slow
def test_an_attack_of_the_users_has_a_process_of_its_own(tmp_path, out):
    file = tmp_path / "own.py"
    file.write_text(ATTACK)
    run = bench.run(tiny(out, attacks="errors,own", plugins=[str(file)]), quiet=True)
    frame = run.scores()
    assert os.getpid() not in set(frame[frame.readout == "pid"].value)
    config = tiny(out, attacks="errors,own[mode=die]", plugins=[str(file)])
    reasons = [one.reason for one in bench.run(config, quiet=True).scores_of.undefined]
    assert reasons
    assert all("attack own (own.py) ended its process" in reason for reason in reasons)


class Process:
    """Stands for a process that dies of so many cells, then lives."""

    deaths = 0

    def submit(self, *_work):
        self.future = Future()
        if Process.deaths:
            Process.deaths -= 1
            self.future.set_exception(BrokenProcessPool("killed"))
        else:
            self.future.set_result(None)
        return self.future

    def shutdown(self, **_how):
        pass


@pytest.mark.parametrize(("deaths", "failed"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_a_cell_is_tried_again_once_in_a_new_process(monkeypatch, caplog, deaths, failed):
    monkeypatch.setattr(Process, "deaths", deaths)
    lost = []
    store = SimpleNamespace(write_failure=lambda _stage, cell, _record: lost.append(cell))
    context = SimpleNamespace(store=store, key=lambda cell: cell)
    plugin = SimpleNamespace(label="mine", guest=SimpleNamespace(name="method mine"))
    row = Row(context, plugin, RowProcesses(Process), lambda *_cell: (), 1)
    cells = [Cell("unlearn", "mine", member) for member in range(3)]
    assert list(row.make(iter(cells), alone=False)) == cells
    assert lost == cells[:failed]


def test_a_process_is_kept_for_its_own_row_alone_and_few_wait():
    processes = RowProcesses(Process)
    first = processes.take("a")
    processes.give_back("a", first)
    other = processes.take("b")
    assert other is not first
    assert processes.take("a") is first
    processes.give_back("a", first)
    waiting = [processes.take(row) for row in "cdefg"]
    for row, process in zip("cdefg", waiting, strict=True):
        processes.give_back(row, process)
    assert processes.take("h") not in waiting
    assert processes.take("a") is not first  # it waited longest and was ended


def test_whatever_a_method_raises_is_a_failure_of_its_cell():
    plugin = Registry().resolve("methods", "ssd")
    for error in (SystemExit(0), GeneratorExit(), type("Odd", (BaseException,), {})("odd")):
        failing = pytest.raises(CellFailedError, match=type(error).__name__)
        with failing, attempt(Cell("unlearn", "ssd"), plugin):
            raise error


@pytest.mark.slow  # two runs that start processes of their own
def test_cells_of_a_row_share_processes_and_give_the_same_for_any_jobs(own_method, out, tmp_path):
    two = shutil.copytree(out, tmp_path / "two")
    known = {"methods": "mine", "attacks": "errors", "plugins": [own_method], "models": 2}
    runs = [bench.run(tiny(o, **known, jobs=j), quiet=True) for o, j in ((out, 1), (two, 2))]
    assert_same(*runs)
    assert not runs[0].failed
