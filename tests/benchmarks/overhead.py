"""What the harness itself costs: its share of a run, start-up, PGU's eigh against svd, memory.

``harness``: a run of digits in one process: the share outside the stages train, prepare, unlearn,
predict and score, and the share of the store (checksums, disk), which stages read from, too.
``startup``: commands, and imports to compare them with. ``eigh``: a layer's core space from R R^T
by eigh, the product included, against the thin SVD of R [d, 20 d] that PGU's published code takes;
one thread. ``memory``: peak resident memory of the main process, for a run with large populations
and for listing a tree of empty files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Row, row, seconds

PART = "overhead"
STAGES = ("train", "prepare", "unlearn", "predict", "score")
LIMIT_MB = 2048
# Not from getrusage: a process inherits that maximum from the process that started it.
PEAK = "from bench.training.cost import _status_mb; print('peak', _status_mb('VmHWM'))"


@contextmanager
def timed(spent: dict[str, float], owner: Any, name: str, kind: str) -> Iterator[None]:
    """Add up under ``kind`` the seconds that anybody's calls of a function take."""
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[kind] += time.perf_counter() - start

    setattr(owner, name, wrapped)
    try:
        yield
    finally:
        setattr(owner, name, original)


def harness(chosen: argparse.Namespace) -> Iterator[Row]:
    """Shares of a run's wall time: outside the stages, and in the store."""
    import bench
    from bench.config.load import load_config
    from bench.engine.graph import load_stages
    from bench.storage.store import Store

    outside, storing, whole = [], [], []
    for seed in range(chosen.repeats):
        spent: dict[str, float] = defaultdict(float)
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            for name in STAGES:
                stack.enter_context(timed(spent, type(load_stages()[name]), "make", "stages"))
            for name in ("_write", "_payload", "has"):
                stack.enter_context(timed(spent, Store, name, "store"))
            given = {"models": 10, "jobs": 1, "out": folder, "seed": seed}
            config = load_config(given | {"methods": "finetune,ssd,pgu"})
            whole.append(seconds(lambda: bench.run(config, quiet=True)))  # noqa: B023
        outside.append(100 * (1 - spent["stages"] / whole[-1]))
        storing.append(100 * spent["store"] / whole[-1])
    yield row(PART, "a run of digits in one process", "s", whole)
    yield row(PART, "share outside train, unlearn, predict, score", "%", outside)
    yield row(PART, "share in the store, inside stages or outside", "%", storing)


def startup(chosen: argparse.Namespace) -> Iterator[Row]:
    """Seconds until a command has answered, each time in a new interpreter."""
    python = sys.executable
    commands = {
        "bench --help": ["-m", "bench", "--help"],
        "bench list methods": ["-m", "bench", "list", "methods"],
        "import bench": ["-c", "import bench"],
        "import torch": ["-c", "import torch"],
        "python": ["-c", ""],
    }
    for name, arguments in commands.items():
        command = [python, *arguments]

        def answer(command: list[str] = command) -> None:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        answer()  # the first one reads from disk
        yield row(PART, name, "s", [seconds(answer) for _repeat in range(chosen.repeats)])


def eigh(chosen: argparse.Namespace) -> Iterator[Row]:
    """Ratios of time, svd to eigh, and the largest difference between the two projectors."""
    import torch

    from bench.methods.shared.projection import core_bases, core_size

    torch.set_num_threads(1)
    for d in (144, 288, 576):
        ratios, differences = [], []
        for seed in range(chosen.repeats):
            rng = torch.Generator().manual_seed(seed)
            decay = torch.arange(1, d + 1, dtype=torch.float64) ** -0.7
            turn = torch.linalg.qr(torch.randn(d, d, generator=rng, dtype=torch.float64))[0]
            seen = turn @ (decay[:, None] * torch.randn(d, 20 * d, generator=rng).double())
            start = time.perf_counter()
            left, sigma, _right = torch.linalg.svd(seen, full_matrices=False)
            theirs = left[:, : core_size(sigma, 0.9)]
            middle = time.perf_counter()
            (ours,) = core_bases((seen @ seen.T)[None], 0.9)
            end = time.perf_counter()
            ratios.append((middle - start) / (end - middle))
            differences.append((ours @ ours.T - theirs @ theirs.T).abs().max().item())
        yield row(PART, f"PGU's core space, d = {d}: svd / eigh", "x", ratios)
        yield row(PART, f"PGU's core space, d = {d}: projectors differ by", "", differences)


def memory(chosen: argparse.Namespace) -> Iterator[Row]:
    """Peak resident memory of the main process, MB; once each."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["run", "-q", "--models", str(chosen.population), "--out", folder]
        command += ["--methods", "ssd,neggrad", "--set", "train.epochs=2"]
        models = peak_of(f"from bench.cli.app import main; assert main({command!r}) == 0")
        plant_tree(Path(folder) / "tree", chosen.paths)
        listing = peak_of(
            "from pathlib import Path; from bench.builtin.datasets.formats.truefake import *; "
            "from bench.data.image_files import ImageFiles; "
            f"root = Path({folder!r}) / 'tree'; "
            "images = list_images(root, ['PreSocial'], ['FFHQ'], ['StyleGAN'], PassedOver()); "
            "images, positions, absent = assign_parts(images, draw_split(images)); "
            f"assert len(images) == {chosen.paths}; "
            "ImageFiles([image.path for image in images], 96).fingerprint"
        )
    name = f"memory, N = {chosen.population} digits models (limit {LIMIT_MB})"
    yield row(PART, name, "MB", [models])
    yield row(PART, f"memory, {chosen.paths:,} paths (limit {LIMIT_MB})", "MB", [listing])


def plant_tree(root: Path, files: int) -> None:
    """Create ``files`` empty files in TrueFake's layout, half of them real."""
    for folder in ("Real/FFHQ", "Fake/StyleGAN"):
        place = root / "PreSocial" / folder
        place.mkdir(parents=True)
        for number in range(files // 2):
            os.close(os.open(place / f"{number:06d}.png", os.O_CREAT))


def peak_of(code: str) -> float:
    """Peak memory in MB of a process that runs ``code``, without its workers."""
    command = [sys.executable, "-c", f"{code}; {PEAK}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.rpartition("peak ")[2])


def rows(chosen: argparse.Namespace, _folder: Path) -> Iterator[Row]:
    """All of them, one after another."""
    for measure in (harness, startup, eigh, memory):
        yield from measure(chosen)
