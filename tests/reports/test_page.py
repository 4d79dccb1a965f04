"""Page and tables of a report: valid, escaped, loading nothing, and all the same numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from bench.reports.figures.answer import spread
from bench.reports.figures.files import figures_of, save
from bench.reports.figures.panels import Drawing
from bench.reports.page import template
from bench.reports.page.about import parts
from bench.reports.page.forgotten import samples
from bench.reports.page.run import run_html
from bench.reports.page.sheets import Sheet
from bench.reports.tables.latex import escape, run_latex
from bench.reports.tables.text import json_text, run_markdown, run_values
from bench.results.compare import supported
from bench.results.finished import Comparison
from bench.results.run import Run
from bench.results.table import number
from bench.results.tidy import wide_table
from tests.helpers.page import Page


@pytest.fixture(scope="module")
def tiny_page(tiny_run):
    return run_html(tiny_run)


def test_the_page_is_valid_and_loads_nothing(tiny_page):
    found = Page(tiny_page)
    assert len(found.ids) == len(set(found.ids))
    for tag, address in found.addresses:
        assert address.startswith(("#", "data:")), (tag, address)
        assert not address.startswith("#") or address[1:] in found.ids, address
    assert "default-src 'none'" in tiny_page
    assert "@import" not in tiny_page
    assert "url(" not in re.sub(r"url\(#", "", tiny_page)


def test_the_page_shows_in_order_what_a_reader_needs(tiny_page, tiny_run):
    order = [tiny_page.index(f'id="{name}"') for name in (
        "compared", "answer", "comparison", "methods", "scenario", "numbers", "provenance"
    )]  # fmt: skip
    assert order == sorted(order)
    text = " ".join(Page(tiny_page).text)
    for shown in (
        tiny_run.record["provenance"]["command"],
        tiny_run.record["data"]["fingerprint"],
        "epochs = 15",  # of the resolved configuration
        "Jensen-Shannon divergence",  # of an attack's own words
        "trained:",
    ):
        assert shown in text, shown


@pytest.mark.parametrize("kind", ["page", "markdown", "wide csv", "json", "latex"])
def test_every_table_agrees_with_the_long_one_to_the_printed_digits(tiny_run, tiny_page, kind):
    frame = tiny_run.scores().set_index(["row", "readout"]).value
    readouts = tiny_run.scores_of.readouts
    shown = {
        "page": lambda: _of_page(tiny_page, readouts),
        "markdown": lambda: _of_markdown(run_markdown(tiny_run), readouts),
        "wide csv": lambda: _of_wide(wide_table(tiny_run), readouts),
        "json": lambda: {
            (line["row"], line["readout"]): line["value"]
            for line in json.loads(json_text(run_values(tiny_run)))["scores"]
        },
        "latex": lambda: _of_latex(run_latex(tiny_run), readouts),
    }[kind]()
    known = {readout.name: readout for readout in readouts}
    for (row, name), value in shown.items():
        if name in known:
            text = value if isinstance(value, str) else number(value, known[name])
            assert text == number(frame[row, name], known[name]), (row, name)
    rows = set(frame.index.get_level_values("row"))
    assert {row for row, _ in shown} == rows
    if kind != "latex":  # which names some readouts in short
        assert {name for _, name in shown} >= set(known)


def _of_page(text, readouts):
    tables = [table for table in Page(text).tables if table[0][0].strip().startswith("method")]
    found = {}
    for header, *lines in tables:
        for place, heading in enumerate(header):
            name = next((r.name for r in readouts if _starts(heading, r)), None)
            for line in lines:
                if name:
                    value = re.match(r"\s*(-?[\d.]+)", line[place])
                    found[line[0].strip(), name] = value.group(1)
    return found


def _starts(heading, readout):
    unit = " (%)" if readout.percent else ""
    return re.match(re.escape(readout.title + unit) + r"(target|low)", heading.strip())


def _of_markdown(text, readouts):
    found, header = {}, []
    for line in text.partition("Ranks among")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if cells[0] == "method":
            header = [cell.removesuffix(" (%)") for cell in cells]
        elif line.startswith("| ") and header and cells[0] not in ("---", "target"):
            for heading, cell in zip(header, cells, strict=True):
                name = next((r.name for r in readouts if r.title == heading), None)
                if name:
                    found[cells[0], name] = cell.split(" ")[0].replace("**", "")
    return found


def _of_wide(frame, readouts):
    names = [readout.name for readout in readouts]
    return {
        (line["method"], name): line[name]
        for _, line in frame.iterrows()
        for name in names
        if pd.notna(line[name])
    }


def _of_latex(text, readouts):
    found = {}
    for body in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.DOTALL):
        header, *lines = [line for line in body.splitlines() if line.startswith(("method", *ROWS))]
        headings = [h.strip().replace("\\%", "%") for h in header.removesuffix(r" \\").split(" & ")]
        for line in lines:
            cells = line.removesuffix(r" \\").split(" & ")
            for heading, cell in zip(headings, cells, strict=True):
                name = next((r.name for r in readouts if _short(r) == heading), None)
                if name:
                    value = re.sub(r"\\textbf\{(.*?)\}", r"\1", cell).replace("$-$", "-")
                    found[cells[0], name] = re.match(r"-?[\d.]+", value).group()
    return found


ROWS = ("original", "retrain", "finetune", "neggrad", "ssd", "pgu", "constant")


def _short(readout):
    return readout.short + (" (%)" if readout.percent else "") if readout.short else readout.title


def test_latex_has_the_structure_of_booktabs(tiny_run):
    text = run_latex(tiny_run)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") > 5
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(labels) == len(set(labels))
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{(l+r*)\}(.*?)\\end\{tabular\}", text, re.S
    ):
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(columns) - 1}
        assert [body.count(rule) for rule in (r"\toprule", r"\bottomrule")] == [1, 1]
    assert re.search(r"\d \{\\scriptsize\$\\pm\$[\d.]+\}", text)  # a mean with its error
    assert not re.findall(r"(?<!\\)[%_#]", re.sub(r"(?m)^%.*$|\{%$|\\label.*$", "", text))
    assert escape("a_b & 5 % <x> \\ ±λ") == (
        r"a\_b \& 5 \% \textless{}x\textgreater{} \textbackslash{} $\pm$?"
    )


def test_only_what_the_data_support_is_bold(tiny_run, tiny_page):
    best = supported(tiny_run.compared)
    bold = {pair.better for pair in tiny_run.compared if pair.better}
    assert all(rows <= bold for rows in best.values())
    for row in ("original", "retrain", "constant"):
        line = re.search(rf'data-value="{row}">.*?</tr>', tiny_page, re.DOTALL).group()
        assert "best" not in line


def test_nothing_is_bold_beside_a_plain_number_that_looks_better():
    def pair(first, second, difference, p):
        return Comparison("F", first, second, difference, -1.0, 1.0, p, p)

    told = pair("b", "c", -0.1, 0.01)
    assert supported([told]) == {"F": {"b"}}
    looks_better = [pair("a", "b", -0.2, 0.9), pair("a", "c", -0.3, 0.9)]
    assert supported([told, *looks_better]) == {"F": set()}
    both = [pair("a", "b", -0.2, 0.9), pair("a", "c", -0.3, 0.01)]
    assert supported([told, *both]) == {"F": {"a", "b"}}


def test_names_stay_text_and_a_run_without_extras_is_shown(tiny_run):
    evil = "<script>alert(1)</script>"
    record = dict(tiny_run.record)
    failure = {"member": 0, "stage": "unlearn", "reason": f"a < b & {evil}", "file": f"/x/{evil}"}
    mine = record["rows"]["ssd"] | {"done": 0, "failures": [failure], "params": {evil: evil}}
    record |= {"rows": record["rows"] | {evil: mine}, "scenario": evil}
    text = run_html(Run(tiny_run.folder, record, tiny_run.scores_of))
    assert text.count("<script>") == 1  # ours
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    found = Page(text)
    assert len(found.ids) == len(set(found.ids))
    assert "comparison" in found.ids
    assert "scenario" not in found.ids
    assert "1 of 3 models failed: unlearn, model 0: a < b &" in " ".join(found.text)


def test_equal_runs_give_equal_bytes(tiny_run, tiny_page, tmp_path):
    again = Run.load(tiny_run.folder)
    assert run_html(again) == tiny_page
    for make in (run_markdown, run_values, run_latex):
        assert make(again) == make(tiny_run)
    drawn = {"answer": figures_of(again)["answer"]}
    first, second = (save(drawn, tmp_path / name) for name in "ab")
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_a_collapsed_row_does_not_flatten_the_others(tiny_run):
    drawing = Drawing(tiny_run)
    (panel,) = (panel for panel in drawing.panels if panel.name == "entropy")
    sheet = Sheet(drawing, panel)
    reference = drawing.behind(panel, "original").y
    assert (reference / reference.sum()).max() > 0.1 * sheet.axes.get_ylim()[1]
    sheet.panel("constant")  # all of its outputs fall into one bin
    assert "up to 1.00" in sheet.panel("constant")
    assert sheet.axes.get_ylim()[1] < 0.9


def test_labels_keep_their_order_and_distance():
    heights = [0.5, 0.51, 0.52, 0.99, 1.0, 0.0]
    places = spread(heights, 0.1)
    assert sorted(range(6), key=lambda i: heights[i]) == sorted(range(6), key=lambda i: places[i])
    assert all(b - a > 0.0999 for a, b in zip(sorted(places), sorted(places)[1:], strict=False))
    assert 0 <= min(places) <= max(places) <= 1


def test_a_docstring_falls_into_its_own_parts():
    about = parts("What.\n\nCitation: A.\nEquations: two,\n  x = 1;\n  y = 2.\nDeviations: none.")
    assert about.summary == "What."
    assert [part.heading for part in about.parts] == ["Citation", "Equations", "Deviations"]
    assert about.parts[1].lines == [("two,", False), ("x = 1;", True), ("y = 2.", True)]
    points = parts("What.\n\nSteps: first\n- one, which\n  goes on;\n- two.\n\nText.").parts
    assert points[0].lines == [("first", False), ("- one, which goes on;", True), ("- two.", True)]
    assert parts("") is None
    assert template.coded("``a<b`` and `c`") == "<code>a&lt;b</code> and <code>c</code>"


def test_no_backtick_of_a_docstring_is_left_on_the_page():
    words = parts("Keeps ``k`` of ``n``.\n\nSteps: ``n<k`` stops.\n  x = ``k``")
    text = "{% from 'parts.html' import about %}{{ about(words) }}"
    shown = template.environment().from_string(text).render(words=words)
    assert "`" not in shown
    assert "<code>n&lt;k</code>" in shown


def test_samples_show_the_poison(tiny_run):
    shown = samples(tiny_run)
    assert len(shown) == 12
    assert all(sample["train"] != sample["true"] for sample in shown)
    assert all(sample["url"].startswith("data:image/png;base64,") for sample in shown)


def test_the_files_of_a_plugin_package_travel_with_the_wheel():
    folder = Path(template.__file__).parent / "templates"
    assert {"page.css", "page.js", "run.html"} <= {path.name for path in folder.iterdir()}
