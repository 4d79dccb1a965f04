"""SIGKILL at random moments: nothing finished is lost, no half file, the same numbers in the end.

    python -m tests.benchmarks.kills [--kinds main worker dask] [--tries 20] [--seed 0] [--json]

Kills a tiny run in two processes ``--tries`` times in each of three ways: its main process, one of
its worker processes, and one of its workers on a dask cluster of this machine. Every try has a new
folder; a run that did not survive its kill is repeated. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.load import dump_toml
from bench.results.run import Run
from bench.storage.records import read_checked, read_record
from tests.helpers.tiny_run import tiny

if TYPE_CHECKING:
    from distributed import LocalCluster

RUN = """
import sys, bench
from bench.config.load import load_config
bench.run(load_config({}, sys.argv[1], sys.argv[2:]), quiet=True)
"""
SECONDS_TO_END = 5.0  # of the workers of a killed process
LEFT_OVER, MESSAGES = ".tmp-", "messages.txt"


def start(recipe: Path, out: Path, scheduler: str | None = None) -> subprocess.Popen:
    """Start the run, without the report; its messages go to a file, which workers keep open."""
    command = [sys.executable, "-c", RUN, str(recipe), f"out={out}"]
    if scheduler:
        command += ["backend=dask", f"scheduler={scheduler}"]
    out.mkdir(exist_ok=True)
    with (out / MESSAGES).open("ab") as messages:
        return subprocess.Popen(command, stderr=messages)


def workers(process: subprocess.Popen) -> list[int]:
    """The worker processes that a run has now."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    except OSError:  # one of them has just ended
        return []
    return [pid for pid, line in lines.items() if b"popen_loky" in line]


def still_alive(pids: list[int]) -> list[int]:
    """Those of a killed process's workers that did not end within five seconds."""
    end = time.monotonic() + SECONDS_TO_END
    while pids and time.monotonic() < end:
        time.sleep(0.05)
        pids = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    return pids


def shared_memory(pid: int) -> list[Path]:
    """What a process that is gone left in shared memory, a moment after its workers ended."""
    end = time.monotonic() + SECONDS_TO_END
    while (left := list(Path("/dev/shm").glob(f"*_{pid}_*"))) or (
        left := list(Path("/dev/shm").glob(f"*-{pid}-*"))
    ):
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    return left


def finished(store: Path) -> dict[Path, int]:
    """When each artefact of a store was made; raises DamagedError where one is not whole."""
    times = {}
    for path in store.rglob("*.json"):
        payload = read_record(path).get("payload")
        if payload:
            read_checked(path.with_name(payload["file"]), payload)
        times[path] = path.stat().st_mtime_ns
    return times


def numbers(out: Path) -> str:
    """All numbers of the run in a results folder, except for times and memory."""
    (folder,) = (out / "runs").iterdir()
    frame = Run.load(folder).scores()
    return frame[~frame.readout.str.contains("time|memory")].to_json(double_precision=15)


@dataclass
class Trial:
    """Runs to kill: ``recipe`` takes about ``seconds``, on ``cluster`` where there is one."""

    recipe: Path
    seconds: float
    rng: random.Random
    cluster: LocalCluster | None = None

    def start(self, out: Path) -> subprocess.Popen:
        return start(self.recipe, out, self.cluster.scheduler_address if self.cluster else None)

    def victims(self, who: str, process: subprocess.Popen) -> list[int]:
        """The processes of which one is to be killed."""
        if who == "main":
            return [process.pid]
        if self.cluster is None:
            return workers(process)
        return [worker.process.pid for worker in self.cluster.workers.values()]

    def attempt(self, who: str, out: Path) -> Counter:
        """Kill once, and count what came of it."""
        process = self.start(out)
        end = time.monotonic() + self.rng.uniform(0, self.seconds)
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        orphans, victims = workers(process), self.victims(who, process)
        while not victims and process.poll() is None:
            time.sleep(0.005)
            victims = self.victims(who, process)
        seen = Counter(tries=1, killed=0)
        if process.poll() is None:
            os.kill(self.rng.choice(victims), signal.SIGKILL)
            seen["killed"] = 1
        before = finished(out / "store")
        process.wait()
        seen["workers_left"] = len(still_alive(orphans)) if who == "main" else 0
        seen["shared_memory_left"] = len(shared_memory(process.pid)) if who == "main" else 0
        messages = (out / MESSAGES).read_text()
        seen["ended_by_itself"] = int(process.returncode == 0)
        seen["reported_killed_worker"] = int("a worker process was killed" in messages)
        seen["tracebacks"] = int("Traceback" in messages)
        seen["finished_before"] = len(before)
        seen["failed_when_repeated"] = int(bool(process.returncode and self.start(out).wait()))
        after = finished(out / "store")
        seen["lost"] = sum(after.get(path) != made for path, made in before.items())
        seen["temporary_files_left"] = len(list(out.rglob(f"{LEFT_OVER}*")))
        return seen


@contextmanager
def a_cluster(who: str) -> Iterator[LocalCluster | None]:
    """Two dask workers on this machine, restarted when they die; None for other kinds."""
    if who != "dask":
        yield None
        return
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def main() -> None:
    """Print the counts of each kind of kill."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["main", "worker", "dask"])
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    small = {"methods": "ssd,neggrad", "attacks": "errors", "models": 5, "jobs": 2}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        config = tiny(root, **small, train={"epochs": 6, "batch_size": 32})
        recipe = root / "recipe.toml"
        recipe.write_text(dump_toml(config.model_dump(mode="json")))
        began, whole = time.monotonic(), root / "whole"
        start(recipe, whole).wait()
        seconds, expected = time.monotonic() - began, numbers(whole)
        for who in chosen.kinds:
            total = Counter(other_numbers=0)
            while total["killed"] < chosen.tries:
                out = root / f"{who}-{total['tries']}"
                with a_cluster(who) as cluster:
                    total.update(Trial(recipe, seconds, rng, cluster).attempt(who, out))
                total["other_numbers"] += numbers(out) != expected
            counts = {"killed_process": who, "run_s": round(seconds, 1), **total}
            print(json.dumps(counts) if chosen.json else counts, flush=True)


if __name__ == "__main__":
    main()
