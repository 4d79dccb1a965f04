"""The folders for data: where data sets lie, and where decoded data are kept.

A data set asks here instead of taking a path. One folder (``--data-dir``, else ``BENCH_DATA_DIR``,
else ./bench-data) holds all of them, each in the layout of its authors or of torchvision.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from bench.errors import UserError
from bench.outside import user_path
from bench.storage.files import may_write

DEFAULT, VARIABLE = "bench-data", "BENCH_DATA_DIR"


class Folders(NamedTuple):
    """What a run says about folders for data."""

    data_dir: str | None = None
    scratch: Path | None = None
    download: bool = False


_current: ContextVar[Folders] = ContextVar("folders", default=Folders())  # noqa: B039, immutable


@contextmanager
def places(
    data_dir: str | None, scratch: Path | None = None, fetch: bool = False
) -> Iterator[None]:
    """Within this context, look for data in ``data_dir`` and keep decoded data in ``scratch``.

    ``fetch`` says whether missing data may be downloaded.
    """
    token = _current.set(Folders(data_dir, scratch, fetch))
    try:
        yield
    finally:
        _current.reset(token)


def named_home() -> str | None:
    """The folder that the user named for data sets, if any."""
    return _current.get().data_dir or os.environ.get(VARIABLE) or None


def data_home() -> Path:
    """The folder that holds data sets."""
    return user_path(named_home() or DEFAULT)


def may_download() -> bool:
    """Whether the user allows missing data to be downloaded; a dry run does not do it."""
    return _current.get().download and may_write()


def scratch() -> Path | None:
    """The folder for decoded data; None where they are not kept, as in a dry run."""
    return _current.get().scratch if may_write() else None


def download(name: str) -> None:
    """Download the data set that torchvision calls ``name`` into the data folder; or UserError."""
    from torchvision import datasets

    try:
        getattr(datasets, name)(root=data_home(), download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot download {name} to {data_home()}: {error}") from error


def download_file(url: str, path: Path, sha256: str) -> None:
    """Download one file to ``path``, checksum included; or UserError. Shows progress."""
    from torch.hub import download_url_to_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path), hash_prefix=sha256)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot download {url} to {path}: {error}") from error
