"""The whole way on real data: same numbers for any jobs, after any kill, and from the store."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench.config.load import dump_toml
from bench.engine.graph import open_context
from bench.engine.recover import recovering
from bench.errors import DamagedError, UserError
from bench.stages.cell import Cell
from tests.helpers.comparing import assert_same
from tests.helpers.tiny_run import tiny

SLOW = pytest.mark.slow  # .ci/run runs these, too
PLUGIN = '''"""A method for a test: fails, or returns weights that are not finite, if asked to."""
import copy
from dataclasses import dataclass
import torch
from bench import Method

@dataclass(frozen=True)
class Mine(Method):
    mode: str = "fail"
    needs = ()

    def unlearn(self, model, task):
        if self.mode == "fail":
            raise RuntimeError("no luck")
        model = copy.deepcopy(model)
        unlucky = torch.rand((), generator=task.rng) < 0.5
        if self.mode == "nan" or (self.mode == "some" and unlucky):
            with torch.no_grad():
                next(model.parameters()).fill_(float("nan"))
        if self.mode == "huge":
            with torch.no_grad():
                for weight in model.parameters():
                    weight.fill_(1e38)
        return model
'''


def all_weights(config):
    context = open_context(config)
    cells = [context.model_cell(row, i, None) for row in context.rows for i in context.members]
    return {cell: context.store.tensors(cell.stage, context.key(cell)) for cell in cells}


def test_every_row_and_readout_is_there(tiny_run):
    frame = tiny_run.scores()
    rows = [
        "original",
        "retrain",
        "finetune[epochs=2]",
        "neggrad",
        "ssd",
        "pgu[epochs=4]",
        "constant",
    ]
    assert list(dict.fromkeys(frame.row)) == rows
    for row in rows:
        readouts = set(frame[frame.row == row].readout)
        assert {
            "forget_error",
            "test_error",
            "forget_entropy_js",
            "mia_auc",
            "forgetting_quality",
        } <= readouts
    costs = frame[(frame.row == "ssd") & frame.readout.isin(["time_s", "forward_examples"])]
    assert (costs.value > 0).all()


def test_golden_numbers(tiny_run):
    """Pinned means of the tiny run; wide enough for other processors' rounding."""
    frame = tiny_run.scores().set_index(["row", "readout"]).value
    golden = {
        ("original", "forget_error"): 0.133,
        ("original", "test_error"): 0.206,
        ("retrain", "test_error"): 0.121,
        ("retrain", "forget_error_true"): 0.158,
        ("constant", "test_error"): 0.900,
        ("pgu[epochs=4]", "test_error"): 0.203,
        ("ssd", "retain_error"): 0.740,
    }
    assert {key: float(frame[key]) for key in golden} == pytest.approx(golden, abs=0.04)


def test_equal_for_any_number_of_jobs(tiny_run, tmp_path):
    parallel = tiny(tmp_path, jobs=2)
    assert_same(tiny_run, bench.run(parallel, quiet=True))
    one = all_weights(tiny(tiny_run.folder.parent.parent))
    two = all_weights(parallel)
    for cell, weights in one.items():
        assert all(torch.equal(weights[name], two[cell][name]) for name in weights), cell


def test_a_second_run_makes_nothing_again(tiny_run):
    config = tiny(tiny_run.folder.parent.parent)
    store = open_context(config).store.folder
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.*")}
    again = bench.run(config, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.*")} == before
    assert_same(tiny_run, again)


def test_a_run_with_one_more_method_reuses_what_is_there(tiny_run, tmp_path):
    out = tiny_run.folder.parent.parent
    store = open_context(tiny(out)).store.folder
    trained = len(list((store / "train").rglob("*.json")))
    more = bench.run(tiny(out, methods="ssd,ssd[alpha=2]", attacks="errors"), quiet=True)
    assert len(list((store / "train").rglob("*.json"))) == trained
    assert len(list((store / "prepare").rglob("*.json"))) == 6  # pgu and ssd, shared by both ssd
    same = [
        run.scores().query("row == 'ssd' and readout == 'test_error'").value.item()
        for run in (tiny_run, more)
    ]
    assert same[0] == same[1]


@pytest.mark.parametrize("artefacts", [9, *(pytest.param(n, marks=SLOW) for n in (1, 20))])
def test_killed_and_repeated_gives_the_same_numbers(tiny_run, tmp_path, artefacts):
    config = tiny(tmp_path)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(dump_toml(config.model_dump(mode="json")))
    command = [sys.executable, "-m", "bench", "run", "-q", "--config", str(recipe)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    store = tmp_path / "store"
    while len(list(store.rglob("*.json"))) <= artefacts and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}
    run = bench.run(config, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert_same(tiny_run, run)


@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=SLOW)])
def test_interrupting_is_clean_and_says_how_to_go_on(tmp_path, sent):
    command = [sys.executable, "-m", "bench", "run", "-q", "--jobs", "1", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.rglob("train/*/*.json")):
        time.sleep(0.02)
    process.send_signal(sent)
    _out, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert messages.strip() == "interrupted; repeat the command to go on from here"


def test_failed_cells_are_rows_with_a_reason_and_stop_nothing(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    run = bench.run(
        tiny(
            tmp_path,
            methods="mine,mine[mode=nan],mine[mode=huge],mine[mode=some],ssd",
            models=4,
            plugins=[str(file)],
            attacks="errors",
        ),
        quiet=True,
    )
    assert set(run.failed) == {"mine", *(f"mine[mode={m}]" for m in ("nan", "huge", "some"))}
    huge = run.failed["mine[mode=huge]"][0]["reason"]
    assert huge == "returned a model with non-finite outputs on the forget set"
    assert run.failed["mine"][0]["reason"] == "RuntimeError: no luck"
    assert (
        "RuntimeError: no luck"
        in json.loads(Path(run.failed["mine"][0]["file"]).read_text())["traceback"]
    )
    assert "non-finite" in run.failed["mine[mode=nan]"][0]["reason"]
    some = run.record["rows"]["mine[mode=some]"]
    assert 0 < some["done"] < 4
    assert some["done"] + len(some["failures"]) == 4
    frame = run.scores().set_index(["row", "readout"])
    assert frame.loc[("mine[mode=some]", "test_error"), "models"] == some["done"]
    assert ("mine", "test_error") not in frame.index
    assert ("ssd", "test_error") in frame.index


@SLOW
def test_failed_cells_are_tried_again(tmp_path):
    file, flag = tmp_path / "mine.py", tmp_path / "fail"
    condition = f'__import__("pathlib").Path({str(flag)!r}).exists()'
    file.write_text(PLUGIN.replace('self.mode == "fail"', condition))
    config = tiny(
        tmp_path, methods="mine[mode=ok]", plugins=[str(file)], attacks="errors", models=1
    )
    flag.touch()
    assert bench.run(config, quiet=True).failed
    flag.unlink()
    assert not bench.run(config, quiet=True).failed


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=SLOW)])
def test_a_plugin_that_was_edited_is_run_anew_in_the_same_process(tmp_path, jobs):
    file = tmp_path / "mine.py"
    config = tiny(
        tmp_path,
        methods="mine[mode=ok]",
        plugins=[str(file)],
        attacks="errors",
        models=2,
        jobs=jobs,
    )
    file.write_text(PLUGIN.replace('self.mode == "fail"', "True"))
    assert len(bench.run(config, quiet=True).failed["mine[mode=ok]"]) == 2
    file.write_text(PLUGIN)
    assert not bench.run(config, quiet=True).failed


def test_variants_of_an_attack_stand_side_by_side(tmp_path, tiny_run):
    variants = "forgetting-quality,forgetting-quality[direction=up]"
    out = tiny_run.folder.parent.parent
    frame = bench.run(tiny(out, attacks=variants), quiet=True).scores()
    names = {name for name in frame.readout if "quality" in name}
    assert names == {"forgetting_quality", "forgetting_quality[direction=up]"}
    assert not frame.duplicated(["row", "readout"]).any()


def test_results_can_be_moved(tmp_path):
    run = bench.run(tiny(tmp_path / "here", methods="ssd", attacks="errors", models=1), quiet=True)
    before = run.outputs("ssd").logits["test"]
    (tmp_path / "here").rename(tmp_path / "there")
    moved = bench.Run.load(tmp_path / "there" / "runs" / run.folder.name)
    assert np.array_equal(moved.outputs("ssd").logits["test"], before)
    assert_same(run, moved)


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_damaged_files_are_set_aside_and_made_anew_by_the_same_command(tmp_path, capsys):
    config = tiny(tmp_path, methods="ssd", attacks="errors", models=2)
    first = bench.run(config, quiet=True)
    context = open_context(config)
    store = context.store.folder

    def file(stage, row, suffix):
        (found,) = store.rglob(context.key(Cell(stage, row, 0)) + suffix)
        return found

    weights = file("train", "original", ".safetensors")
    weights.write_bytes(weights.read_bytes()[:100])
    split = file("split", "", ".npz")
    damaged = [file("unlearn", "ssd", ".json"), file("predict", "retrained", ".npz"), split]
    for each in damaged:
        flip(each)
    damaged.append(weights)
    others = set(store.rglob("*.*")) - {
        e.with_suffix(s) for e in damaged for s in (".json", ".npz", ".safetensors")
    }
    before = {path: path.stat().st_mtime_ns for path in others}
    capsys.readouterr()
    assert_same(first, bench.run(config, quiet=True))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(damaged)
    for each in damaged:
        assert each.with_name(f"{each.name}.damaged").exists()
        assert sum(f"damaged file {each} " in line for line in told) == 1
    assert {path: path.stat().st_mtime_ns for path in others} == before


def test_a_file_that_is_damaged_again_and_again_is_told_once_and_given_up(capsys):
    def broken():
        raise DamagedError("damaged file x: set aside")

    with pytest.raises(DamagedError, match="damaged file x"):
        recovering(broken)
    assert capsys.readouterr().err == "damaged file x: set aside\n"


def test_work_goes_on_after_a_worker_was_killed_unless_that_happens_again_and_again(capsys):
    tries = iter(range(9))

    def work(until):
        if next(tries) < until:
            raise BrokenProcessPool("killed")
        return "done"

    assert recovering(lambda: work(2)) == "done"
    assert capsys.readouterr().err.count("a worker process was killed (out of memory?)") == 2
    with pytest.raises(UserError, match="go on with fewer --jobs"):
        recovering(lambda: work(9))


def test_a_full_disk_is_one_line_and_what_was_finished_is_kept(tmp_path, monkeypatch):
    config = tiny(tmp_path, methods="ssd", attacks="errors", models=2)
    fsync, room = os.fsync, iter(range(9))

    def full(file):
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr("bench.storage.files.os.fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device; make room"):
        bench.run(config, quiet=True)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")}
    assert len(finished) > 1
    assert not list(tmp_path.rglob(".tmp-*"))
    monkeypatch.undo()
    bench.run(config, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_cost_of_cells_is_timed_on_the_first_members_only(tiny_run):
    for record in tiny_run.record["rows"].values():
        times = [cost["time_s"] is not None for cost in record["cost"]]
        assert times == [True, False, False]
    passes = {cost["forward_examples"] for cost in tiny_run.record["rows"]["retrain"]["cost"]}
    sizes = tiny_run.record["sizes"]
    assert passes == {15 * sizes["retain"]}


def test_a_finished_run_is_an_object(tiny_run):
    again = bench.Run.load(tiny_run.folder)
    assert_same(tiny_run, again)
    population = again.outputs("ssd")
    assert population.logits["test"].shape == (3, tiny_run.record["sizes"]["test"], 10)
    with pytest.raises(UserError, match="no row 'nope'"):
        again.outputs("nope")
    with pytest.raises(UserError, match="holds no run"):
        bench.Run.load(tiny_run.folder / "nope")


def test_provenance_and_configuration_are_kept(tiny_run):
    record = tiny_run.record
    assert {"bench", "python", "libraries", "processor", "git"} <= record["provenance"].keys()
    assert record["provenance"]["libraries"]["torch"] == torch.__version__.partition("+")[0]
    assert (tiny_run.folder / "config.toml").read_text().startswith('dataset = "digits"')


def test_the_callers_random_state_and_threads_are_left_alone(tmp_path):
    from bench.seeds import global_state

    before, threads = global_state(), torch.get_num_threads()
    bench.run(tiny(tmp_path, models=1, methods="ssd", attacks="errors"), quiet=True)
    assert global_state() == before
    assert torch.get_num_threads() == threads


def test_scores_need_neither_models_nor_torch(tiny_run):
    """A laptop can report without the store, and reporting imports no torch."""
    code = (
        "import sys; from bench.results.run import Run; "
        f"Run.load({str(tiny_run.folder)!r}).table(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NO_COLOR": "1"})


def test_training_and_prediction_need_neither_xgboost_nor_matplotlib(tmp_path):
    code = (
        "import sys; sys.modules['xgboost'] = sys.modules['matplotlib'] = None; "
        "import bench; from tests.helpers.tiny_run import tiny; from pathlib import Path; "
        f"bench.run(tiny(Path({str(tmp_path)!r}), models=1, methods='ssd', attacks='errors'), True)"
    )
    root = Path(bench.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_what_is_no_configuration_is_one_line():
    with pytest.raises(UserError, match="a Config or a dict of its keys, not int"):
        bench.run(5)
