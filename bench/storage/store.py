"""Artefacts by content: a key is the hash of all that affects the artefact.

An artefact is a record (JSON) and, mostly, a payload (weights as safetensors, arrays as npz). The
payload is written first and the record last, each through a temporary file and a rename, so a
record that is there means a whole artefact. The payload's checksum stands in the record, the
record's own beside it; both are checked on reading. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import DamagedError, UserError

if TYPE_CHECKING:
    import torch

Packed = dict[str, bytes]
SCHEMA_VERSION = 1
STALE_SECONDS = 24 * 3600


def content_key(**ingredients: Any) -> str:
    """The key of an artefact: a hash of everything that affects it."""
    return hashlib.sha256(_canonical(ingredients)).hexdigest()[:32]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_atomic(path: Path, content: bytes) -> None:
    """Write a whole file or nothing; raises UserError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".tmp-{uuid.uuid4().hex}")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> UserError:
    """What to tell a user whose disk is full, or whose folder is not to be written."""
    room = "make room or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return UserError(
        f"cannot write {path}: {error.strerror or error}; {room}choose another folder; what "
        "was finished is kept"
    )


def refuse_unwritable(folder: Path) -> None:
    """Raise UserError where ``folder`` could not be made or written; itself writes nothing."""
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not there.is_dir():
        raise _not_to_be_written(folder, f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _not_to_be_written(folder, f"{there}: {os.strerror(errno.EACCES)}")


def _not_to_be_written(folder: Path, reason: str) -> UserError:
    return UserError(f"cannot write to {folder} ({reason}): choose another folder with --out")


@dataclass(frozen=True)
class Store:
    """A folder of artefacts, one sub-folder per kind."""

    folder: Path

    def open(self) -> Store:
        """Make sure that the folder can be written, and sweep up after killed runs."""
        probe = self.folder / ".writable"
        try:
            write_atomic(probe, b"")
        except UserError as error:
            raise _not_to_be_written(self.folder, error.__cause__.strerror) from error
        probe.unlink(missing_ok=True)
        for leftover in [*self.folder.rglob(".tmp-*"), *self.folder.rglob("*.claim")]:
            with contextlib.suppress(OSError):
                if time.time() - leftover.stat().st_mtime > STALE_SECONDS:
                    leftover.unlink()
        return self

    def _path(self, kind: str, key: str, suffix: str) -> Path:
        return self.folder / kind / key[:2] / f"{key}{suffix}"

    def has(self, kind: str, key: str) -> bool:
        """Is the artefact there? Its payload's size is checked, its checksum only on reading."""
        path = self._path(kind, key, ".json")
        if not path.exists():
            return False
        payload = self._read_record(path).get("payload")
        if payload:
            file = path.with_name(payload["file"])
            if not file.exists() or file.stat().st_size != payload["bytes"]:
                set_aside(file, path)
        return True

    def record(self, kind: str, key: str) -> dict[str, Any]:
        """The record of an artefact that is there."""
        return self._read_record(self._path(kind, key, ".json"))

    def arrays(self, kind: str, key: str) -> dict[str, np.ndarray]:
        """The arrays of an artefact that is there."""
        return unpack_arrays(self._payload(kind, key))

    def tensors(self, kind: str, key: str) -> dict[str, torch.Tensor]:
        """The tensors of an artefact that is there, on the CPU."""
        from safetensors.torch import load

        return load(self._payload(kind, key))

    def write(self, kind: str, key: str, record: Mapping[str, Any], **arrays: np.ndarray) -> None:
        """Store a record, with its arrays where there are any."""
        payload = None
        if arrays:
            payload = (".npz", pack_arrays(arrays))
        self._write(kind, key, record, payload)

    def write_tensors(
        self, kind: str, key: str, record: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
    ) -> None:
        """Store a record with its tensors, from whatever device."""
        from safetensors.torch import save

        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        self._write(kind, key, record, (".safetensors", save(whole)))

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

    def write_failure(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        """Keep why an artefact could not be made. It does not count as done."""
        write_record(self.failure_path(kind, key), dict(record))

    def failure_path(self, kind: str, key: str) -> Path:
        return self._path(kind, key, ".failed.json")

    def failure(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record of the last failure, if the artefact failed and was not made since."""
        path = self.failure_path(kind, key)
        return self._read_record(path) if path.exists() else None

    def claim_path(self, kind: str, key: str) -> Path:
        """Where whoever makes an artefact says so, see bench/storage/locks.py."""
        return self._path(kind, key, ".claim")

    def pack(self, kind: str, key: str) -> Packed:
        """The files of an artefact that is there, or of its failure; by suffix, record last."""
        path = self._path(kind, key, ".json")
        if not path.exists():
            failure = self.failure_path(kind, key)
            return {".failed.json": failure.read_bytes()} if failure.exists() else {}
        packed = {}
        if payload := self._read_record(path).get("payload"):
            packed[Path(payload["file"]).suffix] = self._payload(kind, key)
        return packed | {".json": path.read_bytes()}

    def unpack(self, kind: str, key: str, packed: Packed) -> None:
        """Write what another store packed; what a bad line changed is refused by its checksums."""
        for suffix, content in packed.items():
            write_atomic(self._path(kind, key, suffix), content)
        if ".json" in packed:
            if self.record(kind, key).get("payload"):
                self._payload(kind, key)
            self.failure_path(kind, key).unlink(missing_ok=True)

    def drop(self, kind: str, key: str) -> None:
        """Remove an artefact and its failure."""
        path = self._path(kind, key, ".json")
        path.unlink(missing_ok=True)
        for file in path.parent.glob(f"{key}.*"):
            file.unlink(missing_ok=True)

    def _read_record(self, path: Path) -> dict[str, Any]:
        return read_record(path, lambda: set_aside(path, path))

    def _payload(self, kind: str, key: str) -> bytes:
        path = self._path(kind, key, ".json")
        payload = self._read_record(path)["payload"]
        file = path.with_name(payload["file"])
        return read_checked(file, payload, lambda: set_aside(file, path))


def set_aside(damaged: Path, record: Path) -> None:
    """Rename a damaged file and drop its record; raises DamagedError, which says so."""
    what = f"damaged file {damaged} (its checksum does not match)"
    aside = damaged.with_name(f"{damaged.name}.damaged")
    try:
        if damaged.exists():
            os.replace(damaged, aside)
        record.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{what}: delete it and repeat the command ({error.strerror})") from error
    raise DamagedError(f"{what}: set aside as {aside.name}, bench run makes it anew")


def pack_arrays(arrays: Mapping[str, np.ndarray], compressed: bool = False) -> bytes:
    """The bytes of an .npz file."""
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def unpack_arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, without pickle."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def describe_file(path: Path, content: bytes) -> dict[str, Any]:
    """What a record says of a file beside it."""
    digest = hashlib.sha256(content).hexdigest()
    return {"file": path.name, "bytes": len(content), "sha256": digest}


def read_checked(
    path: Path, described: Mapping[str, Any], damaged: Callable[[], None] | None = None
) -> bytes:
    """A file's content if it is what was ``described``; else ``damaged()`` is called and raises."""
    content = _read(path) if path.exists() else b""
    if hashlib.sha256(content).hexdigest() != described["sha256"]:
        if damaged:
            damaged()
        raise UserError(f"damaged file {path} (its checksum does not match): delete it")
    return content


def write_record(path: Path, body: Mapping[str, Any]) -> None:
    """Write a JSON record with its schema version and checksum."""
    content = {"schema_version": SCHEMA_VERSION, **body}
    content["check"] = hashlib.sha256(_canonical(content)).hexdigest()
    write_atomic(path, json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")


def read_record(path: Path, damaged: Callable[[], None] | None = None) -> dict[str, Any]:
    """Read a record; ``damaged()`` is called (and raises) where it is not what was written."""
    written = _read(path)
    try:
        content = json.loads(written)
        check, schema = content.pop("check", None), content["schema_version"]
        whole = _is_check(check, content)
        # A newer version may check in another way; a flipped bit of its number is damage.
        newer = schema > SCHEMA_VERSION
        newer = newer and (
            whole or not _is_check(check, content | {"schema_version": SCHEMA_VERSION})
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = newer = False
    if newer:
        raise UserError(
            f"{path} was written by a newer version (schema {schema}, this one reads "
            f"{SCHEMA_VERSION}): update the package, or choose another folder with --out"
        )
    if not whole:
        if damaged:
            damaged()
        raise UserError(f"damaged file {path} (its checksum does not match): delete it")
    return content


def _is_check(check: str | None, content: Mapping[str, Any]) -> bool:
    return hashlib.sha256(_canonical(content)).hexdigest() == check


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
