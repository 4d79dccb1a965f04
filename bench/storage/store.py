"""Artefacts by content: the key of an artefact is the hash of everything that affects it.

An artefact is a record (JSON) and, mostly, a payload: weights as safetensors, or arrays as npz.
The payload is written first and the record last, each under a temporary name that is then renamed.
So a record that exists means a whole artefact. The record holds the payload's checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import DamagedError
from bench.outside import reading
from bench.storage.files import may_write, require_writable, write_atomic
from bench.storage.records import (
    canonical_json,
    describe_file,
    pack_arrays,
    read_checked,
    read_record,
    set_aside,
    unpack_arrays,
    write_record,
)

if TYPE_CHECKING:
    import torch

Packed = dict[str, bytes]
COSTS = ("cost", "carry_cost")  # what a record says of work, not of its result
LEFTOVER_SECONDS = 24 * 3600
# Files of killed runs, by our names alone: the folder may be a link to anywhere.
LEFTOVER = re.compile(r"\.tmp-[0-9a-f]{32}|[0-9a-f]{32}\.lock(\..*)?")  # filelock adds to a name


def content_key(**ingredients: Any) -> str:
    """The key of an artefact: a hash of everything that affects it."""
    return hashlib.sha256(canonical_json(ingredients)).hexdigest()[:32]


@dataclass(frozen=True)
class Store:
    """A folder of artefacts, with one sub-folder for each kind."""

    folder: Path

    def open(self) -> Store:
        """Check that the folder can be written, and delete what killed runs left there."""
        require_writable(self.folder)
        for leftover in (*self.folder.glob(".tmp-*"), *self.folder.glob("*/??/*")):
            if not LEFTOVER.fullmatch(leftover.name):
                continue
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                    leftover.unlink()
        return self

    def has(self, kind: str, key: str) -> bool:
        """Whether an artefact exists and its payload has the right size.

        Only reading checks the payload's checksum.
        """
        path = self._path(kind, key, ".json")
        if not path.exists():
            return False
        try:
            self._check_size(path)
        except DamagedError:
            if may_write():
                raise
            return False  # a dry run leaves the file where it is
        return True

    def has_record(self, kind: str, key: str) -> bool:
        """Whether an artefact's record exists; its payload may not have been copied along."""
        return self._path(kind, key, ".json").exists()

    def record(self, kind: str, key: str) -> dict[str, Any]:
        """The record of an artefact that exists."""
        return self._read_record(self._path(kind, key, ".json"))

    def arrays(self, kind: str, key: str) -> dict[str, np.ndarray]:
        """The arrays of an artefact that exists."""
        return unpack_arrays(self._payload(kind, key), self._path(kind, key, ".npz"))

    def tensors(self, kind: str, key: str) -> dict[str, torch.Tensor]:
        """The tensors of an artefact that exists, on the CPU."""
        from safetensors.torch import load

        with reading(self._path(kind, key, ".safetensors"), "weights of the store"):
            return load(self._payload(kind, key))

    def write(self, kind: str, key: str, record: Mapping[str, Any], **arrays: np.ndarray) -> None:
        """Store a record, with its arrays if it has any."""
        payload = (".npz", pack_arrays(arrays)) if arrays else None
        self._write(kind, key, record, payload)

    def write_tensors(
        self, kind: str, key: str, record: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
    ) -> None:
        """Store a record with its tensors, which may be on any device."""
        from safetensors.torch import save

        on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        self._write(kind, key, record, (".safetensors", save(on_cpu)))

    def replace_costs(self, kind: str, key: str, measured: Mapping[str, Any]) -> None:
        """Put the costs of a new measurement into the record of an artefact, which stays as it is.

        ``measured``: a record of the same artefact; all but its costs is ignored.
        """
        costs = {name: measured[name] for name in COSTS if name in measured}
        stored = self.record(kind, key) | costs
        write_record(self._path(kind, key, ".json"), stored)

    def write_failure(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        """Store why an artefact could not be made. A failure does not count as an artefact."""
        write_record(self.failure_path(kind, key), dict(record))

    def failure(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record of the last failure, unless the artefact was made since."""
        path = self.failure_path(kind, key)
        return self._read_record(path) if path.exists() else None

    def record_path(self, kind: str, key: str) -> Path:
        """The file of an artefact's record."""
        return self._path(kind, key, ".json")

    def failure_path(self, kind: str, key: str) -> Path:
        """The file that says why an artefact could not be made."""
        return self._path(kind, key, ".failed.json")

    def lock_path(self, kind: str, key: str) -> Path:
        """The lock file of whoever makes an artefact, see bench/storage/locks.py."""
        return self._path(kind, key, ".lock")

    def pack(self, kind: str, key: str) -> Packed:
        """The files of an artefact, or of its failure, by suffix; none if neither exists."""
        path = self._path(kind, key, ".json")
        if not path.exists():
            failure = self.failure_path(kind, key)
            return {".failed.json": failure.read_bytes()} if failure.exists() else {}
        packed = {}
        if payload := self._read_record(path).get("payload"):
            packed[Path(payload["file"]).suffix] = self._payload(kind, key)
        return packed | {".json": path.read_bytes()}  # written last by ``unpack``

    def unpack(self, kind: str, key: str, packed: Packed) -> None:
        """Write what another store packed; raises DamagedError if it was changed on the way."""
        for suffix, content in packed.items():
            write_atomic(self._path(kind, key, suffix), content)
        if ".json" in packed:
            if self.record(kind, key).get("payload"):
                self._payload(kind, key)
            self.failure_path(kind, key).unlink(missing_ok=True)

    def drop(self, kind: str, key: str) -> None:
        """Delete an artefact and its failure."""
        path = self._path(kind, key, ".json")
        path.unlink(missing_ok=True)
        for file in path.parent.glob(f"{key}.*"):
            file.unlink(missing_ok=True)

    def _path(self, kind: str, key: str, suffix: str) -> Path:
        return self.folder / kind / key[:2] / f"{key}{suffix}"

    def _write(
        self, kind: str, key: str, record: Mapping[str, Any], payload: tuple[str, bytes] | None
    ) -> None:
        body = dict(record)
        if payload:
            suffix, content = payload
            path = self._path(kind, key, suffix)
            write_atomic(path, content)
            body["payload"] = describe_file(path, content)
        write_record(self._path(kind, key, ".json"), body)
        self.failure_path(kind, key).unlink(missing_ok=True)

    def _read_record(self, path: Path) -> dict[str, Any]:
        record = read_record(path, lambda: set_aside(path, path))
        if "payload" in record and not _is_described(path, record["payload"]):
            set_aside(path, path, "it describes no file of its own")
        return record

    def _check_size(self, path: Path) -> None:
        payload = self._read_record(path).get("payload")
        if payload:
            file = path.with_name(payload["file"])
            if not file.is_file() or file.stat().st_size != payload["bytes"]:
                set_aside(file, path)

    def _payload(self, kind: str, key: str) -> bytes:
        path = self._path(kind, key, ".json")
        payload = self._read_record(path)["payload"]
        file = path.with_name(payload["file"])
        return read_checked(file, payload, lambda: set_aside(file, path))


def _is_described(path: Path, payload: Any) -> bool:
    """Whether a record describes a payload in the way we do, and one that lies beside it."""
    names = {path.with_suffix(suffix).name for suffix in (".npz", ".safetensors")}
    return (
        isinstance(payload, dict)
        and str(payload.get("file")) in names
        and isinstance(payload.get("bytes"), int)
        and isinstance(payload.get("sha256"), str)
    )
