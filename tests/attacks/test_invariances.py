"""What must not matter to any score, over every registered attack, and extreme outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.attacks.forgetting_quality import example_epsilons
from bench.attacks.shared.distinguish import threshold_rates
from bench.attacks.shared.roc import pairwise_auc
from bench.checks.contract import toy_outputs
from bench.plugins.outputs import PARTS, Labels, Outputs, Population
from bench.plugins.registry import Registry
from bench.plugins.scores import check_scores
from tests.attacks.test_scores import by_name, rng

REGISTRY = Registry()
ALL = {e.name: REGISTRY.resolve("attacks", e.name) for e in REGISTRY.entries("attacks")}
ALL |= {
    label: REGISTRY.resolve("attacks", label)
    for label in (
        "forgetting-quality[variant=competition]",
        "forgetting-quality[variant=notebook]",
        "u-lira[variance=example]",
        "klom[edges=published]",
    )
}
LEARNT = {"membership"}  # boosted trees depend on the order of their columns and rows
SAMPLED = {"simple-mia", "mia-efficacy", "gap", "mia-nn"}  # by position: of examples


def changed(outputs: Outputs, logits, labels=lambda of: of) -> Outputs:
    """The outputs with every array of logits [m, n, classes] and of labels passed through."""

    def population(p: Population) -> Population:
        return replace(p, logits={part: logits(array) for part, array in p.logits.items()})

    return replace(
        outputs,
        original=population(outputs.original),
        retrained=population(outputs.retrained),
        rows={row: population(p) for row, p in outputs.rows.items()},
        labels={
            part: Labels(labels(of.train), labels(of.true)) for part, of in outputs.labels.items()
        },
        untrained=population(outputs.untrained),
    )


def equal(first, second):
    pairs = list(zip(first.scores, second.scores, strict=True))
    assert all(a.readout == b.readout for a, b in pairs)
    assert all(a.value == pytest.approx(b.value, abs=1e-6) for a, b in pairs)


@pytest.mark.parametrize("attack", sorted(set(ALL) - LEARNT))
def test_the_numbering_of_classes_does_not_matter(attack):
    outputs, new = toy_outputs(), np.array([2, 0, 1])
    other = changed(outputs, lambda z: z[..., np.argsort(new)], lambda of: new[of])
    equal(ALL[attack](outputs), ALL[attack](other))


@pytest.mark.parametrize("attack", sorted(ALL))
def test_a_constant_added_to_all_logits_of_an_output_does_not_matter(attack):
    outputs = toy_outputs()
    equal(ALL[attack](outputs), ALL[attack](changed(outputs, lambda z: z + 2.0)))


@pytest.mark.parametrize("attack", sorted(set(ALL) - LEARNT - SAMPLED))
def test_the_order_of_examples_does_not_matter(attack):
    order = rng(3).permutation(40)
    outputs = toy_outputs()
    other = changed(outputs, lambda z: z[:, order], lambda of: of[order])
    equal(ALL[attack](outputs), ALL[attack](other))


# Fitted on folds or splits of models, which are drawn by position.
FOLDED = LEARNT | {"mia-nn", "forgetting-quality", "forgetting-quality[variant=notebook]"}


@pytest.mark.parametrize("attack", sorted(set(ALL) - FOLDED))
def test_the_order_of_pairs_does_not_matter(attack):
    order = rng(5).permutation(6)
    outputs = toy_outputs()
    full = {row: p for row, p in outputs.rows.items() if len(p) == 6}
    outputs = replace(
        outputs, rows=full, relearning={r: outputs.relearning[r] for r in (*full, "retrained")}
    )
    other = changed(outputs, lambda z: z[order])
    shuffled = {
        row: replace(of, steps=of.steps[order], reached=of.reached[order])
        for row, of in outputs.relearning.items()
    }
    equal(ALL[attack](outputs), ALL[attack](replace(other, relearning=shuffled)))


@pytest.mark.parametrize("attack", sorted(ALL))
@pytest.mark.parametrize("extreme", [1000.0, -1000.0])
def test_logits_of_a_thousand_give_numbers(attack, extreme):
    outputs = toy_outputs()
    huge = changed(outputs, lambda z: (np.sign(z) * extreme).astype(np.float32))
    check_scores(attack, ALL[attack](huge))


@pytest.mark.parametrize("attack", sorted(ALL))
def test_equal_outputs_of_all_models_give_numbers(attack):
    check_scores(attack, ALL[attack](changed(toy_outputs(), lambda z: np.zeros_like(z))))


@pytest.mark.parametrize("attack", sorted(ALL))
def test_one_forgotten_example_is_scored_or_a_note_says_why(attack):
    outputs = toy_outputs()

    def one(p: Population) -> Population:
        return replace(p, logits={**p.logits, "forget": p.logits["forget"][:, :1]})

    of = outputs.labels["forget"]
    single = replace(
        outputs,
        original=one(outputs.original),
        retrained=one(outputs.retrained),
        rows={row: one(p) for row, p in outputs.rows.items()},
        labels={**outputs.labels, "forget": Labels(of.train[:1], of.true[:1])},
        untrained=one(outputs.untrained),
    )
    scores = ALL[attack](single)
    check_scores(attack, scores)
    assert scores.scores or scores.notes


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_monotone_transforms_do_not_matter_to_thresholds_and_auc(seed):
    unlearned, retrained = rng(seed).normal(size=(2, 8, 3)).round(1)  # with ties
    for transform in (np.arctan, lambda x: x**3, lambda x: np.exp(2 * x) - 5):
        moved = transform(unlearned), transform(retrained)
        for both in (True, False):
            plain = example_epsilons(*threshold_rates(unlearned, retrained, both), 0.01)
            found = example_epsilons(*threshold_rates(*moved, both), 0.01)
            assert np.array_equal(found, plain)
        assert pairwise_auc(*moved) == pytest.approx(pairwise_auc(unlearned, retrained))


def test_scores_of_a_row_do_not_change_when_its_labels_are_all_of_one_class():
    outputs = toy_outputs()
    same = {part: Labels(of.train * 0, of.true * 0) for part, of in outputs.labels.items()}
    scores = ALL["errors"](replace(outputs, labels=same))
    found = by_name(scores, "retrain")
    assert found["test_error"].value == pytest.approx(found["test_error_balanced"].value)
    assert set(PARTS) == set(same)
