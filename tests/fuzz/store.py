"""Files of the store: damaged, exchanged, missing, or changed with a checksum that is right."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.errors import UserError
from bench.storage.records import write_record
from bench.storage.store import Store, content_key
from tests.fuzz.kind import Given, Kind
from tests.fuzz.mutate import change_bytes, change_value

KEYS = {kind: content_key(stage=kind) for kind in ("train", "predict", "score", "unlearn")}
WAYS = ("bytes", "bytes", "bytes", "value", "value", "gone", "exchanged", "folder", "link", "pipe")
_files: dict[str, bytes] = {}


def _fill(store: Store) -> None:
    """An artefact of each sort: tensors, arrays, a record alone, and a failure."""
    weights = {"a.weight": torch.arange(12.0).reshape(3, 4), "steps": torch.tensor(7)}
    store.write_tensors("train", KEYS["train"], {"seed": [0, "x"], "cost": {"s": 1.5}}, weights)
    store.write("predict", KEYS["predict"], {"member": 3}, logits=np.arange(24.0).reshape(2, 12))
    store.write("score", KEYS["score"], {"notes": ["a"], "scores": [{"value": 0.5}]})
    store.write_failure("unlearn", KEYS["unlearn"], {"reason": "it broke", "stage": "unlearn"})


def _read(store: Store) -> dict[str, Any]:
    """All that the store returns of them, as plain values."""
    found: dict[str, Any] = {}
    for kind, key in KEYS.items():
        if store.has(kind, key):
            record = found[kind] = store.record(kind, key)
            if kind == "train" and "payload" in record:
                found["tensors"] = {n: t.tolist() for n, t in store.tensors(kind, key).items()}
            elif "payload" in record:
                found["arrays"] = {n: a.tolist() for n, a in store.arrays(kind, key).items()}
        found[f"{kind} failed"] = store.failure(kind, key)
        found[f"{kind} packed"] = sorted(store.pack(kind, key))
    return found


class StoreFiles(Kind):
    """One file of a small store, changed."""

    name, count = "store", 2_000

    def prepare(self, home: Path) -> None:
        """Write a store, whose files all trials start from."""
        store = Store(home / "store").open()
        _fill(store)
        _read(store)
        for file in sorted(home.rglob("*.*")):
            if file.is_file():
                _files[str(file.relative_to(home))] = file.read_bytes()

    def draw(self, rng: random.Random) -> Given:
        """Draw a way to change a file; which one is a number."""
        given = {"way": rng.choice(WAYS), "file": rng.randrange(100), "seed": rng.randrange(2**32)}
        return Given(json.dumps(given).encode())

    def attempt(self, given: Given, folder: Path) -> None:
        """Read the changed store: what was damaged is refused, or missing, never another value."""
        what = json.loads(given.content)
        for name, content in _files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        store = Store(folder / "store").open()
        whole = _read(store)
        _change(what["way"], random.Random(what["seed"]), folder, what["file"])
        found = _read(store)
        if what["way"] not in ("value", "exchanged", "link"):  # these have a right checksum
            for name, value in found.items():
                if value != whole[name] and value and not _is_lost(name, value):
                    raise AssertionError(f"{name} is another one: {value}")


def _is_lost(name: str, value: Any) -> bool:
    """Whether this only says that an artefact's failure, or nothing, is left."""
    return name.endswith("packed") and (not value or value == [".failed.json"])


def _change(way: str, rng: random.Random, folder: Path, number: int) -> None:
    names = sorted(_files)
    file = folder / names[number % len(names)]
    other = folder / names[rng.randrange(len(names))]
    if way == "bytes":
        file.write_bytes(change_bytes(rng, file.read_bytes()))
    elif way == "value" and file.suffix == ".json":
        value = json.loads(file.read_text())
        value.pop("check")
        changed = change_value(rng, value)
        try:
            write_record(file, changed if isinstance(changed, dict) else {"x": changed})
        except (ValueError, UnicodeError) as error:
            raise UserError("not a record") from error
    elif way == "exchanged":
        file.write_bytes(other.read_bytes())
    else:
        file.unlink()
        if way == "folder":
            file.mkdir()
        elif way == "link":
            file.symlink_to(other if other != file else "nowhere")
        elif way == "pipe":
            os.mkfifo(file)
