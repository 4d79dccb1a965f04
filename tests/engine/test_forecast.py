"""The forecast of a run: what is known from where, nothing written, nothing drawn."""

from __future__ import annotations

import re

import pytest
import torch

from bench.engine.amounts import BLOCK, amount, duration, on_disk
from bench.engine.begin import check
from bench.engine.dry_run import describe_plan
from bench.engine.graph import open_context
from bench.engine.progress import progress
from bench.seeds import global_state
from bench.stages.cell import Cell
from tests.helpers.tiny_run import tiny


def lines(plan):
    """The lines of a plan by stage and row."""
    found = re.findall(r"(\w+) +(\S+) .*there *(.*)", plan)
    return {(stage, row): told for stage, row, told in found}


def test_a_run_is_priced_without_a_trace(tmp_path):
    config = tiny(tmp_path / "new")
    check(open_context(config))  # libraries may draw when they are imported
    before, threads = global_state(), torch.get_num_threads()
    plan = describe_plan(config)
    assert global_state() == before
    assert torch.get_num_threads() == threads
    assert list(tmp_path.iterdir()) == []
    told = lines(plan)
    for kind in (("train", "original"), ("prepare", "ssd"), ("unlearn", "pgu[epochs=4]")):
        assert re.fullmatch(r"[\d.]+ s +[\d.]+ [kM]B  (measured|guess)", told[kind]), kind
    (total,) = re.findall(r"total: about ([\d.]+) s with 1 jobs, ([\d.]+) MB on disk", plan)
    assert 10 < float(total[0]) < 60  # ten of them are the report
    assert 3 < float(total[1]) < 9


def test_what_finished_runs_took_is_taken_from_their_records(tiny_run):
    out = tiny_run.folder.parent.parent
    told = lines(describe_plan(tiny(out, seed=1)))
    assert told["unlearn", "finetune[epochs=2]"].endswith("recorded")
    recorded = tiny_run.record["rows"]["neggrad"]["cost"][0]["time_s"]
    seconds = float(told["unlearn", "neggrad"].split()[0])
    assert seconds == pytest.approx(3 * recorded, abs=0.06)


def test_what_is_there_costs_nothing(tiny_run):
    plan = describe_plan(tiny(tiny_run.folder.parent.parent))
    told = lines(plan)
    assert not any(price for (stage, _row), price in told.items() if stage != "report")
    assert "total: about 18 s" in plan


def test_the_forecast_of_disk_is_what_a_run_took(tiny_run, tmp_path):
    made, planned = open_context(tiny(tiny_run.folder.parent.parent)), open_context(tiny(tmp_path))
    for stage, row in (("train", "original"), ("prepare", "ssd"), ("predict", "ssd")):
        cell = Cell(stage, row, 0)
        files = made.store.folder.rglob(f"{made.key(cell)}.*")
        real = sum(on_disk(file.stat().st_size) - BLOCK for file in files)
        size = on_disk(planned.stages[stage].size(planned, cell).bytes)
        assert size == pytest.approx(real, rel=0.5), stage


def test_numbers_are_rounded_for_readers():
    assert [duration(s) for s in (0.04, 12.3, 600, 7200)] == ["0.0 s", "12 s", "10.0 min", "2.0 h"]
    assert [amount(s) for s in (500, 3_400_000, 2.5e10)] == ["500 B", "3.4 MB", "25 GB"]


def test_time_left_does_not_count_the_start_of_the_workers(monkeypatch, capsys):
    clock = iter([0, 100, 101, 120, 125])  # the first cell waits for its worker
    monkeypatch.setattr("bench.engine.progress.time.monotonic", lambda: next(clock))
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
