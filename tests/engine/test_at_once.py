"""Three runs at once on one store: each cell is made once, and all get the same numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.config.load import dump_toml
from bench.results.run import Run
from tests.helpers.tiny_run import tiny

SMALL = {"methods": "ssd", "attacks": "errors", "models": 3, "timed": 1, "train": {"epochs": 4}}


@pytest.mark.slow
def test_three_runs_at_once_make_each_cell_once(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(dump_toml(tiny(tmp_path / "out", **SMALL).model_dump(mode="json")))
    command = [sys.executable, "-m", "bench", "run", "--config", str(recipe)]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _run in range(3)
    ]
    ended = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], ended
    assert not any("Traceback" in error for _printed, error in ended)
    tables = {printed.partition("report:")[0] for printed, _error in ended}
    assert len(tables) == 1
    left = [path for path in (tmp_path / "out").rglob("*") if ".lock" in path.name]
    assert not left
    assert not list((tmp_path / "out").rglob(".tmp-*"))
    (folder,) = (tmp_path / "out" / "runs").iterdir()
    assert Run.load(folder).record["rows"]["ssd"]["done"] == 3
