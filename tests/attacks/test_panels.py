"""What attacks declare to be drawn, stored without pickle; reports draw it and know no attack."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import bench
from bench.errors import UserError
from bench.plugins.outputs import EVERY_ROW, Curve, Panel, Readout, Score, Scores
from bench.plugins.registry import Registry
from bench.plugins.scores import arrays_of, as_record, check_scores, from_record, merged
from bench.plugins.toy_outputs import toy_outputs
from bench.reports.figures.answer import measures, utility
from bench.reports.figures.files import figures_of, save
from bench.reports.page.run import run_html
from tests.helpers.tiny_run import tiny

REGISTRY = Registry()
DRAWING_ATTACK = '''"""An attack with a figure of its own."""
import numpy as np
from bench.plugins.outputs import EVERY_ROW, Curve, Panel, Readout, Score, Scores

HEIGHTS = Panel("heights", "How high", "bars", labels=["low", "high"], behind="nothing at all")
LINES = Panel("lines", "How long", "line", xlabel="x", ylabel="y", readout="mine", symbol="M")


def drawing(outputs):
    scores, curves = [], [Curve("heights", EVERY_ROW, np.ones(2), behind=True)]
    for row in outputs.rows:
        scores.append(Score(row, "mine", 0.5, 0.0, 1))
        curves.append(Curve("heights", row, np.array([1.0, 2.0])))
        curves.append(Curve("lines", row, np.arange(3.0), np.arange(3.0)))
    readouts = [Readout("mine", "my number", "low", 0.0, role="attack")]
    return Scores(readouts, scores, panels=[HEIGHTS, LINES], curves=curves)
'''


@pytest.fixture(scope="module")
def drawn_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawing")
    (folder / "drawing.py").write_text(DRAWING_ATTACK)
    config = tiny(
        folder / "out",
        methods="ssd",
        models=2,
        attacks="drawing",
        plugins=[str(folder / "drawing.py")],
        train={"epochs": 2, "batch_size": 32},
    )
    return bench.run(config, quiet=True)


def test_an_attack_with_a_figure_is_one_file(drawn_run, tmp_path):
    assert {"heights", "lines"} <= set(figures_of(drawn_run))
    names = {path.name for path in save(figures_of(drawn_run), tmp_path)}
    assert {"heights.png", "lines.pdf"} <= names
    page = run_html(bench.Run.load(drawn_run.folder))
    for words in ("How high", "how high: nothing at all", "M 0.500"):
        assert words in page


@pytest.mark.parametrize("attack", ["membership", "entropy", "forgetting-quality", "u-lira"])
def test_scores_come_back_from_a_record_and_its_arrays(attack):
    scores = REGISTRY.resolve("attacks", attack)(toy_outputs())
    again = from_record(json.loads(json.dumps(as_record(scores))), arrays_of(scores))
    assert as_record(again) == json.loads(json.dumps(as_record(scores)))
    before, after = arrays_of(scores), arrays_of(again)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    check_scores(attack, again)


def test_scores_of_an_older_version_are_one_line():
    with pytest.raises(UserError, match="older version: repeat bench score"):
        from_record({"readouts": [], "scores": [], "notes": []}, {})


def test_another_variant_of_an_attack_has_panels_of_its_own():
    texts = ["membership", "membership[folds=2]"]
    attacks = [REGISTRY.resolve("attacks", text) for text in texts]
    scores = merged(texts, [attack(toy_outputs()) for attack in attacks])
    names = [panel.name for panel in scores.panels]
    assert len(names) == len(set(names)) == 6
    assert "roc[folds=2]" in names
    assert {curve.panel for curve in scores.curves} == set(names)
    assert {panel.readout for panel in scores.panels} <= {r.name for r in scores.readouts}
    check_scores("both", scores)


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (Curve("other", "a", np.ones(2)), "drew in 'other' but announced"),
        (Curve("bins", "a", np.ones(3)), "row 'a' in panel 'bins' has 3 values: must be 2"),
        (Curve("line", EVERY_ROW, np.ones(3), np.ones(2)), "has 3 values: must be 2"),
    ],
)
def test_a_curve_that_fits_no_panel_is_refused(curve, words):
    panels = [Panel("bins", "Bins", "histogram", edges=[0, 1, 2]), Panel("line", "Line", "line")]
    with pytest.raises(UserError, match=words):
        check_scores("mine", Scores([], [], panels=panels, curves=[curve]))


def run_with(tiny_run, *readouts):
    scores = [Score("ssd", readout.name, 0.1, 0.0, 3) for readout in readouts]
    return bench.Run(tiny_run.folder, tiny_run.record, Scores(list(readouts), scores))


def test_roles_say_what_the_summary_shows(tiny_run):
    assert [readout.name for readout in measures(tiny_run)] == ["forget_error_true", "mia_auc"]
    assert utility(tiny_run).name == "test_error"
    said = [
        Readout(name, name, role="forgetting", preference=p) for name, p in (("b", 2), ("a", 1))
    ]
    attacked = Readout("c", "c", role="attack")
    assert [r.name for r in measures(run_with(tiny_run, *said))] == ["a", "b"]
    assert [r.name for r in measures(run_with(tiny_run, *said, attacked))] == ["a", "c"]
    assert utility(run_with(tiny_run, attacked)) is None


def test_forgetting_is_judged_by_true_labels_only_where_labels_were_poisoned():
    outputs, errors = toy_outputs(), REGISTRY.resolve("attacks", "errors")
    forget = outputs.labels["forget"]
    clean = replace(
        outputs, labels={**outputs.labels, "forget": replace(forget, train=forget.true)}
    )
    roles = {r.name: (r.role, r.main) for r in errors(clean).readouts}
    assert roles["forget_error"] == ("forgetting", True)
    assert roles["forget_error_true"] == ("", False)
    poisoned = replace(forget, train=(forget.true + 1) % 3)
    dirty = replace(outputs, labels={**outputs.labels, "forget": poisoned})
    roles = {r.name: (r.role, r.main) for r in errors(dirty).readouts}
    assert roles["forget_error_true"] == ("forgetting", True)
    assert roles["forget_error"] == ("", True)
