"""What cannot be computed is no number: nan from an attack is set apart, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.attacks.detection import detection
from bench.attacks.errors import errors
from bench.attacks.forgetting_quality import forgetting_quality
from bench.attacks.gap import gap
from bench.attacks.klom import klom
from bench.attacks.mia_nn import mia_nn
from bench.errors import UserError
from bench.plugins.attack import refuse_unknown_classes
from bench.plugins.outputs import Curve, Labels, Outputs, Panel, Readout, Score, Scores, Undefined
from bench.plugins.registry import Registry
from bench.plugins.removal import without_classes
from bench.plugins.scores import as_record, check_scores, from_record
from bench.plugins.toy_outputs import toy_outputs
from bench.plugins.undefined import set_apart
from bench.storage.records import canonical_json
from tests.helpers.outputs import by_name

REGISTRY = Registry()
ALL = {e.name: REGISTRY.resolve("attacks", e.name) for e in REGISTRY.entries("attacks")}
ALL["competition"] = REGISTRY.resolve("attacks", "forgetting-quality[variant=competition]")
ALL["published"] = REGISTRY.resolve("attacks", "klom[edges=published]")


def only(outputs: Outputs, part: str, keep) -> Outputs:
    """The outputs with those examples of a part alone that ``keep``, bool [n], says."""
    of = outputs.labels[part]

    def cut(population):
        logits = population.logits
        kept = {part: logits[part][:, keep]} if part in logits else {}
        return replace(population, logits={**logits, **kept})

    return replace(
        outputs,
        original=cut(outputs.original),
        retrained=cut(outputs.retrained),
        rows={row: cut(population) for row, population in outputs.rows.items()},
        labels={**outputs.labels, part: Labels(of.train[keep], of.true[keep])},
        untrained=cut(outputs.untrained),
    )


def reasons(scores: Scores) -> dict[str, str]:
    return {one.readout: one.reason for one in set_apart(scores).undefined}


@pytest.mark.parametrize("attack", sorted(ALL))
@pytest.mark.parametrize(
    ("part", "classes"), [("test", 3), ("test", 2), ("validation", 3), ("validation", 2)]
)
def test_every_attack_copes_with_a_part_that_is_empty(attack, part, classes):
    outputs = only(toy_outputs(classes=classes), part, np.zeros(40, bool))
    scores = ALL[attack](outputs)
    check_scores(attack, scores)  # no nan without a reason
    apart = set_apart(scores)
    assert apart.scores or apart.notes or apart.undefined
    assert all(np.isfinite(score.value) for score in apart.scores)
    assert not any("attack gave" in one.reason for one in apart.undefined)
    record = as_record(apart)
    assert canonical_json(record)
    assert from_record(record, {}).undefined == apart.undefined


@pytest.mark.parametrize("attack", sorted(ALL))
def test_every_attack_copes_where_the_test_set_holds_the_removed_class_alone(attack):
    outputs = toy_outputs(classes=4)
    outputs = only(outputs, "forget", outputs.labels["forget"].true == 0)
    zeros = np.zeros(len(outputs.labels["forget"].true), int)
    outputs = replace(outputs, labels=outputs.labels | {"forget": Labels(zeros, zeros)})
    outputs = only(outputs, "retain", outputs.labels["retain"].true != 0)
    outputs = only(outputs, "test", outputs.labels["test"].true == 0)
    outputs = without_classes(outputs, np.array([0]))
    check_scores(attack, ALL[attack](outputs))


def test_numbers_of_two_classes_do_not_exist_where_there_is_one():
    outputs = replace(toy_outputs(classes=2), classes=("cat", "dog"))
    for label in (0, 1):
        one = only(outputs, "test", outputs.labels["test"].true == label)
        found = reasons(errors(one))
        assert set(found) == {"test_auc", "test_precision", "test_recall", "test_f1"}
        assert found["test_auc"].endswith(f"one class alone ({one.classes[label]})")
        found = reasons(detection(one))
        known = by_name(set_apart(detection(one)), "retrain")
        assert "detection_test_f1" in found
        assert "detection_test_accuracy" in known


@pytest.mark.parametrize(
    ("classes", "chosen", "expected"),
    [
        (("real", "fake"), "", "fake"),
        (("Fake", "Real"), "", "Fake"),
        (("cat", "dog"), "", "dog"),
        (("cat", "dog"), "cat", "cat"),
        (("0", "1"), 0, "0"),
    ],
)
def test_the_positive_class_is_named_and_chosen(classes, chosen, expected):
    outputs = replace(toy_outputs(classes=2), classes=classes)
    scores = detection(outputs, positive=chosen)
    assert f"positive is {expected} " in scores.notes[0]
    titles = {r.name: r.title for r in scores.readouts}
    assert titles["detection_test_precision"] == f"precision for {expected} on test set"
    said = outputs.rows["original"].logits["test"].argmax(-1) == classes.index(expected)
    truth = outputs.labels["test"].true == classes.index(expected)
    precision = [truth[model].mean() for model in said]
    assert by_name(scores, "original")["detection_test_precision"].values == pytest.approx(
        precision
    )
    both = by_name(errors(outputs, positive=chosen), "original")["test_recall"].values
    assert both == pytest.approx([model[truth].mean() for model in said])


def test_a_positive_class_that_does_not_exist_is_known_before_training():
    chosen = [REGISTRY.resolve("attacks", f"{a}[positive=faek]") for a in ("errors", "detection")]
    with pytest.raises(UserError, match="'faek': did you mean fake"):
        refuse_unknown_classes(chosen[1:], ["real", "fake"])
    refuse_unknown_classes([REGISTRY.resolve("attacks", "errors")], ["real", "fake"])


def test_the_average_gap_of_class_removal_is_that_of_the_other_three():
    outputs = toy_outputs(classes=4)
    gone = replace(
        outputs,
        labels=outputs.labels | {"forget": Labels(*[np.full(40, -1)] * 2)},
    )
    scores = set_apart(gap(gone))
    row, retrained = gone.rows["original"], gone.retrained
    differences = [
        np.abs(
            (row.logits[part].argmax(-1) != labels).mean(-1)
            - (retrained.logits[part].argmax(-1) != labels).mean(-1)
        )
        for part, labels in (
            ("retain", gone.labels["retain"].train),
            ("test", gone.labels["test"].true),
        )
    ]
    found = by_name(scores, "original")
    assert set(found) == {"average_gap", "tow_mia"}
    product = np.prod([1 - d for d in differences], axis=0)
    efficacy = 1 - np.array(found["tow_mia"].values) / product
    expected = np.mean([*differences, efficacy], axis=0)
    assert found["average_gap"].values == pytest.approx(expected)
    assert reasons(gap(gone)) == {"tow": "there is no error on Df"}


def test_a_final_score_without_a_retrained_model_that_is_right():
    outputs = toy_outputs()
    wrong = (outputs.retrained.logits["test"].argmax(-1)[0] + 1) % 3
    outputs = replace(
        outputs,
        retrained=replace(
            outputs.retrained,
            logits=outputs.retrained.logits
            | {"test": np.repeat(outputs.retrained.logits["test"][:1], 6, axis=0)},
        ),
        labels=outputs.labels | {"test": Labels(wrong, wrong)},
    )
    scores = set_apart(forgetting_quality(outputs))
    assert {score.readout for score in scores.scores} == {"forgetting_quality"}
    assert {one.readout for one in scores.undefined} == {"final_score"}
    assert "accuracy on the test set" in scores.undefined[0].reason


def test_published_scorers_have_no_number_where_their_code_has_none():
    two = set_apart(forgetting_quality(toy_outputs(2), variant="competition"))
    assert not two.scores
    assert "three models" in two.undefined[0].reason
    outputs = toy_outputs(4)
    high = np.full_like(outputs.retrained.logits["forget"], 5.0)
    high[..., 0] += 50
    lost = {
        row: replace(p, logits=p.logits | {"forget": high[: len(p)]})
        for row, p in outputs.rows.items()
    }
    assert "klom_forget" in reasons(klom(replace(outputs, rows=lost), edges="published"))
    assert "klom_forget" not in reasons(klom(replace(outputs, rows=lost)))


def test_a_neighbour_without_validation_examples():
    outputs = toy_outputs(classes=4)
    outputs = only(outputs, "forget", outputs.labels["forget"].true == 0)
    outputs = without_classes(outputs, np.array([0]))
    inputs = outputs.retrained.logits["forget"]
    neighbour = np.bincount(inputs.argmax(-1).ravel()).argmax()
    outputs = only(outputs, "validation", outputs.labels["validation"].true != neighbour)
    found = reasons(mia_nn(outputs))
    assert "neighbour" in found["mia_nn"]


# What an attack of a user may give ----------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


def given(*scores: Score, **lists) -> Scores:
    return Scores([Readout("mine", "my number")], list(scores), **lists)


@pytest.mark.parametrize("value", [NAN, INF, -INF, np.float32("nan")])
def test_a_number_that_is_none_costs_no_other(value):
    good = Score("b", "mine", np.float32(0.5), 0.5, 3, values=(np.float32(0.5),))
    apart = set_apart(given(Score("a", "mine", value, 0.5, 3), good))
    assert [(score.row, score.value) for score in apart.scores] == [("b", 0.5)]
    assert apart.undefined == [Undefined("a", "mine", f"the attack gave {value}")]
    canonical_json(as_record(apart))  # no numpy numbers either


def test_the_reason_of_the_attack_is_kept_and_models_are_counted():
    score = Score("a", "mine", NAN, 0.5, 3, values=(0.1, NAN, 0.2))
    explained = replace(given(score), readouts=[Readout("mine", "my number", undefined="it rains")])
    assert set_apart(explained).undefined[0].reason == "it rains (1 of 3 models)"
    listed = given(score, undefined=[Undefined("a", "mine", "it snows")])
    assert [one.reason for one in set_apart(listed).undefined] == ["it snows"]


def test_a_target_interval_or_model_that_is_none_leaves_the_number():
    score = Score(
        "a", "mine", 0.5, NAN, 3, (NAN, 1.0), INF, 0.1, (0.0, 1.0), (0.4, NAN), (0.1, NAN)
    )
    apart = set_apart(given(score))
    (left,) = apart.scores
    assert left == Score("a", "mine", 0.5, None, 3, values=(0.4, None))
    assert apart.undefined[0].row == "retrained"


def test_curves_that_cannot_be_drawn_are_left_out_with_a_note():
    panels = [
        Panel("line", "A line", "line"),
        Panel("values", "Values", "values", edges=[0.0, 1.0]),
    ]
    x = np.arange(2.0)
    curves = [
        Curve("line", "a", np.array([0, NAN]), x),
        Curve("line", "b", x, x),
        Curve("values", "a", np.array([INF, 1.0])),
        Curve("values", "b", np.array([NAN, 1.0])),
    ]
    apart = set_apart(given(panels=panels, curves=curves))
    assert [(c.panel, c.row) for c in apart.curves] == [("line", "b"), ("values", "a")]
    assert [note.partition(":")[0] for note in apart.notes] == ["A line", "Values"]


def test_a_number_without_a_reason_is_a_fault_of_the_contract():
    with pytest.raises(UserError, match="say why"):
        check_scores("mine", given(Score("a", "mine", NAN, 0.5, 3)))
    for y in ([0.0, 1.0], np.array(["a", "b"]), np.array([None, 1.0])):
        curves = [Curve("line", "a", y, np.arange(2.0))]
        panels = [Panel("line", "A line", "line")]
        with pytest.raises(UserError, match="array of numbers"):
            check_scores("mine", given(panels=panels, curves=curves))
    with pytest.raises(UserError, match="announced"):
        check_scores("mine", given(undefined=[Undefined("a", "other", "why")]))
