"""Records of a wrong shape with a right checksum are read, or refused in one line."""

from __future__ import annotations

import copy
import random
import shutil
from functools import partial

import pytest

from bench.config.load import CONFIG
from bench.engine.run import score_stored
from bench.errors import UserError
from bench.reports.console import show_run
from bench.reports.notes import footnotes
from bench.results.find import missing
from bench.results.manifest import MANIFEST, read_manifest
from bench.results.run import Run
from bench.storage.records import read_record, write_record
from bench.storage.store import Store, content_key
from tests.helpers.tiny_run import as_if

ABSENT = object()
VALUES = (None, 0.5, "text", "", [], {}, -1, True, 1e308, 10**30, [[1]], {"a": 1}, ABSENT)


def places(value, place=()):
    """The places of all leaves and subtrees; of lists, those in the first two items."""
    if place:
        yield place
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*place, key))
    elif isinstance(value, list):
        for number in range(min(len(value), 2)):
            yield from places(value[number], (*place, number))


def changed(record, place, value):
    """A copy with another value at one place."""
    whole = inside = copy.deepcopy(record)
    for key in place[:-1]:
        inside = inside[key]
    if value is ABSENT:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return whole


def body(path):
    """A record as ``write_record`` takes it."""
    return {key: value for key, value in read_record(path).items() if key != "schema_version"}


def mutants(path, count, seed):
    """``count`` records with something else at one place."""
    record, rng = body(path), random.Random(seed)
    every = list(places(record))
    for _number in range(count):
        place, value = rng.choice(every), rng.choice(VALUES)
        yield place, value, changed(record, place, value)


def works_or_says_why(act, what):
    """Whether an act succeeds; a failure has to be one printable line."""
    problem = ""
    try:
        act()
    except UserError as error:
        problem = str(error)
    assert problem.isprintable(), what
    return not problem


def load_and_show(folder):
    show_run(Run.load(folder), None, ("csv", "json", "latex", "md"))


def load_and_count(folder):
    run = Run.load(folder)
    return run.table(), run.scores(), footnotes(run)


def test_a_changed_record_is_read_or_refused_in_one_line(tiny_run, tmp_path):
    folder = as_if(tiny_run, tmp_path / "run")
    for place, value, record in mutants(tiny_run.folder / "run.json", 80, seed=2):
        write_record(folder / "run.json", record)
        works_or_says_why(partial(load_and_count, folder), (place, value))


def test_a_changed_record_is_reported_or_refused_in_one_line(tiny_run, tmp_path, capsys):
    folder = as_if(tiny_run, tmp_path / "run")
    results = []
    for place, value, record in mutants(tiny_run.folder / "run.json", 30, seed=0):
        write_record(folder / "run.json", record)
        act = partial(load_and_show, folder)
        results.append(works_or_says_why(act, (place, value)))
    assert 5 < sum(results) < 25


def test_every_key_of_a_run_may_be_absent_or_null(tiny_run, tmp_path):
    folder = as_if(tiny_run, tmp_path / "run")
    record = body(tiny_run.folder / "run.json")
    for key in record.keys() - {"check"}:
        for value in (ABSENT, None, 3):
            write_record(folder / "run.json", changed(record, (key,), value))
            works_or_says_why(partial(Run.load, folder), key)
    write_record(folder / "run.json", changed(record, ("rows", "retrain"), ABSENT))
    with pytest.raises(UserError, match=r"run.json was written by another version.* rows lack ret"):
        Run.load(folder)


def test_a_page_needs_the_machine_that_made_a_run(tiny_run, tmp_path):
    folder = as_if(tiny_run, tmp_path / "run")
    record = body(tiny_run.folder / "run.json")
    for key in record["provenance"]:
        write_record(folder / "run.json", changed(record, ("provenance", key), ABSENT))
        with pytest.raises(UserError, match=f"provenance.{key} is missing; write it again"):
            Run.load(folder)


def test_a_name_that_is_not_utf_8_is_no_wrong_shape(tiny_run, tmp_path):
    folder = as_if(tiny_run, tmp_path / "run")
    record = body(tiny_run.folder / "run.json")
    write_record(folder / "run.json", changed(record, ("data", "classes", 0), "caf\udce9"))
    assert Run.load(folder).record["data"]["classes"][0] == r"caf\udce9"


def test_a_changed_manifest_is_read_or_refused_in_one_line(tiny_run, tmp_path):
    for place, value, record in mutants(tiny_run.folder / MANIFEST, 150, seed=1):
        write_record(tmp_path / MANIFEST, record)
        (tmp_path / CONFIG).touch()
        works_or_says_why(partial(read_manifest, tmp_path), (place, value))
        assert isinstance(missing(tmp_path), str)


@pytest.mark.parametrize("change", [("stage", "../../x"), ("key", "../x"), ("key", "A" * 32)])
def test_a_manifest_cannot_lead_out_of_the_store(tiny_run, tmp_path, change):
    record = body(tiny_run.folder / MANIFEST)
    cell, members = record["keys"][0]
    if change[0] == "stage":
        cell["stage"] = change[1]
    else:
        members["0"] = change[1]
    write_record(tmp_path / MANIFEST, record)
    (tmp_path / CONFIG).touch()
    with pytest.raises(UserError, match=r"manifest.json was written by another version.*keys.0"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("payload", [{"file": ".."}, {"file": "../x.npz"}, None, 3, {}])
def test_a_record_cannot_name_a_file_that_is_not_its_own(tmp_path, payload):
    store, key = Store(tmp_path / "store").open(), content_key(stage="test")
    (tmp_path / "x.npz").touch()
    whole = {"bytes": 1, "sha256": "0"}
    record = {"payload": whole | payload if isinstance(payload, dict) else payload}
    write_record(store.record_path("predict", key), record)
    with pytest.raises(UserError, match="damaged file"):
        store.has("predict", key)
    assert (tmp_path / "x.npz").is_file()
    assert not list(tmp_path.glob("*.damaged"))


def test_a_stored_cell_of_a_wrong_shape_is_one_line(tiny_run, tmp_path):
    shutil.copytree(tiny_run.folder.parent.parent, tmp_path / "out")
    folder = tmp_path / "out" / "runs" / tiny_run.folder.name
    (tmp_path / "out" / "runs" / tiny_run.folder.name / "run.json").unlink()
    for stage, key in (("unlearn", "cost"), ("unlearn", "notes"), ("split", "classes")):
        file = next(
            file
            for file in sorted((tmp_path / "out" / "store" / stage).rglob("*.json"))
            if not file.name.endswith(".failed.json")
        )
        before = file.read_bytes()
        write_record(file, changed(body(file), (key,), ABSENT))
        with pytest.raises(UserError, match=f"{file.name} (?=.*{key}).*delete it and repeat"):
            score_stored(folder, quiet=True)
        file.write_bytes(before)


def test_a_configuration_that_was_changed_by_hand_is_one_line_with_its_file(tiny_run, tmp_path):
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    shutil.copy(tiny_run.folder / MANIFEST, folder)
    for text, words in (
        ("models = 'x'", "models = x"),
        ("a = [", "TOML"),
        ("b = 1", "unknown key"),
    ):
        (folder / CONFIG).write_text(text)
        with pytest.raises(UserError, match=f"config.toml.*{words}"):
            score_stored(folder, quiet=True)
