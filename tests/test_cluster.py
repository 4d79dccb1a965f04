"""Cells on a dask cluster, and two runs on one store: the same numbers, each model made once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

import bench
from bench.cli import main
from bench.cluster import Order, Reply, work
from bench.config import dump_toml
from bench.errors import UserError
from tests.conftest import tiny
from tests.test_run import assert_same

FEW = {"methods": "ssd,pgu[epochs=4]", "attacks": "errors"}


@pytest.fixture(scope="module")
def local_run(tmp_path_factory):
    return bench.run(tiny(tmp_path_factory.mktemp("local"), **FEW), quiet=True)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def on(cluster, folder, **changes):
    where = {"backend": "dask", "scheduler": cluster.scheduler_address}
    return tiny(folder, **FEW, **where, **changes)


def pids(cluster):
    return [worker.process.pid for worker in cluster.workers.values()]


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
    assert not list(tmp_path.rglob("*.claim"))
    assert not list(tmp_path.rglob(".tmp-*"))


def blind(order: Order) -> Reply:
    """Work that never sees the store, wherever it is."""
    from unittest.mock import patch

    with patch("bench.cluster._sees_store", lambda _order: False):
        return work(order)


def test_a_worker_without_the_store_sends_back_what_it_made(
    cluster, local_run, tmp_path, monkeypatch
):
    monkeypatch.setattr("bench.cluster.work", blind)
    assert_same(local_run, bench.run(on(cluster, tmp_path), quiet=True))
