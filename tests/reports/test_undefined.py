"""A number that does not exist is a dash with its reason in every report, and never ends one."""

from __future__ import annotations

import dataclasses
import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.plugins.outputs import Panel, Undefined
from bench.reports.comparison.several import side_by_side
from bench.reports.figures.files import figures_of
from bench.reports.notes import footnotes, title
from bench.reports.tables.grid import single
from bench.reports.tables.terminal import terminal
from bench.reports.undefined import undefined_notes
from bench.reports.write import write_report, write_several
from bench.results.compare import bold_rows
from bench.results.run import Run
from bench.results.table import main_readouts
from tests.helpers.tiny_run import as_if

REASON = "the moon was full"


def without(run, lost, scores=None):
    """The run as if these numbers, (row, readout), were undefined; ``scores``: those it has."""
    given = run.scores_of if scores is None else scores
    undefined = [Undefined(row, readout, REASON) for row, readout in lost]
    kept = [s for s in given.scores if (s.row, s.readout) not in lost]
    curves = [c for c in given.curves if (c.row, "mia_auc") not in lost or c.panel != "roc"]
    changed = dataclasses.replace(given, scores=kept, undefined=undefined, curves=curves)
    return Run(run.folder, run.record, changed, run.extras)


def everything(run):
    return {(s.row, s.readout) for s in run.scores_of.scores}


def in_terminal(run, width=200):
    console = Console(width=width, file=StringIO())
    for table in terminal(single(run, main_readouts(run), bold_rows(run.compared)), width):
        console.print(table)
    return console.file.getvalue()


@pytest.fixture(autouse=True)
def one_format(monkeypatch):
    """Figures in one format: drawing them is what may fail."""
    monkeypatch.setattr("bench.reports.figures.files.SUFFIXES", ("svg",))


LOSSES = {
    "one number": lambda run: {("ssd", "mia_auc")},
    "a column": lambda run: {(s.row, "mia_auc") for s in run.scores_of.scores},
    "all but the constant row": lambda run: {n for n in everything(run) if n[0] != "constant"},
    "everything": everything,
}


@pytest.mark.parametrize("kind", [kind for kind in LOSSES if kind != "a column"])
def test_every_report_is_written_with_dashes_and_the_reason(tiny_run, tmp_path, kind):
    run = without(tiny_run, LOSSES[kind](tiny_run))
    files = {path.name: path for path in write_report(run, tmp_path / "report")}
    for name in ("index.html", "table.md", "table.tex", "table.json", "long.csv"):
        text = files[name].read_text()
        assert REASON in text, name
        assert not re.search(r'[>",| ](nan|inf|None)[<",]', text), name
    assert "-" in in_terminal(run)
    assert any(REASON in note and "no number (-)" in note for note in footnotes(run))
    if kind != "one number":
        return
    table = pd.read_csv(files["table.csv"]).set_index("method")
    assert np.isnan(table.loc["ssd", "mia_auc"])
    assert np.isfinite(table.loc["neggrad", "mia_auc"])
    long = pd.read_csv(files["long.csv"]).set_index(["row", "readout"])
    assert np.isnan(long.loc[("ssd", "mia_auc"), "value"])
    assert long.loc[("ssd", "mia_auc"), "undefined"] == REASON


def test_runs_side_by_side_where_one_lacks_a_column(tiny_run, tmp_path):
    whole = Run.load(as_if(tiny_run, tmp_path / "whole", scenario="other"))
    lost = without(tiny_run, LOSSES["a column"](tiny_run))
    formats = ["html", "md", "latex"]
    for number, runs in enumerate(([lost, whole], [lost, without(whole, everything(whole))])):
        written = write_several(side_by_side(runs), tmp_path / str(number), formats)
        files = {path.name: path for path in written}
        for name in ("index.html", "table.md", "table.tex"):
            assert REASON in files[name].read_text()


def test_a_missing_target_leaves_the_number(tiny_run, tmp_path):
    scores = [
        dataclasses.replace(s, target=None, gap=None, gap_interval=None, gaps=())
        if s.readout == "test_error"
        else s
        for s in tiny_run.scores_of.scores
    ]
    given = dataclasses.replace(tiny_run.scores_of, scores=scores)
    run = without(tiny_run, {("retrained", "test_error")}, given)
    files = {path.name: path for path in write_report(run, tmp_path, ["html", "md"])}
    assert (
        "for the retrained models (the target), because the moon" in files["table.md"].read_text()
    )
    assert not any(pair.readout == "test_error" for pair in run.compared)


def test_notes_name_rows_and_readouts_and_stay_short(tiny_run):
    notes = undefined_notes(without(tiny_run, {("ssd", "mia_auc"), ("pgu", "mia_auc")}))
    assert len(notes) == 1
    assert notes[0].startswith("membership AUC: no number (-) for ")
    assert "any row" in undefined_notes(without(tiny_run, LOSSES["a column"](tiny_run)))[0]
    assert all(len(note) < 400 for note in undefined_notes(without(tiny_run, everything(tiny_run))))


@pytest.mark.parametrize(
    ("lost", "drawn"),
    [
        (lambda curve: curve.row != "constant" and not curve.behind, False),
        (lambda curve: curve.panel == "log-roc" and curve.row == "ssd", True),
    ],
)
def test_rows_without_curves_are_left_out_of_figures(tiny_run, lost, drawn):
    curves = [curve for curve in tiny_run.scores_of.curves if not lost(curve)]
    scores = dataclasses.replace(tiny_run.scores_of, curves=curves)
    figures = figures_of(Run(tiny_run.folder, tiny_run.record, scores, tiny_run.extras))
    assert (figures["roc"]() is not None) == drawn
    assert (figures["entropy"]() is not None) == drawn


NASTY = r"we$\frac$ird$ \x $"


def test_names_with_dollars_and_backslashes_are_drawn_as_they_stand(tiny_run, tmp_path):
    """The row, the data set, readouts, panels and settings: none of them is a formula."""
    old = "finetune[epochs=2]"
    rows = {NASTY if row == old else row: value for row, value in tiny_run.record["rows"].items()}
    record = tiny_run.record | {"rows": rows, "data": tiny_run.record["data"] | {"name": NASTY}}
    given = tiny_run.scores_of

    def renamed(items):
        return [dataclasses.replace(i, row=NASTY) if i.row == old else i for i in items]

    readouts = [dataclasses.replace(r, title=f"{r.title} {NASTY}") for r in given.readouts]
    panels = [Panel(**vars(p) | {"title": NASTY, "xlabel": NASTY}) for p in given.panels]
    panels = [dataclasses.replace(p, labels=[f"{x}{NASTY}" for x in p.labels]) for p in panels]
    scores = dataclasses.replace(
        given,
        readouts=readouts,
        panels=panels,
        scores=renamed(given.scores),
        curves=renamed(given.curves),
    )
    run = Run(tiny_run.folder, record, scores, tiny_run.extras)
    assert write_report(run, tmp_path / "one")
    several = side_by_side([run, Run(tiny_run.folder, record | {"scenario": NASTY}, scores)])
    files = {path.name: path for path in write_several(several, tmp_path / "two")}
    assert r"\frac" in files["index.html"].read_text()
    assert r"$\frac$" not in files["table.tex"].read_text()


def test_control_characters_of_a_foreign_folder_are_shown_escaped(tiny_run, tmp_path):
    evil = "digits\x1b[31m\x07\u202e"
    data = tiny_run.record["data"] | {"name": evil, "classes": ["\x1bzero", *"123456789"]}
    readouts = [
        r | {"title": r["title"] + "\x1b]0;x\x07"} if r["main"] else r
        for r in tiny_run.record["readouts"]
    ]
    folder = as_if(tiny_run, tmp_path / "evil", data=data, readouts=readouts)
    run = Run.load(folder)
    for path in write_report(run, tmp_path / "report"):
        if path.suffix in {".html", ".md", ".tex", ".csv", ".json", ".svg"}:
            text = path.read_text()
            assert not set(text) & {"\x1b", "\x07", "\u202e"}, path.name
    assert "\x1b" not in in_terminal(run)
    assert r"digits\x1b[31m" in (tmp_path / "report" / "table.md").read_text()
    assert "\n" in next(iter(run.record["about"]["attacks"].values()))  # descriptions keep lines


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["1", "2"], "class removal of 1 and 2"),
        (["cat"], "class removal of cat"),
        ([str(n) for n in range(100)], "class removal of 0, 1, 2 and 97 more"),
        (["x" * 5000], "class removal of xxx"),
    ],
)
def test_the_title_of_class_removal_names_the_classes(tiny_run, tmp_path, names, words):
    record = tiny_run.record | {"forgotten_classes": names}
    run = Run(tiny_run.folder, record, tiny_run.scores_of, tiny_run.extras)
    for path in write_report(run, tmp_path, ["md", "latex"]):
        assert words in path.read_text()
    assert len(title(run)) < 300


def test_notes_say_where_nothing_can_be_told(tiny_run):
    def with_interval(low, high):
        scores = [
            dataclasses.replace(s, interval=(low, high))
            if (s.row, s.readout) == ("retrain", "mia_auc")
            else s
            for s in tiny_run.scores_of.scores
        ]
        given = dataclasses.replace(tiny_run.scores_of, scores=scores)
        return " ".join(footnotes(Run(tiny_run.folder, tiny_run.record, given)))

    assert "told about forgetting by membership AUC [-5.000, 5.000]" in with_interval(-5.0, 5.0)
    assert "membership AUC [5.000" not in with_interval(5.0, 6.0)
    record = tiny_run.record | {"config": tiny_run.record["config"] | {"models": 1}}
    notes = footnotes(Run(tiny_run.folder, record, tiny_run.scores_of))
    assert any("nothing can be told about variation" in note for note in notes)
