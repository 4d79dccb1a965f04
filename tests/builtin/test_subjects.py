"""Subject removal: nobody is split, copies of an image stay together, and MUFAC's files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.builtin.scenarios.subject_removal import subject_removal, together
from bench.checks.others import check_dataset
from bench.config.folders import places
from bench.config.load import load_config
from bench.engine.begin import check
from bench.engine.graph import open_context
from bench.engine.run import score_stored
from bench.errors import UserError
from bench.plugins.registry import Registry
from bench.plugins.scenario import TrainingSet
from bench.reports.notes import footnotes
from tests.helpers.pictures import picture
from tests.helpers.tiny_run import TINY

REGISTRY = Registry()


@given(st.integers(0, 10**6))
def test_nobody_is_split_and_neither_are_copies(seed):
    rng = np.random.default_rng(seed)
    subjects, copies = rng.integers(12, size=60), rng.integers(50, size=60)
    training = TrainingSet(rng.integers(3, size=60), tuple("abc"), subjects, copies)
    try:
        forget = subject_removal(training, np.random.default_rng(seed), fraction=0.2).forget
    except UserError:
        assert np.bincount(together(subjects, copies)).max() > 48  # nearly all are linked
        return
    for kind in (subjects, copies):
        assert not set(kind[forget]) & set(kind[~forget])
    assert forget.mean() >= 0.2


def test_the_fraction_or_the_count_is_what_is_taken():
    training = TrainingSet(np.zeros(40, int), tuple("ab"), np.arange(40) // 4, np.arange(40))
    rng = np.random.default_rng
    assert subject_removal(training, rng(0), fraction=0.2).forget.sum() == 8
    assert subject_removal(training, rng(0), count=3).forget.sum() == 12
    draws = [subject_removal(training, rng(0), count=5, draw=draw).forget for draw in (0, 1)]
    assert not np.array_equal(*draws)
    with pytest.raises(UserError, match="takes all 40"):
        subject_removal(training, rng(0), count=10)


def test_subjects_that_share_an_image_are_joined_and_the_note_says_so():
    subjects, copies = np.array([0, 0, 1, 1, 2, 2, 3, 3]), np.array([0, 1, 1, 2, 3, 4, 5, 6])
    assert together(subjects, copies).tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    training = TrainingSet(np.zeros(8, int), tuple("ab"), subjects, copies)
    note = subject_removal(training, np.random.default_rng(0), count=1).note
    assert (
        note == "1 of 4 subjects forgotten; 1 subjects were joined to another that shares an image"
    )


def test_a_data_set_without_subjects_is_one_line(tmp_path):
    config = load_config({"dataset": "digits", "scenario": "subject", "out": str(tmp_path)})
    with pytest.raises(UserError, match="says who its images show"):
        check(open_context(config))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """40 people in 20 families, two ages each; one training image is in twice."""
    root = tmp_path_factory.mktemp("home") / "mufac"
    for part, families in (("train", range(20)), ("val", range(20, 24)), ("test", range(24, 30))):
        lines = ["family_id,person_id,age_class,image_path"]
        for family in families:
            for person in (1, 2):
                for age in ("a", "b"):
                    name = f"F{family:04d}_{person}_{age}.png"
                    value = 0 if family in (3, 4) and person == 1 and age == "a" else 1
                    shade = value * (family * 5 + person * 2 + (100 if age == "b" else 0))
                    picture(root / f"{part}_images" / name, shade, side=16)
                    lines.append(f"F{family:04d},P{person},{age},{name}")
        (root / f"custom_{part}_dataset.csv").write_text("\n".join(lines))
    return root.parent


def test_mufac_is_read_with_its_parts_and_people(home):
    with places(str(home)):
        data = REGISTRY.resolve("datasets", "mufac[side=8]")()
        families = REGISTRY.resolve("datasets", "mufac[side=8,subject=family]")()
        check_dataset(REGISTRY.resolve("datasets", "mufac[side=8]"))
    assert data.images.shape == (120, 8, 8, 3)
    assert (len(data.validation), len(data.test)) == (16, 24)
    assert (len(set(data.subjects)), len(set(families.subjects))) == (60, 30)
    assert data.classes == ("a", "b")


def test_subject_removal_of_a_run(home, tmp_path):
    config = {
        **TINY,
        "dataset": "mufac[side=8]",
        "data_dir": str(home),
        "scenario": "subject",
        "subset": None,
        "methods": "neggrad",
        "attacks": "errors",
        "models": 1,
        "out": str(tmp_path),
    }
    run = bench.run(config, quiet=True)
    notes = footnotes(run)
    assert set(run.record["audit"]["notes"]) <= set(notes)
    assert any("of 40 subjects forgotten; 1 subjects were joined" in note for note in notes)
    assert any("1 of 80 training images are byte-equal to others" in note for note in notes)
    copies = {(c["part"], c["of"]): c for c in run.record["audit"]["copies"]}
    assert (copies["train", "train"]["count"], copies["train", "train"]["size"]) == (1, 80)
    assert score_stored(run.folder, quiet=True).record["audit"] == run.record["audit"]
    split = open_context(load_config(config)).split
    people = open_context(load_config(config)).data.subjects[split.train]
    assert not set(people[split.forget]) & set(people[split.retain])


def test_mufac_that_is_not_there_or_not_whole_is_one_line(tmp_path):
    with places(str(tmp_path)), pytest.raises(UserError, match=r"mufac: no .*custom_train"):
        REGISTRY.resolve("datasets", "mufac")()
    (tmp_path / "mufac").mkdir()
    (tmp_path / "mufac" / "custom_train_dataset.csv").write_text("family_id,image_path\n1,a.png")
    with places(str(tmp_path)), pytest.raises(UserError, match="lacks age_class, person_id"):
        REGISTRY.resolve("datasets", "mufac")()


def write_table(home, part, rows):
    (home / "mufac" / f"{part}_images").mkdir(parents=True, exist_ok=True)
    lines = ["family_id,person_id,age_class,image_path"]
    for number, (family, person, age) in enumerate(rows):
        picture(home / "mufac" / f"{part}_images" / f"{number}.png", side=8)
        lines.append(f"{family},{person},{age},{number}.png")
    (home / "mufac" / f"custom_{part}_dataset.csv").write_text("\n".join(lines))


def load_faces(home):
    with places(str(home)):
        return REGISTRY.resolve("datasets", "mufac[side=8,subject=family]")()


def test_words_that_pandas_takes_for_missing_are_names(tmp_path):
    words = ["NA", "None", "null", "nan", "N/A", "-"]
    for part in ("train", "val", "test"):
        write_table(tmp_path, part, [(word, "p1", "ab"[n % 2]) for n, word in enumerate(words)])
    data = load_faces(tmp_path)
    assert len(np.unique(data.subjects)) == len(words)
    assert len(data.labels) == 18


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "family_id,person_id,age_class,image_path\nA,p,a,0.png\n,p,a,0.png",
            "family_id is empty in 1 .the first: line 3",
        ),
        ("family_id,person_id,age_class,image_path\nA, ,a,0.png", "person_id is empty in 1"),
        ("family_id,person_id,age_class\nA,p,a", "lacks image_path"),
        ("", "cannot be read as a CSV table: EmptyDataError"),
        ("a,b\n1,2,3,4\n", "cannot be read as|lacks"),
        ('a\n"', "cannot be read as a CSV table"),
    ],
)
def test_a_table_with_gaps_says_where(tmp_path, content, words):
    for part in ("train", "val", "test"):
        write_table(tmp_path, part, [("A", "p", "a")])
    (tmp_path / "mufac" / "custom_val_dataset.csv").write_text(content)
    with pytest.raises(UserError, match=words):
        load_faces(tmp_path)
