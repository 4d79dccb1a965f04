"""Where a number comes from: versions of package and libraries, machine, and git state."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "xgboost", "joblib")


def package_version() -> str:
    return _version("unlearning-bench")


@cache
def versions() -> dict[str, str]:
    """The versions that decide the last digits of a model: for the record of every artefact."""
    return {"bench": package_version(), **{name: _version(name) for name in ("torch", "numpy")}}


def provenance(device: str) -> dict[str, Any]:
    """Versions, machine and git state, for the record of a run."""
    return {
        "bench": package_version(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "device": device,
        "git": _git_state(),
        "command": _command(),
    }


def _command() -> str:
    """The command as typed, ready to paste into a shell; "python" for a call from Python."""
    program = Path(sys.argv[0])
    typed = program.name == "bench" or program.parts[-2:] == ("bench", "__main__.py")
    return shlex.join(["bench", *sys.argv[1:]]) if typed else "python"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """The name of this machine's processor; empty if the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _git_state() -> dict[str, Any] | None:
    """Commit of the running source tree, and whether it has changes; None in a wheel."""
    here = Path(__file__).resolve().parent.parent.parent
    if not (here / ".git").exists():
        return None
    try:
        commit, status = (
            subprocess.run(
                ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked=no"])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "changed": bool(status)}
