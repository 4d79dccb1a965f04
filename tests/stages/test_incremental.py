"""Requests one after another: who is asked for when, what each starts from, and what is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bench
from bench import seeds
from bench.builtin.scenarios.incremental import incremental
from bench.cli.app import main
from bench.config.load import dump_toml
from bench.engine.execute import execute_in_worker
from bench.engine.graph import open_context
from bench.errors import UserError
from bench.methods.shared.projection import input_covariances
from bench.plugins.registry import Registry
from bench.plugins.scenario import TrainingSet
from bench.results.costs import shares_so_far, time_shares
from bench.results.tidy import requests_table
from bench.stages.cell import Cell
from bench.stages.networks import Networks
from bench.stages.unlearn import carry, given, prepared_statistics
from tests.helpers.tiny_run import tiny

REGISTRY = Registry()
SCENARIO = "incremental[requests=3,count=20]"
COUNTING = '''"""A method for a test: says what it was given, and adds one to the last bias."""
import copy
from dataclasses import dataclass
from pathlib import Path
import torch
from bench import Method

@dataclass(frozen=True)
class Counting(Method):
    fail_if: str = ""
    needs = ()

    def prepare(self, model, data):
        return {"gone": torch.zeros(1)}

    def carried(self, model, task):
        return {"gone": task.statistics["gone"] + len(task.forget)}

    def unlearn(self, model, task):
        if self.fail_if and Path(self.fail_if).exists():
            raise RuntimeError("no luck")
        gone = int(task.statistics["gone"])
        task.note(f"{len(task.forget)} of {len(task.forget) + len(task.retain)}, {gone} before")
        model = copy.deepcopy(model)
        with torch.no_grad():
            list(model.parameters())[-1].add_(1)
        return model
'''


def draw(labels, draw_seed=0, **how):
    training = TrainingSet(labels, tuple("abcd"))
    return incremental(training, np.random.default_rng(draw_seed), **how)


@pytest.mark.parametrize(
    ("how", "sizes"),
    [
        ({"requests": 3, "count": 8}, [2, 2, 2, 2]),
        ({"requests": 2, "count": 10}, [3, 3, 2, 2]),
        ({"requests": 2, "fraction": 0.1}, [1, 2, 3, 4]),
    ],
)
def test_each_request_takes_so_many_of_each_class_and_nothing_twice(how, sizes):
    labels = np.repeat(np.arange(4), [10, 20, 30, 40])
    request = draw(labels, **how)
    for number in range(1, how["requests"] + 1):
        taken = np.bincount(labels[request.order == number], minlength=4)
        assert taken.tolist() == sizes
    assert (request.order > 0).sum() == how["requests"] * sum(sizes)
    assert np.array_equal(request.forget, request.order > 0)
    assert np.array_equal(request.train_labels, labels)
    assert not np.array_equal(request.order, draw(labels, **how, draw=1).order)


def test_not_per_class_takes_classes_as_they_come():
    labels = np.repeat(np.arange(4), [10, 20, 30, 40])
    request = draw(labels, requests=4, count=20, per_class=False)
    assert np.bincount(request.order).tolist() == [20, 20, 20, 20, 20]
    assert len(set(np.bincount(labels[request.order == 1], minlength=4))) > 1


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"requests": 4, "count": 24}, "4 requests for 6 of class a each, which has 20"),
        ({"fraction": 0.001}, "takes 0 of 80"),
        ({"requests": 4, "fraction": 0.25}, "takes 80 of 80"),
    ],
)
def test_too_much_or_nothing_is_one_line(how, words):
    with pytest.raises(UserError, match=words):
        draw(np.arange(80) % 4, **how)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("incremental")
    (folder / "counting.py").write_text(COUNTING)
    flag = folder / "fail"
    return tiny(
        folder / "out",
        scenario=SCENARIO,
        methods=f"counting,counting[fail_if={flag}],pgu[gamma=0.5,epochs=3]",
        models=2,
        plugins=[str(folder / "counting.py")],
        attacks="errors",
        train={"epochs": 5, "batch_size": 32},
    )


def failing(config):
    """The row that fails while its file is there, and the file."""
    row = next(label for label in open_context(config).methods if "fail_if" in label)
    return row, Path(row.partition("=")[2].removesuffix("]"))


@pytest.fixture(scope="module")
def broken(config):
    """The run while one method fails at its first request."""
    failing(config)[1].touch()
    made = bench.run(config, quiet=True)
    assert len(made.requests) == 3  # read now: the next run writes over them
    return made


@pytest.fixture(scope="module")
def run(config, broken):
    failing(config)[1].unlink()
    return bench.run(config, quiet=True)


@pytest.mark.slow  # of the two runs that all of these look at
def test_a_split_of_each_request_shrinks_what_is_left(config, run):
    context = open_context(config)
    splits = [context.split_at(request) for request in context.requests]
    everyone = set(range(len(splits[0].train)))
    gone = set()
    for split in splits:
        assert len(split.asked) == 20
        assert not gone & set(split.asked)
        gone |= set(split.asked)
        assert set(split.forget) == gone
        assert set(split.retain) == everyone - gone
        assert np.array_equal(split.retain_sample, splits[0].retain_sample)
    assert not gone & set(splits[0].retain_sample)


@pytest.mark.slow  # of the two runs that all of these look at
def test_every_request_is_a_run(config, run):
    assert [step.record["request"] for step in run.requests] == [1, 2, 3]
    assert {step.record["requests"] for step in run.requests} == {3}
    assert [step.record["sizes"]["forget"] for step in run.requests] == [20, 40, 60]
    assert run.record["request"] == 3
    pd.testing.assert_frame_equal(run.scores(), run.requests[-1].scores())
    second = bench.Run.load(run.folder / "request-2")
    assert second.requests == [second]
    assert second.outputs("counting").logits["forget"].shape == (2, 40, 10)
    assert run.outputs("counting").logits["forget"].shape == (2, 60, 10)


@pytest.mark.slow  # of the two runs that all of these look at
def test_each_request_goes_on_from_the_methods_own_model(config, run):
    context = open_context(config)

    def last_bias(row, member, request=None):
        model = context.once(Networks).load_model(context.model_cell(row, member, request))
        return list(model.parameters())[-1]

    for member in (0, 1):
        before = last_bias("original", member)
        for number in context.requests:
            after = last_bias("counting", member, number)
            assert torch.allclose(after, before + number)
    notes = [step.record["rows"]["counting"]["notes"] for step in run.requests]
    texts = [{note["text"] for note in of_request} for of_request in notes]
    assert texts == [{"20 of 204, 0 before"}, {"20 of 184, 20 before"}, {"20 of 164, 40 before"}]


@pytest.mark.slow  # of the two runs that all of these look at
def test_originals_are_trained_once_and_retrained_models_at_each_request(config, run):
    store = open_context(config).store
    records = [
        store.record("train", path.stem) for path in (store.folder / "train").rglob("*.json")
    ]
    roles = [record["role"] for record in records]
    assert roles.count("original") == 2
    assert roles.count("retrained") == 3 * 2
    assert (
        len(list((store.folder / "prepare").rglob("*.json"))) == 2 * 2
    )  # once for each model and method


@pytest.mark.slow  # of the two runs that all of these look at
def test_retrained_models_never_saw_what_was_forgotten_by_then(config, run):
    context = open_context(config)
    networks, order = context.once(Networks), context.split.order
    for request in context.requests:
        left = np.flatnonzero((order == 0) | (order > request))
        name = context.seed_name("train", "pair", 1)
        rng = seeds.torch_rng(*name)
        with seeds.isolated(seeds.derive(*name, "global")):
            examples = networks.part("train").take(torch.from_numpy(left))
            model = networks.trainer.train(networks.trainer.fresh_model(rng), examples, rng)
        cell = context.model_cell("retrained", 1, request)
        stored = networks.load_model(cell).state_dict()
        assert all(torch.equal(stored[name], value) for name, value in model.state_dict().items())


@pytest.mark.slow  # of the two runs that all of these look at
def test_pgus_carried_statistics_are_those_of_what_is_left(config, run):
    """The first layer sees the images themselves, whatever was unlearned: there it is exact."""
    context = open_context(config)
    networks = context.once(Networks)
    cells = [Cell("unlearn", "pgu[gamma=0.5,epochs=3]", 0, request) for request in (1, 2, 3)]
    statistics = prepared_statistics(context, cells[-1])
    earlier = [(cell, *given(context, cell, "carried", statistics)) for cell in cells[:-1]]
    model, task = given(context, cells[-1], "unlearn", statistics)
    assert carry(context, earlier, task, alone=True).forward_examples == 20
    left = networks.part("retain", 2)
    expected = input_covariances(model, left.image_batches(50))
    name = next(iter(expected))
    scale = expected[name].abs().max().item()
    assert torch.allclose(task.statistics[name], expected[name], atol=1e-6 * scale)
    deeper = list(expected)[-1]  # it saw requests 1 and 2 through the models of their time
    of_now = [
        input_covariances(model, networks.part("asked", request).image_batches(50))
        for request in (1, 2)
    ]
    assert not torch.allclose(
        task.statistics[deeper], statistics[deeper] - sum(found[deeper] for found in of_now)
    )


def test_only_methods_whose_statistics_change_carry_them():
    carries = {
        text: REGISTRY.resolve("methods", text)().carries()
        for text in ("pgu", "ssd", "finetune", "pgu[space=retain]")
    }
    assert carries == {"pgu": True, "ssd": False, "finetune": False, "pgu[space=retain]": False}


@pytest.mark.slow  # of the two runs that all of these look at
def test_a_failure_is_the_reason_of_all_later_requests_and_stops_nothing_else(config, broken, run):
    row, _flag = failing(config)
    reasons = [step.record["rows"][row]["failures"][1]["reason"] for step in broken.requests]
    later = "request 1 failed: RuntimeError: no luck"
    assert reasons == ["RuntimeError: no luck", later, later]
    assert set(broken.failed) == {row}
    assert broken.record["rows"]["counting"]["done"] == 2
    assert not run.failed  # and when it can go on, it goes on


@pytest.mark.slow  # of the two runs that all of these look at
def test_what_is_there_is_not_made_again_and_what_is_lost_comes_back_the_same(config, run):
    context = open_context(config)
    key = context.key(Cell("unlearn", "pgu[gamma=0.5,epochs=3]", 1, 2))
    stored = context.store.tensors("unlearn", key)
    paths = list(context.store.folder.rglob("*.json"))
    times = {path: path.stat().st_mtime_ns for path in paths if path.stem != key}
    (record,) = (path for path in paths if path.stem == key)
    record.unlink()
    again = bench.run(config, quiet=True)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert all(
        torch.equal(value, stored[name])
        for name, value in context.store.tensors("unlearn", key).items()
    )
    frames = [of.scores() for of in (run.requests[1], again.requests[1])]
    frames = [frame[~frame.readout.str.contains("time|memory")] for frame in frames]
    pd.testing.assert_frame_equal(*frames)


@pytest.mark.slow  # of the two runs that all of these look at
def test_a_worker_makes_the_cell_of_its_request(config, run):
    context, cell = open_context(config), Cell("predict", "counting", 0, 2)
    key = context.key(cell)
    before = context.store.arrays("predict", key)
    (record,) = context.store.folder.rglob(f"predict/*/{key}.json")
    record.unlink()
    execute_in_worker(config, context.token, cell, False)
    after = context.store.arrays("predict", key)
    assert all(np.array_equal(before[part], after[part]) for part in before)
    assert before["forget"].shape == (40, 10)


@pytest.mark.slow  # of the two runs that all of these look at
def test_costs_add_up_relative_to_retraining_each_time(run):
    times = {
        row: [step.record["rows"][row]["cost"][0]["time_s"] for step in run.requests]
        for row in ("counting", "retrain")
    }
    records = [step.record for step in run.requests]
    share = time_shares(records[2])["counting"]
    so_far = shares_so_far(records)[2]["counting"]
    assert share == pytest.approx(times["counting"][2] / times["retrain"][2])
    assert so_far == pytest.approx(sum(times["counting"]) / sum(times["retrain"]))
    frame = requests_table(run.requests).set_index(["request", "row", "readout"]).value
    assert frame[3, "counting", "time_so_far_vs_retrain"] == pytest.approx(so_far)
    assert frame[2, "pgu[gamma=0.5,epochs=3]", "carry_time_s"] > 0
    assert frame[1, "original", "test_error"] == frame[3, "original", "test_error"]


@pytest.mark.slow  # of the two runs that all of these look at
def test_run_prints_the_table_of_each_request_and_draws_all(config, run, capsys, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(dump_toml(config.model_dump(mode="json")))
    assert main(["run", "-q", "--config", str(recipe)]) == 0
    printed = capsys.readouterr().out
    for words in ("3 requests", "examples forgotten", "so far", "requests.csv"):
        assert words in printed
    assert 'id="requests"' in (run.folder / "report" / "index.html").read_text()
    assert "counting: 20 of 204, 0 before (2 of 2 models)" in printed
    assert "- examples forgotten = 20: counting: " in printed
    for name in ("requests.csv", "requests.png", "requests.svg"):
        assert (run.folder / "report" / name).stat().st_size > 1000
    assert main(["run", "--config", str(recipe), "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert planned.count("train     original") == 1
    assert planned.count("train     retrained                   2 cells,    2 there") == 3
    assert "request 2: 20 examples, 40 forgotten by then" in planned


def test_one_original_and_attacks_with_stages_of_their_own(tmp_path):
    run = bench.run(
        tiny(
            tmp_path,
            scenario="incremental[requests=2,count=20]",
            methods="neggrad[epochs=1]",
            models=2,
            originals="one",
            attacks="errors,zrf,ain[epochs=1]",
            train={"epochs": 3, "batch_size": 32},
        ),
        quiet=True,
    )
    for step in run.requests:
        readouts = {(score.row, score.readout) for score in step.scores_of.scores}
        assert {name for row, name in readouts if row == "neggrad[epochs=1]"} >= {"zrf", "ain"}
    relearned = list((tmp_path / "store" / "relearn").rglob("*.json"))
    assert len(relearned) == 2 * 4 * 2  # at each request: original, retrained, retrain, neggrad
