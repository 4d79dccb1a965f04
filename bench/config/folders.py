"""Where data sets lie, and where what is decoded from them is kept.

A data set asks here instead of taking a path: one folder (``--data-dir``, else ``BENCH_DATA_DIR``,
else ./bench-data) holds all of them, each in the layout that its authors or torchvision give it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from bench.errors import UserError

DEFAULT, VARIABLE = "bench-data", "BENCH_DATA_DIR"
_named: ContextVar[str | None] = ContextVar("data_dir", default=None)
_download: ContextVar[bool] = ContextVar("download", default=False)
_scratch: ContextVar[Path | None] = ContextVar("scratch", default=None)


@contextmanager
def places(
    data_dir: str | None, scratch: Path | None = None, fetch: bool = False
) -> Iterator[None]:
    """Within it, ``data_home`` is what the user named, and decoded data go to ``scratch``.

    ``fetch``: what is missing may be downloaded.
    """
    tokens = _named.set(data_dir), _scratch.set(scratch), _download.set(fetch)
    try:
        yield
    finally:
        for variable, token in zip((_named, _scratch, _download), tokens, strict=True):
            variable.reset(token)


def named_home() -> str | None:
    """The folder that the user named for data, if any."""
    return _named.get() or os.environ.get(VARIABLE) or None


def data_home() -> Path:
    """The folder that holds data sets."""
    return Path(named_home() or DEFAULT).expanduser()


def may_download() -> bool:
    """Whether the user asked for what is missing to be downloaded."""
    return _download.get()


def download(name: str) -> None:
    """Fetch the data set that torchvision calls ``name`` into the data folder; or UserError."""
    from torchvision import datasets

    try:
        getattr(datasets, name)(root=data_home(), download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot download {name} to {data_home()}: {error}") from error


def download_file(url: str, path: Path, sha256: str) -> None:
    """Fetch one file, with progress, to ``path``; whole and with that checksum, or UserError."""
    from torch.hub import download_url_to_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path), hash_prefix=sha256)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot download {url} to {path}: {error}") from error


def scratch() -> Path | None:
    """The folder for decoded data; None: nothing is kept."""
    return _scratch.get()
