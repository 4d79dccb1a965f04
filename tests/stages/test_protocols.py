"""Protocols end to end: one original for all, class removal, relearning, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

import bench
from bench.attacks.shared.crossfit import learnable_pairs
from bench.config.schema import Config
from bench.engine.begin import check
from bench.engine.graph import load_stages, open_context
from bench.errors import UserError
from bench.plugins.outputs import Outputs, Population
from bench.reports.notes import footnotes
from bench.reports.tables.text import run_markdown
from bench.stages.cell import Cell
from bench.stages.gather import gather, identical
from tests.helpers.outputs import populations
from tests.helpers.tiny_run import tiny

DRAWS = "finetune[epochs=1,batch_size=32]"  # several batches: their order is drawn
SMALL = {
    "models": 4,
    "methods": f"{DRAWS},ssd",
    "attacks": "errors,membership,forgetting-quality",
}


@pytest.fixture(scope="module")
def one_original(tmp_path_factory):
    return bench.run(tiny(tmp_path_factory.mktemp("one"), originals="one", **SMALL), quiet=True)


def scored(run, row):
    return {s.readout: s for s in run.scores_of.scores if s.row == row}


def test_all_unlearned_models_start_from_one_original(one_original):
    context = open_context(Config.model_validate(one_original.record["config"]))
    outputs = gather(context, None)
    assert outputs.rows[DRAWS].start == 0
    assert outputs.original.start is None
    spread = np.ptp(outputs.rows[DRAWS].logits["test"], axis=0).max()
    between = np.ptp(outputs.original.logits["test"], axis=0).max()
    assert 0 < spread < between  # other seeds, not other originals


def test_methods_without_randomness_are_flagged_and_count_once(one_original):
    assert scored(one_original, "ssd")["test_error"].count == 1
    assert "forgetting_quality" not in scored(one_original, "ssd")
    assert scored(one_original, DRAWS)["forgetting_quality"].count == 4
    assert any(re.match("ssd: no randomness", note) for note in footnotes(one_original))


def test_each_original_is_the_default_and_another_run(one_original):
    folder = tiny(one_original.folder.parent.parent, **SMALL)
    each = open_context(folder)
    one = open_context(folder.model_copy(update={"originals": "one"}))
    cells = [Cell("unlearn", DRAWS, member) for member in range(2)]
    assert each.key(cells[0]) == one.key(cells[0])
    assert each.key(cells[1]) != one.key(cells[1])
    assert each.config.identity() != one.config.identity()


def test_no_attacker_learns_from_the_pair_of_the_one_original():
    outputs = populations(1.0)
    row = Population(np.arange(8), outputs.original.logits, start=3)
    shared = Outputs(outputs.original, outputs.retrained, {"mine": row}, outputs.labels)
    assert learnable_pairs(shared).tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert identical(Population(np.arange(2), {"forget": np.ones((2, 3, 2))}, start=0))
    assert not identical(Population(np.arange(2), {"forget": np.ones((2, 3, 2))}))
    rounded = np.float32([[[2.2, -1.0]], [[2.2 + 7e-7, -1.0]]])
    assert identical(Population(np.arange(2), {"forget": rounded}, start=0))
    assert not identical(Population(np.arange(2), {"forget": rounded * [[[1]], [[1.1]]]}, start=0))


@pytest.fixture(scope="module")
def class_run(tmp_path_factory):
    config = tiny(
        tmp_path_factory.mktemp("class"),
        scenario="class[of=3]",
        models=2,
        methods="finetune[epochs=1]",
        attacks="errors,entropy,mia-nn,zrf,ain[epochs=2],relearn-time[epochs=3]",
    )
    return bench.run(config, quiet=True)


def test_class_removal_drops_outputs_and_test_examples(class_run):
    outputs = gather(open_context(Config.model_validate(class_run.record["config"])), None)
    assert outputs.num_classes == 9
    assert (outputs.labels["forget"].train == -1).all()
    assert outputs.labels["test"].true.max() == 8
    found = scored(class_run, "original")
    assert "forget_error" not in found
    assert found["test_error"].value < 0.5
    assert "no error on Df" in run_markdown(class_run)


def test_scores_that_need_more_stages_are_there_when_asked_for(class_run):
    for row in ("original", "retrain", "finetune[epochs=1]"):
        assert {"mia_nn", "zrf", "zrf_code", "ain", "relearn_time"} <= set(scored(class_run, row))
    assert scored(class_run, "original")["relearn_time"].value == 1
    again = bench.run(Config.model_validate(class_run.record["config"]), quiet=True)
    assert again.scores_of.scores == class_run.scores_of.scores


def test_a_later_version_of_a_stage_makes_its_scores_anew(class_run, monkeypatch):
    config = Config.model_validate(class_run.record["config"])
    attacks = ("ain[epochs=2]", "zrf", "errors")

    def keys():
        context = open_context(config)
        return [context.key(Cell("score", attack)) for attack in attacks]

    before = keys()
    monkeypatch.setattr(load_stages()["relearn"].__class__, "version", 99)
    assert [one == other for one, other in zip(before, keys(), strict=True)] == [False, True, True]


def test_two_classes_must_stay_and_classes_are_named(tmp_path):
    for scenario, words in (
        ("class[count=9]", "at least two must stay"),
        ("class[of=seven]", "no class 'seven'; classes: 0, 1"),
    ):
        with pytest.raises(UserError, match=words):
            bench.run(tiny(tmp_path, scenario=scenario), quiet=True)
    drawn = open_context(tiny(tmp_path, scenario="class[count=2,draw=1]")).split
    assert len(np.unique(drawn.true_labels[drawn.forget])) == 2


@pytest.mark.parametrize("attack", ["simple-mia[against=test]", "mia-efficacy[against=test]"])
def test_an_attack_that_learns_from_reported_test_data_is_refused(tmp_path, attack):
    with pytest.raises(UserError, match="learns from test data, which errors reports on"):
        check(open_context(tiny(tmp_path, attacks=f"errors,{attack}")))
    check(open_context(tiny(tmp_path, attacks=attack)))
    check(open_context(tiny(tmp_path, attacks="errors,simple-mia,mia-efficacy")))


def test_non_finite_outputs_name_the_cell_and_the_part(tmp_path):
    config = tiny(tmp_path, models=2, methods="neggrad", attacks="errors")
    bench.run(config, quiet=True)
    context = open_context(config)
    key = context.key(Cell("predict", "neggrad", 1))
    arrays = dict(context.store.arrays("predict", key))
    arrays["validation"] = arrays["validation"] * np.nan
    context.store.write("predict", key, {"row": "neggrad", "member": 1}, **arrays)
    with pytest.raises(UserError, match="neggrad 1 has non-finite outputs on validation"):
        gather(context, None)
