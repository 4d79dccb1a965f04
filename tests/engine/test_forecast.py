"""The forecast of a run: what is known from where, nothing written, nothing drawn."""

from __future__ import annotations

import re

import pytest
import torch

from bench.engine.amounts import BLOCK, amount, duration, on_disk
from bench.engine.forecast import Forecast
from bench.engine.local import progress
from bench.engine.probes import extrapolated, shortened
from bench.engine.run import describe_plan
from bench.plugins.registry import Registry
from bench.seeds import global_state
from bench.stages.context import Cell, Experiment
from tests.conftest import tiny


def lines(plan):
    """The lines of a plan by stage and row."""
    found = re.findall(r"(\w+) +(\S+) .*there *(.*)", plan)
    return {(stage, row): told for stage, row, told in found}


def test_a_run_is_priced_without_a_trace(tmp_path):
    config = tiny(tmp_path / "new")
    Experiment(config).check()  # libraries may draw when they are imported
    before, threads = global_state(), torch.get_num_threads()
    plan = describe_plan(config)
    assert global_state() == before
    assert torch.get_num_threads() == threads
    assert list(tmp_path.iterdir()) == []
    told = lines(plan)
    for kind in (("train", "original"), ("prepare", "ssd"), ("unlearn", "pgu[epochs=4]")):
        assert re.fullmatch(r"[\d.]+ s +[\d.]+ [kM]B  (measured|probed)", told[kind]), kind
    (total,) = re.findall(r"total: about ([\d.]+) s with 1 jobs, ([\d.]+) MB on disk", plan)
    assert 10 < float(total[0]) < 60  # ten of them are the report
    assert 3 < float(total[1]) < 9


def test_what_finished_runs_took_is_taken_from_their_records(tiny_run):
    out = tiny_run.folder.parent.parent
    told = lines(describe_plan(tiny(out, seed=1)))
    assert told["unlearn", "finetune[epochs=2]"].endswith("recorded")
    recorded = tiny_run.record["rows"]["neggrad"]["cost"][0]["time_s"]
    experiment = Experiment(tiny(out, seed=1))
    cell = Cell("unlearn", "neggrad", 0)
    price = Forecast(experiment)._of_method(experiment, cell, "cost")
    assert price.seconds == recorded


def test_what_is_there_costs_nothing(tiny_run):
    plan = describe_plan(tiny(tiny_run.folder.parent.parent))
    told = lines(plan)
    assert not any(price for (stage, _row), price in told.items() if stage != "report")
    assert "total: about 18 s" in plan


def test_the_forecast_of_disk_is_what_a_run_took(tiny_run, tmp_path):
    store = tiny_run.folder.parent.parent / "store"
    experiment = Experiment(tiny(tmp_path))
    for stage, row in (("train", "original"), ("prepare", "ssd"), ("predict", "ssd")):
        key = Experiment(tiny(tiny_run.folder.parent.parent)).key(Cell(stage, row, 0))
        real = sum(on_disk(file.stat().st_size) - BLOCK for file in store.rglob(f"{key}.*"))
        price = Forecast(experiment)._price(experiment, Cell(stage, row, 0))
        assert price.bytes == pytest.approx(real, rel=0.2), stage


def test_a_part_is_scaled_up_between_all_fixed_and_all_proportional():
    assert extrapolated(lambda share: 10 * share, 0.2) == pytest.approx(10)
    assert extrapolated(lambda _share: 3.0, 0.2) == pytest.approx(3)
    assert extrapolated(lambda share: 1 + 10 * share, 0.2) == pytest.approx(11)


def test_long_methods_are_tried_for_fewer_epochs():
    method, factor = shortened(Registry().resolve("methods", "finetune[epochs=50]")(), 5)
    assert (method.epochs, factor) == (5, 10)
    assert shortened(Registry().resolve("methods", "ssd")(), 5)[1] == 1


def test_numbers_are_rounded_for_readers():
    assert [duration(s) for s in (0.04, 12.3, 600, 7200)] == ["0.0 s", "12 s", "10.0 min", "2.0 h"]
    assert [amount(s) for s in (500, 3_400_000, 2.5e10)] == ["500 B", "3.4 MB", "25 GB"]


def test_time_left_does_not_count_the_start_of_the_workers(monkeypatch, capsys):
    clock = iter([0, 100, 101, 120, 125])  # the first cell waits for its worker
    monkeypatch.setattr("bench.engine.local.time.monotonic", lambda: next(clock))
    with progress() as report:
        for done in (0, 1, 2, 3, 6):
            report("train", done, 6)
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "train: 0/6 (0 s)",
        "train: 1/6 (100 s)",
        "train: 3/6 (120 s, about 30 s left)",
        "train: 6/6 (125 s)",
    ]
