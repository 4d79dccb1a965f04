"""Cells on a dask cluster, and two runs on one store: the same numbers, each model made once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import bench
from bench.engine.dask import Cluster, Order, Reply, make_on_worker
from bench.engine.execute import execute
from bench.engine.graph import open_context
from bench.engine.run import run_until
from bench.errors import UserError
from bench.stages.cell import Cell
from bench.storage.locks import Locks
from bench.training.devices import device_name
from tests.helpers.comparing import assert_same
from tests.helpers.networks import FROZEN_NETWORK
from tests.helpers.tiny_run import tiny

FEW = {
    "methods": "ssd",
    "attacks": "errors",
    "models": 2,
    "train": {"epochs": 4, "batch_size": 32},
}


@pytest.fixture(scope="module")
def local_run(tmp_path_factory):
    return bench.run(tiny(tmp_path_factory.mktemp("local"), **FEW), quiet=True)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def on(cluster, folder, **changes):
    where = {"backend": "dask", "scheduler": cluster.scheduler_address}
    return tiny(folder, **FEW | where | changes)


def pids(cluster):
    return [worker.process.pid for worker in cluster.workers.values()]


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(cluster, local_run, tmp_path):
    before = pids(cluster)

    def kill_one():
        while not list(tmp_path.rglob("train/*/*.json")):
            time.sleep(0.01)
        os.kill(before[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    run = bench.run(on(cluster, tmp_path), quiet=True)
    killer.join()
    assert_same(local_run, run)
    assert not list(tmp_path.rglob("*.lock"))
    assert not list(tmp_path.rglob(".tmp-*"))


def test_workers_of_one_machine_take_its_gpus_in_turn(cluster):
    """One of them may have replaced the one that was killed."""
    with cluster.get_client() as client:
        devices = client.run(device_name, "auto", 2)
    assert sorted(devices.values()) == ["cuda:0", "cuda:1"]


def test_what_a_worker_finished_before_it_died_is_not_made_again(tmp_path, monkeypatch):
    config, cell = tiny(tmp_path, **FEW), Cell("train", "original", 0)
    context = open_context(config)
    execute(context, Cell("split"), alone=False)
    name = cell.stage, context.key(cell)
    with Locks() as locks:
        lock = context.store.lock_path(*name)
        assert locks.take(lock)
        mark = lock.read_bytes()
        order = Order("run", config, [], context.token, cell, False, name, mark, [])
        assert make_on_worker(order) == Reply()
        monkeypatch.setattr("bench.engine.dask.execute", lambda *_: pytest.fail("made again"))
        assert make_on_worker(order) == Reply()
    assert context.has(cell)


def blind(order: Order) -> Reply:
    """Work as on a machine that does not see the submitting one's lock file."""
    return make_on_worker(replace(order, lock_content=b"of another machine"))


REQUESTS = {
    "scenario": "incremental[requests=2,count=20]",
    "methods": "pgu[gamma=0.5,epochs=2]",  # goes on from its own model, and carries statistics on
    "models": 1,
}
FROZEN = {"model": "fixed", "methods": "pgu-head[epochs=2]", "models": 1}
AUTO = {"models": 1, "train": FEW["train"] | {"precision": "auto"}}


@pytest.mark.parametrize(
    "changes",
    [pytest.param(REQUESTS, marks=pytest.mark.slow), FROZEN, AUTO],
    ids=["requests", "frozen", "auto"],
)
def test_workers_without_the_store_send_back_what_they_made(
    cluster, tmp_path, monkeypatch, changes
):
    if changes is FROZEN:
        (tmp_path / "fixed.py").write_text(FROZEN_NETWORK)
        changes = FROZEN | {"plugins": [str(tmp_path / "fixed.py")]}
    # On this machine bf16 is said to pay; a worker that measured for itself would find otherwise.
    monkeypatch.setattr("bench.training.precision.measure", lambda *_: {"fp32": 1.0, "bf16": 0.1})
    here = bench.run(tiny(tmp_path / "here", **FEW | changes), quiet=True)
    monkeypatch.setattr("bench.engine.dask.make_on_worker", blind)
    there = bench.run(on(cluster, tmp_path / "there", **changes), quiet=True)
    assert not there.failed
    assert len(here.requests) == len(there.requests)
    for ours, theirs in zip(here.requests, there.requests, strict=True):
        assert_same(ours, theirs)


def test_a_run_that_nobody_works_on_says_so_and_waits(monkeypatch, capsys):
    """Workers are there, all gone for a while, back, and gone again before the last is finished."""
    workers = [{"one": 1}, {}, {}, {"two": 1}, {}]

    class Finished:
        given = 0

        def is_empty(self):
            return self.given == 2

        def has_ready(self):
            return len(workers) == (3, 0)[self.given]

        def __next__(self):
            self.given += 1
            return self.given

    client = SimpleNamespace(
        ncores=lambda: workers.pop(0), scheduler=SimpleNamespace(address="tcp://here:1")
    )
    monkeypatch.setattr("bench.engine.dask.SECONDS_TO_LOOK", 0)
    assert list(Cluster(client).wait_for(Finished())) == [1, 2]
    told = "no worker: waiting; start some with 'dask worker tcp://here:1'"
    assert capsys.readouterr().err.splitlines() == [told, "workers are there, going on", told]


def test_two_runs_at_once_make_each_model_once(local_run, tmp_path, monkeypatch):
    """Each run says what it makes; together that is what one run alone makes."""
    code = (
        "import bench, bench.engine.local as local; from pathlib import Path\n"
        "from tests.helpers.tiny_run import tiny\n"
        "execute = local.execute\n"
        "def told(context, cell, alone):\n"
        "    print(cell, flush=True); execute(context, cell, alone)\n"
        "local.execute = told\n"
        f"bench.run(tiny(Path({str(tmp_path)!r}), **{FEW!r}), quiet=True)"
    )
    command, root = [sys.executable, "-c", code], Path(bench.__file__).parent.parent
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    theirs = [other.stdout.readline(), other.stdout.readline()]  # the split, the first model
    ours = []

    def told(context, cell, alone):
        ours.append(f"{cell}\n")
        execute(context, cell, alone)

    monkeypatch.setattr("bench.engine.local.execute", told)
    assert_same(local_run, bench.run(tiny(tmp_path, **FEW), quiet=True))
    theirs += other.communicate()[0].splitlines(keepends=True)
    assert other.returncode == 0
    stages = ("train", "prepare", "unlearn", "predict")
    models = [name for name in theirs + ours if name.startswith(stages)]
    assert len(models) == len(set(models)) == 4 + 2 + 4 + 8
    assert not list(tmp_path.rglob("*.lock"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backend": "dask"}, "needs --scheduler ADDRESS"),
        ({"scheduler": "tcp://host:1"}, "add --backend dask"),
        ({"backend": "dask", "scheduler": "tcp://127.0.0.1:1"}, "no dask scheduler answers there"),
        ({"backend": "dask", "scheduler": "nope://host"}, "no dask scheduler answers there"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(changes, told, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    monkeypatch.setattr("bench.engine.dask.SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(UserError, match=told):
        run_until(tiny(tmp_path, **changes), "train", quiet=True)


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.engine.begin.find_spec", lambda _name: None)
    with pytest.raises(UserError, match="pip install distributed"):
        bench.run(tiny(tmp_path, backend="dask", scheduler="tcp://host:8786"))


def test_a_run_stops_after_a_stage_and_goes_on(local_run, tmp_path):
    config = tiny(tmp_path, **FEW)
    folder = run_until(config, "train", quiet=True)
    made = {path.parent.parent.name for path in (tmp_path / "store").rglob("*.json")}
    assert made == {"split", "train", "prepare"}
    assert not (folder / "run.json").exists()
    assert run_until(config, "predict", quiet=True) == folder
    assert_same(local_run, bench.run(config, quiet=True))
