"""SIGKILL at random moments: nothing finished is lost, no half file, the same numbers in the end.

    python -m tests.benchmarks.kills [--tries 20] [--seed 0] [--json]

A tiny run in two processes is killed ``--tries`` times as a whole and as often in one of its worker
processes, each time in a new folder, and repeated where it did not end by itself. Linux only.
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
from contextlib import suppress
from pathlib import Path

from bench.config import dump_toml
from bench.results import Run
from bench.store import read_checked, read_record
from tests.conftest import tiny

LEFT_OVER, MESSAGES = ".tmp-", "messages.txt"


def start(recipe: Path, out: Path) -> subprocess.Popen:
    """The run, without the report; what it says goes to a file, which workers may keep open."""
    code = "import bench, bench.config as c, sys; bench.run(c.load_config({'out': sys.argv[2]}, "
    code += "sys.argv[1]), quiet=True)"
    out.mkdir(exist_ok=True)
    with (out / MESSAGES).open("ab") as messages:
        return subprocess.Popen([sys.executable, "-c", code, recipe, out], stderr=messages)


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


def attempt(who: str, recipe: Path, out: Path, rng: random.Random, seconds: float) -> Counter:
    """One kill, and what came of it."""
    process, end = start(recipe, out), time.monotonic() + rng.uniform(0, seconds)
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    orphans = workers(process)
    victims = [process.pid] if who == "main" else workers(process)
    while who == "worker" and not victims and process.poll() is None:
        time.sleep(0.005)
        victims = workers(process)
    seen = Counter(tries=1)
    if process.poll() is None and victims:
        os.kill(rng.choice(victims), signal.SIGKILL)
        seen["killed"] = 1
    before = finished(out / "store")
    process.wait()
    for pid in orphans if who == "main" else []:  # idle ones would stay for minutes
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    messages = (out / MESSAGES).read_text()
    seen["ended_by_itself"] = int(process.returncode == 0)
    seen["worker_replaced"] = int("a worker process was killed" in messages)
    seen["tracebacks"] = int("Traceback" in messages)
    seen["finished_before"] = len(before)
    if process.returncode:
        again = start(recipe, out)
        again.wait()
        seen["failed_when_repeated"] = int(again.returncode != 0)
    after = finished(out / "store")
    seen["lost"] = sum(after.get(path) != made for path, made in before.items())
    seen["temporary_files_left"] = len(list(out.rglob(f"{LEFT_OVER}*")))
    return seen


def main() -> None:
    """Print the counts of both kinds of kill."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["main", "worker"])
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
            for number in range(chosen.tries):
                out = root / f"{who}-{number}"
                total.update(attempt(who, recipe, out, rng, seconds))
                total["other_numbers"] += numbers(out) != expected
            told = {"killed_process": who, "run_s": round(seconds, 1), **total}
            print(json.dumps(told) if chosen.json else told, flush=True)


if __name__ == "__main__":
    main()
