"""Read and write whole files, and explain in one line why that failed."""

from __future__ import annotations

import errno
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from bench.errors import UserError, shown

_writes: ContextVar[bool] = ContextVar("writes", default=True)


@contextmanager
def writing_nothing() -> Iterator[None]:
    """Within this context no file is written, not even the byte code of a plugin: for dry runs."""
    token, byte_code = _writes.set(False), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        _writes.reset(token)
        sys.dont_write_bytecode = byte_code


def may_write() -> bool:
    """Whether files may be written here."""
    return _writes.get()


def temporary_beside(path: Path) -> Path:
    """A new name in the folder of ``path``; `Store.open` sweeps up files with such names."""
    return path.with_name(f".tmp-{uuid.uuid4().hex}")


def read_file(path: Path, most: int | None = None) -> bytes:
    """The content of a file; UserError if it cannot be read or has more bytes than ``most``."""
    if path.exists() and not path.is_file():
        raise UserError(f"cannot read {shown(path)}: not a regular file")
    try:
        with path.open("rb") as file:
            content = file.read(-1 if most is None else most + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {_reason(error)}") from error
    if most is not None and len(content) > most:
        raise UserError(f"cannot read {path}: it has more than {most:,} bytes")
    return content


def write_atomic(path: Path, content: bytes) -> None:
    """Write a whole file or nothing; raises UserError if the disk is full or read-only."""
    try:
        _replace(path, content)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> UserError:
    """The message for a user whose disk is full or read-only."""
    room = "make room or " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return UserError(
        f"cannot write {path}: {_reason(error)}; {room}choose another folder; finished work is kept"
    )


def require_writable(folder: Path) -> None:
    """Create ``folder`` and write a file there; raises UserError if that fails."""
    probe = folder / ".writable"
    try:
        _replace(probe, b"")
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise _folder_error(folder, _reason(error)) from error


def refuse_unwritable(folder: Path) -> None:
    """Raise UserError if ``folder`` could not be created or written; writes nothing itself."""
    folder = folder.absolute()
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise _folder_error(folder, f"{nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _folder_error(folder, f"{nearest}: {os.strerror(errno.EACCES)}")


def _replace(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it."""
    if not may_write():
        raise RuntimeError(f"a dry run writes nothing, not even {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _folder_error(folder: Path, reason: str) -> UserError:
    return UserError(f"cannot write to {folder} ({reason}): choose another folder with --out")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
