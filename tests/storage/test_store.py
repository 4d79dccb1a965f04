"""The store: artefacts are whole or absent, damage is noticed, nothing is unpickled."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from bench.errors import DamagedError, UserError
from bench.storage.files import write_atomic
from bench.storage.records import read_record, write_record
from bench.storage.store import Store, content_key

KEY = content_key(stage="test")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store").open()


def payload(store, suffix):
    return next(store.folder.rglob(f"{KEY}{suffix}"))


def test_what_was_written_is_read(store):
    weights = {"a.weight": torch.randn(3, 4), "steps": torch.tensor(7)}
    store.write_tensors("train", KEY, {"seed": [0, "x"]}, weights)
    found = store.tensors("train", KEY)
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert store.record("train", KEY)["seed"] == [0, "x"]
    store.write("predict", KEY, {}, logits=np.arange(6.0).reshape(2, 3))
    assert np.array_equal(store.arrays("predict", KEY)["logits"], np.arange(6.0).reshape(2, 3))


def test_keys_change_with_every_ingredient():
    keys = {content_key(a=1), content_key(a=2), content_key(b=1), content_key(a=1, b=1)}
    assert len(keys) == 4
    assert content_key(a=1, b=2) == content_key(b=2, a=1)


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_a_damaged_payload_is_renamed_and_can_be_computed_again(store, damage):
    store.write("predict", KEY, {}, logits=np.zeros(100))
    file = payload(store, ".npz")
    content = file.read_bytes()
    if damage == "truncate":
        file.write_bytes(content[:-10])
    elif damage == "flip":
        file.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    else:
        file.unlink()
    with pytest.raises(UserError, match="damaged file"):
        store.arrays("predict", KEY)
    assert not store.has("predict", KEY)
    store.write("predict", KEY, {}, logits=np.ones(2))
    assert store.arrays("predict", KEY)["logits"].sum() == 2


def test_truncation_is_noticed_without_reading_the_payload(store):
    store.write("predict", KEY, {}, logits=np.zeros(100))
    file = payload(store, ".npz")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="damaged file"):
        store.has("predict", KEY)


def test_a_changed_record_is_noticed(store):
    store.write("predict", KEY, {"value": 1})
    file = payload(store, ".json")
    file.write_text(file.read_text().replace('"value": 1', '"value": 2'))
    with pytest.raises(UserError, match="damaged file"):
        store.record("predict", KEY)


def test_a_payload_without_a_record_does_not_count(store):
    store.write("predict", KEY, {}, logits=np.zeros(3))
    payload(store, ".json").unlink()
    assert not store.has("predict", KEY)


def test_a_failure_is_no_artefact_and_disappears_when_there_is_one(store):
    store.write_failure("unlearn", KEY, {"reason": "it broke"})
    assert not store.has("unlearn", KEY)
    assert store.failure("unlearn", KEY)["reason"] == "it broke"
    store.write("unlearn", KEY, {})
    assert store.failure("unlearn", KEY) is None


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "run.json"
    write_record(path, {"schema_version": 999})
    with pytest.raises(UserError, match="newer version"):
        read_record(path)


def test_a_record_of_a_newer_version_is_refused_and_kept(store):
    """Even if its checksum works differently. A flipped bit of the version is damage."""
    store.write("predict", KEY, {"value": 1})
    file = payload(store, ".json")
    ours = file.read_text()
    theirs = ours.replace('"schema_version": 1', '"schema_version": 2').replace('"check"', '"sum"')
    file.write_text(theirs)
    with pytest.raises(UserError, match="newer version"):
        store.has("predict", KEY)
    assert file.read_text() == theirs
    file.write_text(ours.replace('"schema_version": 1', '"schema_version": 3'))
    with pytest.raises(DamagedError, match="renamed to"):
        store.has("predict", KEY)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .* \(Not a directory\): choose"):
        Store(tmp_path / "file" / "store").open()


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.storage.files.os.replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_atomic(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_objects_are_never_unpickled(store):
    store.write("predict", KEY, {}, logits=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match=r"allow_pickle=False|pickled objects"):
        store.arrays("predict", KEY)


def test_records_are_plain_json(store):
    store.write("predict", KEY, {"value": 0.1})
    assert json.loads(payload(store, ".json").read_text())["value"] == 0.1
