"""Tables and figures are views of the record: same numbers everywhere, nothing computed anew."""

from __future__ import annotations

import dataclasses
import re
import struct
from io import StringIO

import pytest

from bench.plugins.outputs import Readout, Score, Scores
from bench.reports.notes import footnotes
from bench.reports.style import looks
from bench.reports.tables.grid import single
from bench.reports.tables.terminal import terminal
from bench.reports.tables.text import run_markdown
from bench.reports.write import write_report
from bench.results.compare import bold_rows
from bench.results.run import Run
from bench.results.table import format_score, main_readouts, number
from tests.helpers.tiny_run import REPORT_FILES


def printed(run, width):
    """The tables of a run as a terminal of so many columns shows them."""
    return terminal(single(run, main_readouts(run), bold_rows(run.compared)), width)


def test_cells_by_hand():
    percent, plain = Readout("a", "A", percent=True), Readout("b", "B", "low", 0.0)
    score = Score("row", "a", 0.1234, 0.1, 5, (0.1, 0.15), 0.02, 0.02, (-0.01, 0.05))
    assert str(format_score(score, percent)) == "12.3 ±2.0 ≈ [10.0, 15.0]"
    apart = dataclasses.replace(score, gap_interval=(0.01, 0.05))
    assert str(format_score(apart, percent)) == "12.3 ±2.0 [10.0, 15.0]"
    assert (
        str(format_score(dataclasses.replace(score, interval=None, spread=None), plain)) == "0.123"
    )
    assert str(format_score(None, plain)) == "-"
    assert number(-0.0001, plain) == "0.000"


def test_the_csv_holds_every_number_and_the_tables_agree_with_it(tiny_run):
    frame = tiny_run.scores().set_index(["row", "readout"])
    table, markdown = tiny_run.table(), run_markdown(tiny_run)
    for readout in tiny_run.scores_of.readouts:
        for row in table.index.drop("target"):
            shown = table.loc[row, readout.title]
            value = frame.loc[(row, readout.name), "value"]
            assert shown.split(" ")[0] == number(value, readout)
            assert shown.split(" ")[0] in markdown


def test_markdown_is_a_table_with_one_line_a_row(tiny_run):
    table, ranking = run_markdown(tiny_run).split("Ranks among the methods")
    for text, rows in ((table, 8), (ranking, 4)):  # seven rows and target; the methods
        lines = [line for line in text.splitlines() if line.startswith("|")]
        blocks = 1 if rows == 4 else len(tiny_run.record["config"]["attacks"])
        costs = 0 if rows == 4 else 2 + 5  # retrain and the methods
        assert len(lines) == blocks * (2 + rows) + costs  # heading and rule


def test_names_are_escaped(tiny_run):
    record = dict(tiny_run.record, scenario="<script>a|b</script>")
    text = run_markdown(Run(tiny_run.folder, record, tiny_run.scores_of))
    assert "<script>" not in text
    assert r"a\|b" in text


def test_every_file_is_written_and_is_what_it_says(tiny_run, tmp_path):
    files = {path.name: path for path in write_report(tiny_run, tmp_path)}
    assert set(files) == REPORT_FILES
    for name in ("roc", "entropy"):
        content = files[f"{name}.png"].read_bytes()
        assert content.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", content[16:24])) > 400
        assert files[f"{name}.svg"].read_text().rstrip().endswith("</svg>")


@pytest.mark.parametrize("width", [60, 80, 100, 180])
def test_the_terminal_table_fits_and_has_every_main_readout(tiny_run, width):
    from rich.console import Console

    console = Console(width=width, file=StringIO())
    for table in printed(tiny_run, width):
        console.print(table)
    text = console.file.getvalue()
    assert bool(re.search(r"\[\d", text)) == (width == 180)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    if width < 180:
        for readout in tiny_run.scores_of.readouts:
            assert not readout.main or readout.short in text


def test_a_run_that_nothing_could_be_scored_of_is_reported(tiny_run, tmp_path):
    empty = Scores(tiny_run.scores_of.readouts, [])
    run = Run(tiny_run.folder, tiny_run.record, empty)
    assert printed(run, 80)
    written = {path.name for path in write_report(run, tmp_path)}
    assert {"index.html", "table.tex", "long.csv"} <= written
    assert not any(name.endswith(".png") for name in written)


def test_footnotes_warn_of_few_models_and_of_poison_that_was_not_learnt(tiny_run):
    notes = " ".join(footnotes(tiny_run))
    assert "did not learn the forget set" in notes
    record = dict(tiny_run.record, config=dict(tiny_run.record["config"], models=2))
    assert "too few models" in " ".join(footnotes(Run(tiny_run.folder, record, tiny_run.scores_of)))


def test_no_two_rows_look_alike_and_built_in_ones_never_change():
    few = looks(["original", "retrain", "pgu"])
    many = looks(
        [
            "original",
            "retrain",
            "mine",
            "ssd",
            "pgu[gamma=0.9]",
            "pgu",
            *(f"other{i}" for i in range(12)),
        ]
    )
    assert all(few[row] == many[row] for row in few)
    assert len({tuple(look.values()) for look in many.values()}) == len(many)


@pytest.mark.parametrize("damage", ["run.json", "curves.npz", "extras.npz"])
def test_a_damaged_run_is_one_line(tiny_run, tmp_path, damage):
    from bench.errors import UserError

    for name in ("run.json", "curves.npz", "extras.npz"):
        (tmp_path / name).write_bytes((tiny_run.folder / name).read_bytes())
    path = tmp_path / damage
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=f"{damage} .*write it again with: bench score"):
        Run.load(tmp_path)


@pytest.mark.parametrize(
    ("models", "timed", "told"),
    [
        (1, 1, ["of one model: no spread, no interval", "alone, one model run alone"]),
        (2, 2, ["mean ±standard deviation over models", "mean of 2 models run alone"]),
        (5, 0, ["[95 % interval over models]", "time: none was taken (timed = 0)"]),
    ],
)
def test_footnotes_say_what_so_few_models_have(tiny_run, models, timed, told):
    times = [{"time_s": 1.0 if member < timed else None} for member in range(models)]
    costs = [tiny_run.record["rows"]["retrain"]["cost"][0] | time for time in times]
    rows = {row: record | {"cost": costs} for row, record in tiny_run.record["rows"].items()}
    config = tiny_run.record["config"] | {"models": models}
    record = tiny_run.record | {"config": config, "rows": rows}
    notes = footnotes(Run(tiny_run.folder, record, tiny_run.scores_of))
    assert all(any(text in note for note in notes) for text in told)
    assert models > 2 or not any("interval over models" in note for note in notes)
