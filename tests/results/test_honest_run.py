"""One run in which much goes wrong: the table is printed, and says what went wrong."""

from __future__ import annotations

import pytest

import bench
from bench.reports.notes import footnotes, title
from bench.reports.write import write_report
from bench.results.table import main_readouts
from tests.helpers.tiny_run import tiny

HEAD = '''"""An attack for a test, described in one line."""
from bench import Readout, Score, Scores

'''
ATTACKS = {
    "raises": "def raises(outputs):\n    raise ValueError('no such\\x1b luck')\n",
    "gives_nan": (
        "def gives_nan(outputs):\n"
        "    values = dict.fromkeys(outputs.rows, 0.5) | {'neggrad': float('nan')}\n"
        "    scores = [Score(row, 'odd', value, 0.5, 2) for row, value in values.items()]\n"
        "    return Scores([Readout('odd', 'odd number', main=True)], scores)\n"
    ),
}
UNCHANGED = "ssd[alpha=1e9]"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    plugins = []
    for name, code in ATTACKS.items():
        file = folder / f"{name}.py"
        file.write_text(HEAD + code)
        plugins.append(str(file))
    config = tiny(
        folder / "out",
        scenario="class[count=2]",
        methods=f"neggrad,{UNCHANGED}",
        attacks="raises,gives-nan,errors,gap",
        plugins=plugins,
        models=2,
        train={"epochs": 2, "batch_size": 32},
    )
    return bench.run(config, quiet=True)


def undefined(run):
    return {(one.row, one.readout): one.reason for one in run.scores_of.undefined}


def test_a_broken_attack_is_a_column_of_dashes_beside_the_others(run):
    lost = undefined(run)
    rows = {row for row, readout in lost if readout == "raises"}
    assert rows == set(run.table().index) - {"target"}
    assert "ValueError: no such" in lost["neggrad", "raises"]
    assert "\x1b" not in lost["neggrad", "raises"]
    assert "raises" in {readout.name for readout in main_readouts(run)}
    assert {"test_error", "average_gap"} <= {score.readout for score in run.scores_of.scores}


def test_one_odd_number_is_one_dash(run):
    lost = undefined(run)
    assert [row for row, readout in lost if readout == "odd"] == ["neggrad"]
    assert run.table().loc["neggrad", "odd number"] == "-"
    assert run.table().loc["original", "odd number"] == "0.500"


def test_tow_has_no_forgetting_factor_where_the_class_is_removed(run):
    assert undefined(run)["neggrad", "tow"] == "there is no error on Df"
    scores = run.scores().set_index(["row", "readout"])
    assert scores.loc[("neggrad", "average_gap"), "value"] >= 0


def test_a_method_that_returned_its_input_and_the_classes_are_named(run):
    notes = " ".join(footnotes(run))
    assert "returned every model as it was given" in notes
    assert "neggrad: returned" not in notes
    assert "class removal of 0 and 1" in title(run)


def test_all_reports_are_written(run, tmp_path):
    write_report(run, tmp_path, ["html", "csv", "md", "latex", "json"])
    for name in ("index.html", "long.csv", "table.md", "table.tex", "table.json"):
        assert "no such" in (tmp_path / name).read_text(), name
    assert "class removal of 0 and 1" in (tmp_path / "table.tex").read_text()


def test_the_same_command_tries_the_broken_attack_again(run):
    again = bench.run(run.record["config"], quiet=True)
    assert undefined(again) == undefined(run)
