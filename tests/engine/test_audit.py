"""Audit: what labels and bytes alone tell is said before anything is trained."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench.config.load import load_config
from bench.engine.audit import notes_on, refuse_unmeasurable
from bench.engine.begin import check
from bench.engine.copies import describe_copies, find_copies
from bench.engine.graph import open_context
from bench.errors import UserError
from bench.plugins.dataset import Data
from bench.plugins.registry import Registry
from bench.plugins.scenario import ForgetRequest, with_copies
from bench.stages.cell import Cell
from bench.stages.context import Context
from bench.stages.split import draw, with_samples
from tests.helpers.tiny_run import tiny

REGISTRY = Registry()
RANDOM = "random[fraction=0.2]"


def toy(labels, classes=3, equal=(), **parts):
    """A data set of images that all differ, but for the pairs in ``equal``."""
    images = np.zeros((len(labels), 8, 8, 1), np.uint8)
    images.reshape(len(labels), -1)[:, :4] = np.arange(len(labels), dtype="<u4")[:, None].view("u1")
    for one, other in equal:
        images[one] = images[other]
    names = tuple(f"c{number}" for number in range(classes))
    fixed = {name: np.array(index, dtype=np.int64) for name, index in parts.items()}
    return Data("toy", images, np.array(labels, dtype=np.int64), names, **fixed)


def audited(data, scenario=RANDOM, **changes):
    """The split of a data set, and all notes on it."""
    config = load_config({"train.batch_size": 4, **changes})
    split = draw(config, data, REGISTRY.resolve("scenarios", scenario))
    refuse_unmeasurable(split)
    return split, [*notes_on(split, config), *describe_copies(find_copies(split, data), data)]


def twins(data, split):
    """Which forgotten examples equal a retained one."""
    return np.isin(*(data.copies[split.train[of]] for of in (split.forget, split.retain)))


EVEN = np.arange(60) % 3


def test_nothing_is_said_of_a_run_as_it_should_be():
    assert audited(toy(EVEN))[1] == []
    assert audited(toy(EVEN), "class")[1] == []


@pytest.mark.parametrize(
    ("data", "scenario", "words"),
    [
        (toy(EVEN, test=[]), RANDOM, "the test set is empty.*give the data set labelled test"),
        (toy(EVEN, validation=[]), RANDOM, "the validation set is empty"),
        (
            toy(EVEN, validation=range(30), test=range(30, 60)),
            RANDOM,
            "toy has no training example",
        ),
        (toy(EVEN, test=range(60)), RANDOM, "from 0 examples .* validation and test sets take all"),
        (toy(EVEN, test=range(0, 60, 3)), "class", "the forget set is empty"),
        (toy(EVEN, test=range(0, 15, 3)), "class", "every test example is of class c0"),
        (toy(EVEN, validation=range(0, 15, 3)), "class", "every validation example is of class c0"),
        (toy(EVEN % 2), "class", "retain set has examples of class c1 alone"),
        (toy([*EVEN, 3], 4), RANDOM, "class c3 has a single one"),
        (toy(EVEN[:7]), RANDOM, "each of the 3 classes needs one there and one in the rest"),
    ],
)
def test_where_nothing_can_be_measured_one_line_says_so(data, scenario, words):
    with pytest.raises(UserError, match=words) as error:
        audited(data, scenario)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "changes", "words"),
    [
        (toy(EVEN), {"scenario": "random[count=1]"}, "the forget set is a single example"),
        (toy(EVEN, test=[4]), {}, "the test set is a single example"),
        (toy(EVEN, validation=[4]), {}, "the validation set has no example of classes c0, c2"),
        (toy(EVEN), {"retain_sample": 1}, "scored part of the retain set is a single example"),
        (toy(EVEN, 4), {}, "the training set has no example of class c3"),
        (
            toy(EVEN, test=range(1, 30, 3)),
            {"scenario": "class"},
            "test set has no example of",
        ),
        (toy(EVEN), {"scenario": "random[fraction=0.93]"}, "the retain set is 7.5 % of the train"),
        (toy(EVEN), {"train.batch_size": 41}, "is more than the 40 examples of the training set"),
        (toy(EVEN), {"train.batch_size": 37}, "is more than the 31 examples of the retain set"),
    ],
)
def test_what_a_reader_must_know_is_a_note(data, changes, words):
    scenario = {"scenario": RANDOM} | changes
    notes = audited(data, **scenario)[1]
    assert any(re.search(words, note) for note in notes), notes


def test_a_class_that_vanishes_beside_other_examples_is_noted():
    _split, notes = audited(toy(EVEN, equal=[(0, 1)], test=range(30, 60)), "class", copies="with")
    assert "nothing is retained of class c0: retrained models see no such example" in notes


def test_unseen_examples_of_forgotten_subjects_are_counted():
    subjects = np.arange(60) // 3
    split, notes = audited(toy(EVEN, subjects=subjects, test=range(2, 60, 3)), "subject")
    count = np.isin(subjects[split.test], subjects[split.train[split.forget]]).sum()
    assert f"{count} of 20 test examples show forgotten subjects" in notes
    assert not any("subjects" in n for n in audited(toy(EVEN, subjects=subjects % 3), RANDOM)[1])


def test_copies_are_counted_between_all_parts_and_said_in_one_line():
    test, validation = range(48, 60), range(36, 48)
    equal = [(48, 0), (49, 0), (50, 1), (36, 2), (51, 37), (5, 8)]
    data = toy(EVEN, equal=equal, test=test, validation=validation)
    split, notes = audited(data)
    assert notes == [
        "copies: 1 of 12 validation and 3 of 12 test images are byte-equal to training images; "
        "1 of 12 test images are byte-equal to validation images; "
        "1 of 36 training images are byte-equal to others before them; "
        "1 of 6 forgotten images have a byte-equal twin in the retain set, which retrained models "
        "see (copies = with forgets twins, too)"
    ]
    found = {(c["part"], c["of"]): c for c in find_copies(split, data)}
    assert found["test", "train"]["examples"] == [48, 49, 50]
    assert found["train", "train"]["examples"] == [8]


def test_a_table_has_copies_of_rows():
    rows = np.random.default_rng(0).normal(size=(60, 1, 1, 3)).astype(np.float32)
    rows[58] = rows[0]
    names = ("a", "b", "c")
    data = Data("table", rows, EVEN, names, scale=None, test=np.arange(40, 60))
    assert "1 of 20 test rows are byte-equal to training rows" in audited(data)[1][0]


def test_copies_may_share_the_fate_of_what_is_forgotten():
    data = toy(EVEN, equal=[(n, n + 3) for n in range(0, 36, 6)], test=range(40, 60))
    (kept, notes), (joined, fewer) = (audited(data, copies=how) for how in ("keep", "with"))
    assert any("forgotten images have a byte-equal twin in the retain set" in n for n in notes)
    assert not any("twin" in note for note in fewer)
    assert set(kept.forget) < set(joined.forget)
    assert not np.isin(
        data.copies[joined.train[joined.forget]], data.copies[joined.train[joined.retain]]
    ).any()
    assert np.array_equal(kept.train, joined.train)
    assert np.array_equal(joined.train_labels, data.labels[joined.train])
    more = len(joined.forget) - len(kept.forget)
    assert joined.note.startswith(f"{more} more examples are forgotten since they equal")


def test_copies_go_with_the_first_request_that_names_one():
    order = np.array([2, 1, 0, 0, 3, 0])
    request = ForgetRequest(order > 0, np.zeros(6, int), "removal", order=order)
    assert with_copies(request, np.array([0, 1, 0, 1, 2, 3])).order.tolist() == [2, 1, 2, 1, 3, 0]


def test_a_request_that_copies_leave_empty_is_an_error():
    order = np.array([1, 2, 3, 0])
    request = ForgetRequest(order > 0, np.zeros(4, int), "removal", order=order)
    with pytest.raises(UserError, match="leaves 1 of 3 requests empty"):
        with_copies(request, np.array([0, 0, 1, 2]))
    with pytest.raises(UserError, match="leaves 1 of 3 requests empty"):
        with_copies(request, np.array([0, 1, 0, 2]))


def test_the_split_of_copies_that_stay_keeps_its_key(tmp_path):
    contexts = [open_context(tiny(tmp_path, copies=how)) for how in ("keep", "with")]
    keys = [context.key(Cell("split")) for context in [open_context(tiny(tmp_path)), *contexts]]
    assert keys[0] == keys[1] != keys[2]


def test_notes_are_logged_once_before_training_and_nothing_is_written(
    tmp_path, monkeypatch, caplog
):
    data = toy(EVEN, equal=[(48, 0)], test=range(48, 60))
    monkeypatch.setattr(Context, "data", data)
    context = open_context(tiny(tmp_path, subset=None, scenario=RANDOM))
    with caplog.at_level(logging.WARNING, logger="bench"):
        check(context)
        check(context)
    assert [text for text in caplog.messages if text.startswith("copies: 1 of 12 test")] != []
    assert len(caplog.messages) == len(set(caplog.messages))
    assert not any(tmp_path.iterdir())


def test_a_run_in_which_nothing_can_be_measured_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Context, "data", toy(EVEN, test=range(0, 15, 3)))
    with pytest.raises(UserError, match="every test example is of class c0, which is removed"):
        bench.run(tiny(tmp_path, subset=None, scenario="class"), quiet=True)
    assert not any(tmp_path.iterdir())


SCENARIOS = st.sampled_from(
    [
        "random", "random[fraction=0.9]", "random[count=1]", "random[first=1,fraction=0.5]",
        "random[fraction=0.3,per_class=false]", "class", "class[count=2]", "class[draw=1]",
        "poison", "poison[flip=any,rate=0.6]", "incremental", "incremental[requests=2,count=3]",
        "subject", "subject[count=2]",
    ]
)  # fmt: skip


@st.composite
def data_sets(draw_value):
    """Small data sets with parts, subjects and copies as they come, sensible or not."""
    labels = draw_value(st.lists(st.integers(0, 3), min_size=1, max_size=40))
    places = st.integers(0, len(labels) - 1)
    parts = {}
    for part in ("validation", "test"):
        if draw_value(st.booleans()):
            parts[part] = sorted(draw_value(st.sets(places, max_size=12)))
    equal = draw_value(st.lists(st.tuples(places, places), max_size=6))
    subjects = draw_value(st.lists(st.integers(0, 5), min_size=len(labels), max_size=len(labels)))
    return toy(labels, 4, equal, subjects=subjects, **parts)


@settings(max_examples=150)
@given(data_sets(), SCENARIOS, st.sampled_from(["keep", "with"]), st.sampled_from([None, 10, 20]))
def test_a_split_keeps_all_promises_or_is_refused_in_one_line(data, scenario, copies, subset):
    try:
        split, notes = audited(data, scenario, copies=copies, subset=subset)
    except UserError:
        return
    parts = [split.train, split.validation, split.test]
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    assert all(len(part) for part in [*parts, split.forget, split.retain_sample])
    assert np.array_equal(np.sort([*split.forget, *split.retain]), np.arange(len(split.train)))
    assert len(np.unique(split.true_labels[split.retain])) > 1
    have_twins = twins(data, split).any()
    assert have_twins == any("twin" in note for note in notes)
    assert not (have_twins and copies == "with")
    for number in range(1, split.requests + 1):
        assert len(split.after(number).asked)
    assert set(with_samples(split, data).sample_places) <= set(split.forget)
