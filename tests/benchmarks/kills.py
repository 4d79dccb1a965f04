"""SIGKILL at random moments: nothing finished is lost, no half file, the same numbers in the end.

    python -m tests.benchmarks.kills [--kinds main worker dask] [--tries 20] [--seed 0] [--json]

A tiny run in two processes is killed ``--tries`` times as a whole, as often in one of its worker
processes, and as often, on a dask cluster of this machine, in one of its workers; each time in a
new folder, and repeated where it did not end by itself. Linux only.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.load import dump_toml
from bench.results.run import Run
from bench.storage.records import read_checked, read_record
from tests.helpers.tiny_run import tiny

if TYPE_CHECKING:
    from distributed import LocalCluster

LEFT_OVER, MESSAGES = ".tmp-", "messages.txt"


def start(recipe: Path, out: Path, scheduler: str | None = None) -> subprocess.Popen:
    """The run, without the report; what it says goes to a file, which workers may keep open."""
    code = "import bench, bench.config.schema as c, json, sys; "
    code += "bench.run(c.load_config(json.loads(sys.argv[2]), sys.argv[1]), quiet=True)"
    given = {"out": str(out)}
    if scheduler:
        given |= {"backend": "dask", "scheduler": scheduler}
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-c", code, str(recipe), json.dumps(given)]
    with (out / MESSAGES).open("ab") as messages:
        return subprocess.Popen(command, stderr=messages)


def workers(process: subprocess.Popen) -> list[int]:
    """The worker processes that a run has now."""
    try:
        found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found}
    except OSError:  # it has just ended
        return []
    return [pid for pid, line in lines.items() if b"popen_loky" in line]


def finished(store: Path) -> dict[Path, int]:
    """When each artefact of a store was made; raises where one is not whole."""
    found = {}
    for path in store.rglob("*.json"):
        payload = read_record(path).get("payload")
        if payload:
            read_checked(path.with_name(payload["file"]), payload)
        found[path] = path.stat().st_mtime_ns
    return found


def numbers(out: Path) -> str:
    """All numbers of the run in a folder that do not depend on how long it took."""
    (folder,) = (out / "runs").iterdir()
    frame = Run.load(folder).scores()
    return frame[~frame.readout.str.contains("time|memory")].to_json()


@dataclass
class Trial:
    """Runs that are killed: ``recipe`` takes about ``seconds``; ``cluster`` where there is one."""

    recipe: Path
    seconds: float
    rng: random.Random
    cluster: LocalCluster | None = None

    def start(self, out: Path) -> subprocess.Popen:
        return start(self.recipe, out, self.cluster and self.cluster.scheduler_address)

    def victims(self, who: str, process: subprocess.Popen) -> list[int]:
        """The processes of which one is killed."""
        if who == "main":
            return [process.pid]
        if self.cluster is None:
            return workers(process)
        return [worker.process.pid for worker in self.cluster.workers.values()]

    def attempt(self, who: str, out: Path) -> Counter:
        """One kill, and what came of it."""
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
        for pid in orphans if who == "main" else []:  # idle ones would stay for minutes
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        messages = (out / MESSAGES).read_text()
        seen["ended_by_itself"] = int(process.returncode == 0)
        seen["told_of_a_killed_worker"] = int("a worker process was killed" in messages)
        seen["tracebacks"] = int("Traceback" in messages)
        seen["finished_before"] = len(before)
        seen["failed_when_repeated"] = int(bool(process.returncode and self.start(out).wait()))
        after = finished(out / "store")
        seen["lost"] = sum(after.get(path) != made for path, made in before.items())
        seen["temporary_files_left"] = len(list(out.rglob(f"{LEFT_OVER}*")))
        return seen


@contextmanager
def a_cluster(who: str) -> Iterator[LocalCluster | None]:
    """Two dask workers on this machine, started again when they die; None if not asked for."""
    if who != "dask":
        yield None
        return
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def main() -> None:
    """Print the counts of both kinds of kill."""
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
            told = {"killed_process": who, "run_s": round(seconds, 1), **total}
            print(json.dumps(told) if chosen.json else told, flush=True)


if __name__ == "__main__":
    main()
