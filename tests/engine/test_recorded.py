"""No number of a recorded run changes: not by a refactoring, and not by the number of processes."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.helpers import recorded_runs

LOOSE = 0.35  # what another processor may do to a number of four small models, of its range


@pytest.mark.parametrize("name", recorded_runs.RUNS)
def test_a_run_gives_the_numbers_that_were_recorded(name, tmp_path):
    expected = recorded_runs.recorded(name)
    folder = tmp_path / "run"
    folder.mkdir()
    found = recorded_runs.numbers(recorded_runs.make(name, folder))
    shape = ["request", "row", "readout", "models"]
    pd.testing.assert_frame_equal(found[shape], expected[shape])
    if json.loads(recorded_runs.MACHINE.read_text()) == recorded_runs.this_machine():
        file = tmp_path / "found.csv"
        found.to_csv(file, index=False)
        assert file.read_text() == (recorded_runs.FOLDER / f"{name}.csv").read_text()
    for readout, lines in found.groupby("readout"):
        before = expected.loc[lines.index, "value"]
        room = LOOSE * max(1.0, before.abs().max())
        assert (lines["value"] - before).abs().max() <= room, readout
