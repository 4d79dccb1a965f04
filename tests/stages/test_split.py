"""Splits and scenarios: exact membership, poison only where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.builtin.scenarios.class_removal import class_removal
from bench.builtin.scenarios.incremental import incremental
from bench.builtin.scenarios.poison import poison
from bench.builtin.scenarios.random_removal import random_removal
from bench.engine.begin import check
from bench.engine.execute import execute
from bench.engine.graph import open_context
from bench.errors import UserError
from bench.plugins.dataset import Data
from bench.plugins.scenario import ForgetRequest, TrainingSet, find_problem
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.networks import Networks
from bench.stages.split import refuse_overlaps
from tests.helpers.tiny_run import tiny

LABELS = np.repeat(np.arange(4), 50)
CLASSES = ("a", "b", "c", "d")


def rng(seed=0):
    return np.random.default_rng(seed)


def request(scenario=poison, labels=LABELS, classes=CLASSES, seed=0, **params):
    return scenario(TrainingSet(labels, classes), rng(seed), **params)


@given(st.floats(0.02, 0.95), st.integers(0, 50))
def test_pair_poison_flips_the_same_share_of_each_class_to_its_partner(rate, seed):
    found = request(rate=rate, seed=seed)
    partner = {}
    for label in range(4):
        mine = label == LABELS
        assert (found.forget & mine).sum() == round(rate * 50)
        (partner[label],) = set(found.train_labels[found.forget & mine])
    assert all(partner[partner[label]] == label != partner[label] for label in partner)
    assert np.array_equal(found.train_labels != LABELS, found.forget)


def test_the_class_without_a_partner_is_named():
    labels = np.repeat([0, 1, 2], 10)
    found = request(labels=labels, classes=("a", "b", "c"))
    (clean,) = set(range(3)) - set(labels[found.forget])
    assert found.note == f"class {'abc'[clean]} has no partner and stays clean"
    assert not request(labels=labels, classes=("a", "b", "c"), flip="any").note


@given(st.floats(0.02, 0.95), st.integers(0, 50))
def test_any_poison_flips_an_exact_share_to_any_other_class(rate, seed):
    found = request(rate=rate, seed=seed, flip="any")
    assert found.forget.sum() == round(rate * 200)
    assert np.array_equal(found.train_labels != LABELS, found.forget)


def test_any_poison_reaches_every_other_class():
    found = request(rate=0.9, flip="any")
    pairs = set(zip(LABELS[found.forget], found.train_labels[found.forget], strict=True))
    assert len(pairs) == 12


def test_two_classes_are_a_binary_flip():
    labels = np.repeat([0, 1], 30)
    for flip in ("pairs", "any"):
        found = request(labels=labels, classes=("real", "fake"), rate=0.5, flip=flip)
        assert np.array_equal(found.train_labels[found.forget], 1 - labels[found.forget])
        assert found.forget.sum() == 30


def test_an_odd_class_stays_clean():
    labels = np.repeat(np.arange(3), 20)
    found = request(labels=labels, classes=("a", "b", "c"), rate=0.5)
    assert sorted(np.bincount(labels[found.forget], minlength=3)) == [0, 10, 10]


def test_random_removal_takes_the_same_share_of_each_class_and_changes_no_label():
    found = request(random_removal, fraction=0.1)
    assert np.bincount(LABELS[found.forget]).tolist() == [5, 5, 5, 5]
    assert np.array_equal(found.train_labels, LABELS)


@pytest.mark.parametrize(
    ("scenario", "params"), [(poison, {"rate": 0.001}), (random_removal, {"fraction": 0.001})]
)
def test_nothing_to_forget_is_a_user_error(scenario, params):
    with pytest.raises(UserError, match="0 of 200"):
        request(scenario, **params)


@pytest.mark.parametrize(
    ("scenario", "params"),
    [
        (poison, {"rate": 0.1}),
        (random_removal, {"fraction": 0.1}),
        (incremental, {"fraction": 0.1, "requests": 2}),
    ],
)
def test_a_class_too_small_for_its_share_is_named(scenario, params):
    labels = np.repeat(np.arange(4), [50, 50, 50, 4])
    found = request(scenario, labels, **params)
    assert not found.forget[labels == 3].any()
    assert "nothing is forgotten of class d (4): so few training examples" in found.note
    assert not request(scenario, **params).note


@pytest.mark.parametrize(
    ("scenario", "params", "words"),
    [
        (class_removal, {"count": 10**15}, "class forgets 4 of 4 classes"),
        (class_removal, {"count": 10**15, "draw": 1}, "class forgets 4 of 4 classes"),
        (random_removal, {"count": 10**15}, "which has 50 training examples"),
        (incremental, {"requests": 10**12, "fraction": 1e-6}, "takes 0 of 200"),
        (incremental, {"requests": 10**12}, "choose fewer requests"),
    ],
)
def test_a_number_far_too_large_is_refused_without_filling_the_memory(scenario, params, words):
    with pytest.raises(UserError, match=words):
        request(scenario, **params)


ORDER = np.where(np.arange(200) < 20, 1, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"forget": np.arange(20)}, "forget is not one bool for each training example"),
        ({"train_labels": LABELS / 2}, "train_labels are not one integer"),
        ({"train_labels": np.where(ORDER, 9, LABELS)}, "labels that are no class"),
        ({"train_labels": (LABELS + 1) % 4}, "changed labels outside the forget set"),
        ({"order": ORDER[::-1]}, "order and forget disagree"),
        ({"order": 10**9 * ORDER}, "order must be 0 for what stays, and 1, ..., k"),
        ({"order": ORDER - (np.arange(200) > 190)}, "order must be 0 for what stays"),
    ],
)
def test_what_is_wrong_with_a_request_is_named(changes, words):
    good = ForgetRequest(ORDER > 0, LABELS.copy(), "removal", order=ORDER)
    assert find_problem(good, TrainingSet(LABELS, CLASSES)) == ""
    assert words in find_problem(replace(good, **changes), TrainingSet(LABELS, CLASSES))


def test_a_scenario_of_ones_own_that_forgets_nothing_is_one_line(tmp_path):
    plugin = tmp_path / "nobody.py"
    plugin.write_text(
        "from bench.plugins.scenario import ForgetRequest\n\n\n"
        "def nobody(training, rng, *, bad: bool = False):\n"
        "    forget = training.labels < 0\n"
        "    labels = training.labels + bad\n"
        "    return ForgetRequest(forget, labels, 'removal')\n"
    )
    for scenario, words in (
        ("nobody", "the forget set is empty"),
        ("nobody[bad=true]", r"nobody\[bad=true\]: gave labels that are no class"),
    ):
        context = open_context(tiny(tmp_path / "out", scenario=scenario, plugins=[str(plugin)]))
        with pytest.raises(UserError, match=words):
            check(context)


@pytest.fixture
def context(tmp_path):
    return open_context(tiny(tmp_path, subset=None))


def test_no_example_is_in_two_sets_and_none_is_lost(context):
    split = context.split
    sets = [split.train, split.validation, split.test]
    together = np.concatenate(sets)
    assert len(np.unique(together)) == len(together) == 1797
    assert len(split.test) == round(0.2 * 1797) + 1
    assert sorted([*split.forget, *split.retain]) == list(range(len(split.train)))
    assert set(split.retain_sample) <= set(split.retain)


def test_poison_touches_training_data_only(context):
    split, labels, networks = context.split, context.data.labels, context.once(Networks)
    assert np.array_equal(split.true_labels, labels[split.train])
    changed = np.flatnonzero(split.train_labels != split.true_labels)
    assert np.array_equal(changed, split.forget)
    for part in ("validation", "test"):
        given_out = networks.part(part).labels.numpy()
        assert np.array_equal(given_out, labels[getattr(split, part)])
    assert np.array_equal(networks.part("train").labels.numpy(), split.train_labels)


def test_both_labels_and_the_poisoned_indices_are_stored(context):
    execute(context, Cell("split"), alone=False)
    stored = context.store.arrays("split", context.key(Cell("split")))
    again = open_context(context.config).split
    assert all(np.array_equal(stored[name], getattr(again, name)) for name in stored)
    assert again.facts == context.split.facts
    assert np.array_equal(stored["forget"], context.split.forget)
    assert (stored["train_labels"] != stored["true_labels"]).sum() == len(stored["forget"])


def test_a_fixed_test_set_is_kept_and_never_trained_on(tmp_path, monkeypatch):
    images = np.zeros((200, 8, 8, 1), dtype=np.uint8)
    data = Data("fixed", images, np.arange(200) % 4, CLASSES, test=np.arange(150, 200))
    monkeypatch.setattr(Context, "data", data)
    split = open_context(tiny(tmp_path, subset=60)).split
    assert split.test.tolist() == list(range(150, 200))
    assert len(split.train) + len(split.validation) == 60
    assert max(split.train.max(), split.validation.max()) < 150


def test_seeds_change_the_split_and_nothing_else_does(tmp_path):
    contexts = [
        open_context(tiny(tmp_path, seed=seed, jobs=jobs))
        for seed, jobs in ((0, 1), (0, 2), (1, 1))
    ]
    keys = [context.key(Cell("split")) for context in contexts]
    assert keys[0] == keys[1] != keys[2]
    assert not np.array_equal(contexts[0].split.train, contexts[2].split.train)


@pytest.mark.parametrize("changes", [{"subset": 5000}, {"subset": 12}])
def test_impossible_sizes_are_user_errors(tmp_path, changes):
    with pytest.raises(UserError):
        _ = open_context(tiny(tmp_path, **changes)).split


def test_validation_and_test_sets_are_the_same_for_every_scenario_and_draw(tmp_path):
    scenarios = ["poison", "poison[draw=1]", "poison[rate=0.5,flip=any]", "random"]
    contexts = [open_context(tiny(tmp_path, scenario=scenario)) for scenario in scenarios]
    splits = [context.split for context in contexts]
    for part in ("train", "validation", "test"):
        assert all(np.array_equal(getattr(splits[0], part), getattr(s, part)) for s in splits)
    assert len({tuple(split.forget) for split in splits}) == len(splits)
    assert len({context.key(Cell("split")) for context in contexts}) == len(splits)


@pytest.mark.parametrize("scenario", [poison, random_removal])
def test_draws_differ_and_repeat(scenario):
    draws = [tuple(request(scenario, draw=draw).forget) for draw in (0, 1, 2, 1)]
    assert len(set(draws)) == 3
    assert draws[1] == draws[3]


@given(st.integers(1, 199))
def test_random_removal_of_a_count_is_exact_and_even(count):
    found = request(random_removal, count=count)
    assert found.forget.sum() == count
    taken = np.bincount(LABELS[found.forget], minlength=4)
    assert taken.max() - taken.min() <= 1


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"count": 201}, "takes 51 of class a, which has 50 .*choose a smaller count"),
        ({"count": 51, "first": 1}, "takes 51 of class a"),
        ({"count": 201, "per_class": False}, "takes 201 of the training set, which has 200"),
        ({"first": 5}, "there are 4 classes"),
    ],
)
def test_more_than_there_are_is_a_user_error(params, words):
    with pytest.raises(UserError, match=words):
        request(random_removal, **params)


def test_random_removal_may_take_classes_as_they_come():
    found = request(random_removal, count=40, per_class=False)
    assert found.forget.sum() == 40
    assert len(set(np.bincount(LABELS[found.forget], minlength=4))) > 1
    assert request(random_removal, fraction=0.1, per_class=False).forget.sum() == 20


@pytest.mark.parametrize("per_class", [True, False])
def test_random_removal_from_the_first_classes_only(per_class):
    found = request(random_removal, count=20, first=2, per_class=per_class)
    assert found.forget.sum() == 20
    assert set(LABELS[found.forget]) == {0, 1}


def test_a_fixed_validation_set_is_left_out_of_a_drawn_test_set(tmp_path, monkeypatch):
    fixed = replace(open_context(tiny(tmp_path)).data, validation=np.arange(300))
    monkeypatch.setattr(Context, "data", fixed)
    split = open_context(tiny(tmp_path, subset=None)).split
    assert split.validation.tolist() == list(range(300))


def test_sets_that_share_an_example_are_refused():
    refuse_overlaps(
        {"training": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3])}
    )
    with pytest.raises(UserError, match="1 examples are in both the training and the test set"):
        refuse_overlaps({"training": np.array([0, 1]), "test": np.array([1, 3])})
