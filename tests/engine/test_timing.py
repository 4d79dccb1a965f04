"""Times that are wanted later: taken again, with nothing else changed."""

from __future__ import annotations

import bench
from tests.helpers.tiny_run import tiny

SMALL = {"methods": "neggrad", "attacks": "errors", "models": 2, "train": {"epochs": 2}}


def times(run, row):
    return [cost["time_s"] for cost in run.record["rows"][row]["cost"]]


def numbers(run):
    scores = run.scores()
    return scores[scores["attack"] != "cost"].to_json(double_precision=15)


def payloads(folder):
    return {path: path.read_bytes() for path in folder.rglob("*.safetensors")}


def test_cells_made_without_times_are_timed_when_times_are_wanted(tmp_path):
    untimed = bench.run(tiny(tmp_path, **SMALL, timed=0), quiet=True)
    assert times(untimed, "neggrad") == [None, None]
    weights = payloads(tmp_path / "store")
    timed = bench.run(tiny(tmp_path, **SMALL, timed=1), quiet=True)
    for row in ("neggrad", "retrain"):
        first, second = times(timed, row)
        assert first > 0
        assert second is None
    assert numbers(timed) == numbers(untimed)
    assert payloads(tmp_path / "store") == weights
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.json")}
    again = bench.run(tiny(tmp_path, **SMALL, timed=1), quiet=True)
    assert times(again, "neggrad") == times(timed, "neggrad")
    assert {path: path.stat().st_mtime_ns for path in records} == records
