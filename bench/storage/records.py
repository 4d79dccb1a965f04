"""Records and the files they describe: JSON with a checksum, and arrays without pickle.

A record is a JSON object with a schema version and a checksum of its own content. It may describe
a file beside it by name, size and checksum. Readers check both checksums.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bench.errors import DamagedError, UserError
from bench.outside import reading, shown
from bench.storage.archives import array_names, read_arrays
from bench.storage.files import may_write, read_file, write_atomic

SCHEMA_VERSION = 1
MOST_BYTES = 2**26  # of a record
MOST_PARTS = 10**6  # lists and tables in a record: each takes much more memory than its text
OTHER_SUM = "its checksum does not match"
OnDamage = Callable[[], object]


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def write_record(path: Path, body: Mapping[str, Any]) -> None:
    """Write a JSON record with its schema version and checksum."""
    content = {"schema_version": SCHEMA_VERSION, **body}
    content["check"] = _sha256(canonical_json(content))
    write_atomic(path, json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")


def read_record(path: Path, on_damage: OnDamage | None = None) -> dict[str, Any]:
    """Read a record and check it.

    Parameters
    ----------
    path
        The JSON file.
    on_damage
        Called if the content is not what was written; it raises. By default a UserError says so.

    Raises
    ------
    UserError
        The file cannot be read, is damaged, has more content than any record, or was written by a
        newer version.
    """
    text = read_file(path, MOST_BYTES)
    if text.count(b"[") + text.count(b"{") > MOST_PARTS:
        raise UserError(f"cannot read {shown(path)}: it has more than {MOST_PARTS:,} lists")
    try:
        content = json.loads(text)
        check, schema = content.pop("check", None), content["schema_version"]
        is_whole = check == _sha256(canonical_json(content))
        # A newer version may compute its checksum in another way. But if the checksum matches once
        # the number is ours again, then the number itself is what was damaged.
        ours = content | {"schema_version": SCHEMA_VERSION}
        is_newer = schema > SCHEMA_VERSION and (is_whole or check != _sha256(canonical_json(ours)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_whole = is_newer = False
    if is_newer:
        raise UserError(
            f"{path} was written by a newer version (schema {schema}, this one reads "
            f"{SCHEMA_VERSION}): update the package, or choose another folder with --out"
        )
    if not is_whole:
        _damaged(path, on_damage)
    return content


def describe_file(path: Path, content: bytes) -> dict[str, Any]:
    """What a record says about a file beside it."""
    return {"file": path.name, "bytes": len(content), "sha256": _sha256(content)}


def read_checked(
    path: Path, description: Mapping[str, Any], on_damage: OnDamage | None = None
) -> bytes:
    """The content of a file that a record describes; ``on_damage`` as for ``read_record``.

    Of a file of another size, nothing is read.
    """
    has_size = path.is_file() and path.stat().st_size == description["bytes"]
    content = read_file(path) if has_size else b""
    if not has_size or _sha256(content) != description["sha256"]:
        _damaged(path, on_damage)
    return content


def set_aside(damaged: Path, record: Path, why: str = OTHER_SUM) -> NoReturn:
    """Rename a damaged file to ``*.damaged``, delete its record, and raise DamagedError."""
    problem = _problem(damaged, why)
    if not may_write():
        raise DamagedError(f"{problem}; bench run computes it again")
    aside = damaged.with_name(f"{damaged.name}.damaged")
    try:
        if damaged.exists():
            os.replace(damaged, aside)
        record.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{problem}: delete it and repeat the command ({error.strerror})"
        ) from error
    raise DamagedError(f"{problem}: renamed to {aside.name}; bench run computes it again")


def pack_arrays(arrays: Mapping[str, np.ndarray], compressed: bool = False) -> bytes:
    """The bytes of an .npz file."""
    buffer = io.BytesIO()
    save: Callable[..., None] = np.savez_compressed if compressed else np.savez
    save(buffer, **arrays)
    return buffer.getvalue()


def unpack_arrays(content: bytes, path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, read without pickle; raises UserError that names the file."""
    with reading(path, "arrays"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        try:
            return read_arrays(archive, len(content), array_names(archive))
        except UserError as error:
            raise UserError(f"{shown(path)}: {error}") from error


def _damaged(path: Path, on_damage: OnDamage | None) -> NoReturn:
    if on_damage:
        on_damage()
    raise UserError(f"{_problem(path)}: delete it")


def _problem(path: Path, why: str = OTHER_SUM) -> str:
    return f"damaged file {shown(path)} ({why})"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
