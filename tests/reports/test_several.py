"""Several runs side by side, and runs that are not finished or were made elsewhere."""

from __future__ import annotations

import re
import shutil
from io import StringIO

import pandas as pd
import pytest

from bench.cli.app import main
from bench.reports.comparison.figure import Axis
from bench.reports.comparison.files import several_csv, several_markdown
from bench.reports.comparison.settings import differing_settings
from bench.reports.comparison.several import side_by_side
from bench.reports.comparison.table import grid_of, notes_of
from bench.reports.notes import warnings
from bench.reports.page.several import several_html
from bench.reports.tables.terminal import terminal
from bench.results.run import Run
from bench.results.table import TARGET, number
from tests.helpers.begin import begin
from tests.helpers.page import Page
from tests.helpers.tiny_run import as_if, tiny


@pytest.fixture(scope="module")
def rates(tiny_run, tmp_path_factory):
    """Two runs that differ in the rate of poison, the higher one first."""
    folder = tmp_path_factory.mktemp("rates")
    settings = tiny_run.record["settings"]
    found = []
    for rate, label in ((0.5, "poison[rate=0.5]"), (0.2, "poison")):
        params = settings | {"scenario": settings["scenario"] | {"rate": rate}}
        found.append(as_if(tiny_run, folder / str(rate), scenario=label, settings=params))
    return found


@pytest.fixture(scope="module")
def several(rates):
    return side_by_side([Run.load(folder) for folder in rates])


def record(run, **config):
    return {"config": run.record["config"] | config}


def test_the_setting_that_varies_is_found_and_orders_the_runs(several):
    assert several.settings == {"scenario.rate": [0.2, 0.5]}
    assert several.labels == ["rate = 0.2", "rate = 0.5"]
    axis = Axis(several)
    assert (axis.places, axis.names) == ([0.2, 0.5], ["0.2", "0.5"])
    assert axis.label == "scenario.rate"


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"config": {"models": 7}}, "models", 7),
        ({"config": {"train": {"epochs": 99}}}, "train.epochs", 99),
        ({"request": 2}, "request", 2),
        ({"scenario": "class", "settings": {"scenario": {"count": 1}}}, "scenario", "class"),
        ({"model": "mlp", "settings": {"model": {}}}, "model", "mlp"),
    ],
)
def test_any_setting_may_vary(tiny_run, tmp_path, changes, name, value):
    merged = dict(changes)
    for key in ("config", "settings"):
        if key in changes:
            merged[key] = tiny_run.record[key] | changes[key]
    if "train" in changes.get("config", {}):
        merged["config"]["train"] = tiny_run.record["config"]["train"] | {"epochs": 99}
    other = Run.load(as_if(tiny_run, tmp_path / "other", **merged))
    found = differing_settings([tiny_run, other])
    assert list(found) == [name]
    assert found[name][1] == value


def test_what_does_not_change_numbers_is_no_setting(tiny_run, tmp_path):
    other = as_if(tiny_run, tmp_path / "other", **record(tiny_run, jobs=7, out="elsewhere"))
    assert list(differing_settings([tiny_run, Run.load(other)])) == ["run"]


def test_the_combined_tables_agree_with_the_long_one(several):
    files = several_csv(several)
    tables = {name: pd.read_csv(StringIO(text)) for name, text in files.items()}
    markdown = several_markdown(several)
    long = tables["long.csv"].set_index(["scenario.rate", "row", "readout"]).value
    assert len(long) == sum(len(run.scores()) for run in several.runs)
    wide = tables["table.csv"].set_index(["scenario.rate", "method"])
    for readout in several.readouts:
        for rate, group in zip((0.2, 0.5), grid_of(several).groups, strict=True):
            assert group[-1].row == TARGET
            for line in group[:-1]:
                assert line.settings == [str(rate)]
                text = number(long[rate, line.row, readout.name], readout)
                assert line.cells[several.readouts.index(readout)].value == text
                assert number(wide.loc[(rate, line.row), readout.name], readout) == text
                assert re.search(rf"\| {rate} \| {re.escape(line.row)} .*{text}", markdown)
    assert len(tables["cells.csv"]) > 100


def test_the_page_of_several_runs_is_valid_and_has_every_line(several):
    text = several_html(several)
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    (table,) = [table for table in found.tables if "scenario.rate" in table[0][1]]
    assert len(table) == 1 + len(list(grid_of(several).lines))
    assert several_html(several) == text
    assert text.count("<svg") >= len(several.readouts)


@pytest.mark.parametrize("width", [80, 190])
def test_the_combined_table_fits_the_terminal(several, width):
    from rich.console import Console

    console = Console(width=width, file=StringIO())
    for table in terminal(grid_of(several), width):
        console.print(table)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert sum("0.5" in line and "ssd" in line for line in lines) >= 1


def test_report_takes_several_runs_and_only_the_asked_formats(rates, tmp_path, capsys):
    arguments = ["report", *map(str, rates), "--to", str(tmp_path), "-f", "csv", "-f", "latex"]
    assert main(arguments) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"table.csv", "long.csv", "cells.csv", "table.tex"}
    assert "2 runs that differ in scenario.rate" in capsys.readouterr().out


def test_an_unfinished_run_is_one_line_and_does_not_stop_the_others(rates, tmp_path, capsys):
    started = begin(tiny(tmp_path / "out", methods="ssd", models=2))
    to = ["--to", str(tmp_path / "to"), "-f", "md"]
    assert main(["report", str(started), *to]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "train 0/4" in told
    assert f"go on with: bench run --config {started / 'config.toml'}" in told
    assert main(["report", str(rates[0]), str(started), *to]) == 1
    captured = capsys.readouterr()
    assert "is not finished" in captured.err
    assert captured.out.startswith("digits, poison")
    assert main(["report", str(rates[0]), str(rates[1]), str(started), *to]) == 1
    captured = capsys.readouterr()
    assert "is not finished" in captured.err
    assert "2 runs that differ" in captured.out


def test_failed_cells_of_an_unfinished_run_are_named(tmp_path, capsys):
    from bench.engine.graph import open_context
    from bench.stages.cell import Cell

    config = tiny(tmp_path / "out", methods="ssd", models=2)
    started = begin(config)
    context = open_context(config)
    key = context.key(Cell("unlearn", "ssd", 1))
    context.store.write_failure(
        "unlearn", key, {"stage": "unlearn", "reason": "ValueError: not today"}
    )
    assert main(["report", str(started)]) == 1
    assert "failed: ssd, model 1: ValueError: not today" in capsys.readouterr().err


def test_a_run_copied_from_another_machine_is_reported(tiny_run, tmp_path, capsys):
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    for name in ("run.json", "curves.npz", "extras.npz"):
        shutil.copy(tiny_run.folder / name, copied)
    assert main(["report", str(copied), "--format", "md"]) == 0
    assert (copied / "report" / "table.md").is_file()
    assert main(["report", str(copied), "--format", "md", "--open"]) == 1
    assert "--open needs the page: add --format html" in capsys.readouterr().err
    (tmp_path / "nothing").mkdir()
    assert main(["report", str(tmp_path / "nothing")]) == 1
    assert "holds no run" in capsys.readouterr().err


def test_formats_may_be_a_list(tiny_run, tmp_path, capsys):
    asked = ["report", str(tiny_run.folder), "--to", str(tmp_path / "new"), "--format"]
    assert main([*asked, "csv,latx"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: unknown format 'latx': did you mean latex? known: html, csv")
    assert main([*asked, ""]) == 1
    assert "unknown format ''" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert main([*asked, "md,latex", "-f", "json"]) == 0
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {"table.md", "table.tex", "table.json"}


def test_a_run_that_is_named_twice_is_reported_once(tiny_run, tmp_path, capsys):
    folder = str(tiny_run.folder)
    assert main(["report", folder, folder, "--to", str(tmp_path), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("digits, poison, small-cnn[")


def test_a_page_to_open_must_be_made(tiny_run, tmp_path, capsys):
    asked = ["report", str(tiny_run.folder), "--to", str(tmp_path / "new"), "--format", "csv"]
    assert main([*asked, "--open"]) == 1
    assert "--open needs the page" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_other_data_under_one_name_are_said(tiny_run, tmp_path):
    data = tiny_run.record["data"] | {"fingerprint": "0123456789abcdef"}
    other = Run.load(as_if(tiny_run, tmp_path / "other", data=data))
    several = side_by_side([tiny_run, other])
    assert list(several.settings) == ["data"]
    assert "01234567" in several.settings["data"]
    assert several.title.endswith("2 runs that differ in data")
    assert any("its data differ" in note for note in notes_of(several))
    params = tiny_run.record["settings"]
    params = params | {"dataset": params["dataset"] | {"side": 16}}
    named = as_if(tiny_run, tmp_path / "named", data=data, settings=params)
    assert "data" not in differing_settings([tiny_run, Run.load(named)])


def test_models_of_other_versions_are_named_under_the_table(tiny_run, tmp_path):
    (group,) = tiny_run.record["made_with"]
    assert group["versions"].keys() == {"bench", "torch", "numpy"}
    assert group["models"] == 3 * (2 + len(tiny_run.record["rows"]))
    assert not any("versions" in note for note in warnings(tiny_run))
    older = {"versions": group["versions"] | {"torch": "1.0"}, "models": 4}
    unknown = {"versions": {}, "models": 2}
    mixed = Run.load(as_if(tiny_run, tmp_path / "mixed", made_with=[group, older, unknown]))
    (note,) = [note for note in warnings(mixed) if note.startswith("versions:")]
    assert "4 with " in note
    assert "torch 1.0" in note
    assert "2 with versions that were not recorded" in note
