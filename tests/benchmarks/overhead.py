"""What the harness itself costs: its share of a run, start-up, PGU's eigh against svd, memory.

``harness``: a run of digits in one process; what lies outside the stages train, prepare, unlearn,
predict and score, and what the store takes of it all (checksums, writing to disk). ``startup``: of
commands, and of imports to compare with. ``eigh``: a layer's core space from R R^T by eigh, the
product included, against the thin SVD of R [d, 20 d], as PGU's code takes it; one thread.
``memory``: peak resident memory of the main process, for 200 models a population and for listing a
tree of 200,000 empty files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Row, row, seconds

PART = "overhead"
STAGES = ("train.train", "unlearn.prepare", "unlearn.unlearn", "predict.predict")
LIMIT_MB = 2048
# Not getrusage, whose maximum a process inherits from the one that started it.
PEAK = "from bench.training.cost import _status_mb; print('peak', _status_mb('VmHWM'))"


@contextmanager
def timed(spent: Counter, owner: Any, name: str, kind: str) -> Iterator[None]:
    """Add up under ``kind`` the seconds spent in a function, by whoever calls it."""
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


def harness(repeats: int) -> Iterator[Row]:
    """Shares of a run's wall time: outside the stages, and in the store."""
    from contextlib import ExitStack

    import bench
    from bench.config.schema import load_config
    from bench.engine import run as pipeline
    from bench.storage import store

    outside, storing, whole = [], [], []
    for seed in range(repeats):
        spent: Counter = Counter()
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            for stage in STAGES:
                module, name = stage.split(".")
                owner = import_module(f"bench.stages.{module}")
                stack.enter_context(timed(spent, owner, name, "stages"))
            stack.enter_context(timed(spent, pipeline, "score_all", "stages"))
            for name in ("_write", "_payload", "has"):
                stack.enter_context(timed(spent, store.Store, name, "store"))
            given = {"models": 10, "jobs": 1, "out": folder, "seed": seed}
            config = load_config(given | {"methods": "finetune,ssd,pgu"})
            whole.append(seconds(lambda: bench.run(config, quiet=True)))  # noqa: B023
        outside.append(100 * (1 - spent["stages"] / whole[-1]))
        storing.append(100 * spent["store"] / whole[-1])
    yield row(PART, "a run of digits in one process", "s", whole)
    yield row(PART, "share outside train, unlearn, predict, score", "%", outside)
    yield row(PART, "share in the store, inside stages or outside", "%", storing)


def startup(repeats: int) -> Iterator[Row]:
    """Seconds until a command has answered, from a cold interpreter."""
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
        yield row(PART, name, "s", [seconds(answer) for _repeat in range(repeats)])


def eigh(repeats: int) -> Iterator[Row]:
    """Ratios of time, svd to eigh, and how far the two projectors are apart."""
    import torch

    from bench.methods.shared.projection import core_bases, core_size

    torch.set_num_threads(1)
    for d in (144, 288, 576):
        ratios, apart, slow, fast = [], [], [], []
        for seed in range(repeats):
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
            slow.append(middle - start)
            fast.append(end - middle)
            ratios.append(slow[-1] / fast[-1])
            apart.append((ours @ ours.T - theirs @ theirs.T).abs().max().item())
        yield row(PART, f"PGU's core space, d = {d}: svd / eigh", "x", ratios)
        yield row(PART, f"PGU's core space, d = {d}: projectors apart", "", apart)


def memory(_repeats: int) -> Iterator[Row]:
    """Peak resident memory of the main process, MB; once each."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["run", "-q", "--models", "200", "--methods", "ssd,neggrad", "--out", folder]
        command += ["--set", "train.epochs=2"]
        models = peak_of(f"from bench.cli.app import main; assert main({command!r}) == 0")
        empty_tree(Path(folder) / "tree")
        listing = peak_of(
            "from pathlib import Path; from bench.builtin.datasets.formats.truefake import *; "
            "from bench.data.image_files import ImageFiles; "
            f"root = Path({folder!r}) / 'tree'; "
            "images = list_images(root, ['PreSocial'], ['FFHQ'], ['StyleGAN']); "
            "images, positions, absent = assign_parts(images, draw_split(images)); "
            "assert len(images) == 200_000; "
            "ImageFiles([image.path for image in images], 96).fingerprint"
        )
    yield row(PART, f"memory, N = 200 digits models (limit {LIMIT_MB})", "MB", [models])
    yield row(PART, f"memory, 200,000 paths (limit {LIMIT_MB})", "MB", [listing])


def empty_tree(root: Path) -> None:
    """200,000 files in TrueFake's layout, without content."""
    for folder in ("Real/FFHQ", "Fake/StyleGAN"):
        place = root / "PreSocial" / folder
        place.mkdir(parents=True)
        for number in range(100_000):
            os.close(os.open(place / f"{number:06d}.png", os.O_CREAT))


def peak_of(code: str) -> float:
    """The peak memory of a process that runs ``code``, without its workers."""
    command = [sys.executable, "-c", f"{code}; {PEAK}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.rpartition("peak ")[2])


def rows(chosen: argparse.Namespace, _folder: Path) -> Iterator[Row]:
    """All of them, one after another."""
    for measured in (harness, startup, eigh, memory):
        yield from measured(chosen.repeats)
