"""Rows of a user's own plugins have processes of their own: nothing they do reaches other rows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import bench
from bench.errors import UserError
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
        if self.mode == "once" and not os.path.exists(FLAG):
            open(FLAG, "w").close()
            os._exit(1)
        if self.mode == "secret":  # no check can know every object
            task.recipe.settings.__dict__["lr"] = 1e-6
            task.retain._pool._pixels.zero_()
        if self.mode == "patch":
            functional.cross_entropy = lambda *_, **__: torch.zeros((), requires_grad=True)
            torch.set_grad_enabled(False)
        if self.mode == "interrupt":
            raise KeyboardInterrupt
        return copy.deepcopy(model)
'''
ATTACK = '''"""An attack for a test."""
import os
from bench import Readout, Score, Scores

def own(outputs, *, mode: str = "ok"):
    if mode == "die":
        os._exit(0)
    if mode == "write":
        outputs.rows["original"].logits["test"][:] = 0
    found = [Score(row, "pid", float(os.getpid()), 0.0, len(p)) for row, p in outputs.rows.items()]
    return Scores([Readout("pid", "process")], found)
'''


@pytest.fixture(scope="module")
def own_method(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "mine.py").write_text(METHOD.replace("FLAG", repr(str(folder / "flag"))))
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
    mine = [f"mine[mode={mode}]" for mode in ("secret", "patch", "die", "once", "interrupt")]
    few = {"attacks": "errors", "jobs": 1, "timed": 1, "models": 2}
    run = bench.run(tiny(out, methods=mine, plugins=[own_method], **few), quiet=True)
    after = bench.run(tiny(out, methods=other, **few), quiet=True)
    alone = bench.run(tiny(tiny_run.folder.parent.parent, methods=other, **few), quiet=True)
    assert numbers_of(after, other) == numbers_of(alone, other)
    assert numbers_of(run, "retrain") == numbers_of(alone, "retrain")
    reasons = {row: failures[0]["reason"] for row, failures in run.failed.items()}
    assert reasons.keys() == {f"mine[mode={mode}]" for mode in ("patch", "die", "interrupt")}
    patched = reasons["mine[mode=patch]"]
    assert patched.startswith("method mine (mine.py) changed torch.nn.functional.cross_entropy, ")
    assert "torch's gradient mode" in patched
    assert reasons["mine[mode=die]"].startswith("method mine (mine.py) ended its process")
    assert reasons["mine[mode=interrupt]"] == "KeyboardInterrupt"
    assert run.record["rows"]["mine[mode=once]"]["done"] == 2


def test_an_attack_of_the_users_has_a_process_and_cannot_write(tmp_path, out):
    file = tmp_path / "own.py"
    file.write_text(ATTACK)
    run = bench.run(tiny(out, attacks="errors,own", plugins=[str(file)]), quiet=True)
    frame = run.scores()
    assert os.getpid() not in set(frame[frame.readout == "pid"].value)
    for mode, message in (("die", r"own \(own.py\) ended its process"), ("write", "read-only")):
        config = tiny(out, attacks=f"errors,own[mode={mode}]", plugins=[str(file)])
        with pytest.raises(UserError, match=message):
            bench.run(config, quiet=True)


def test_cells_of_a_row_share_processes_and_give_the_same_for_any_jobs(own_method, out, tmp_path):
    two = shutil.copytree(out, tmp_path / "two")
    known = {"methods": "mine", "attacks": "errors", "plugins": [own_method], "models": 2}
    runs = [bench.run(tiny(o, **known, jobs=j), quiet=True) for o, j in ((out, 1), (two, 2))]
    assert_same(*runs)
    assert not runs[0].failed
