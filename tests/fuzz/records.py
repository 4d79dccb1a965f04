"""Folders of results that somebody sent: records of odd shapes whose checksums are right."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np

import bench
from bench.config.load import load_config
from bench.errors import UserError
from bench.storage.records import describe_file, pack_arrays, unpack_arrays, write_record
from tests.fuzz.calling import call
from tests.fuzz.kind import Given, Kind
from tests.fuzz.mutate import change_bytes, change_text, change_value
from tests.helpers.tiny_run import TINY

FILES = (
    "split",
    "predict",
    "run.json",
    "run.json",
    "run.json",
    "manifest.json",
    "config.toml",
    "curves.npz",
    "extras.npz",
)
WAYS = ("value", "value", "value", "bytes", "link")
TEXTS = "csv,md,latex,json"
_home: list[Path] = []


class Records(Kind):
    """One file in the folder of a finished run, changed; then the run is reported or scored."""

    name, count = "records", 500

    def prepare(self, home: Path) -> None:
        """Make a tiny run and report it once."""
        import matplotlib

        matplotlib.get_configdir(), matplotlib.get_cachedir()  # it makes folders of its own
        changes = {"methods": "ssd,neggrad", "models": 2, "attacks": "errors,membership"}
        train = {"epochs": 3, "batch_size": 32}
        config = {**TINY, **changes, "train": train, "out": str(home / "results")}
        run = bench.run(load_config(config), quiet=True)
        call(["report", str(run.folder), "--format", TEXTS])
        shutil.rmtree(run.folder / "report")
        _home[:] = [home / "results"]

    def draw(self, rng: random.Random) -> Given:
        """Draw which file is changed in which way, and what is then done with the run."""
        given = {
            "file": rng.choice(FILES),
            "way": rng.choice(WAYS),
            "seed": rng.randrange(2**32),
            "command": rng.choice(("report", "report", "report", "page", "score")),
        }
        return Given(json.dumps(given).encode())

    def attempt(self, given: Given, folder: Path) -> None:
        """Report or score the changed run."""
        what = json.loads(given.content)
        shutil.copytree(_home[0], folder / "results")
        (run,) = (folder / "results" / "runs").iterdir()
        rng, file = random.Random(what["seed"]), run / what["file"]
        if not file.exists():  # an artefact of this stage
            what["command"] = "score"
            shutil.rmtree(folder / "results" / "store" / "score")  # or the scores are there
            file = rng.choice(sorted((folder / "results" / "store").glob(f"{file.name}/*/*.*")))
        _change(file, what["way"], rng)
        if what["command"] == "score":
            bench.score_stored(run, quiet=True)
            call(["report", str(run), "--format", TEXTS])
        else:
            formats = TEXTS if what["command"] == "report" else "html,figures"
            call(["report", str(run), "--format", formats])


def _change(file: Path, way: str, rng: random.Random) -> None:
    """Change a file of a run; of a record and what it describes, the checksums stay right."""
    if way == "link":
        file.unlink()
        file.symlink_to(rng.choice(("/etc/hostname", "nowhere", "run.json", "../..", "/dev/zero")))
    elif way == "bytes":
        file.write_bytes(change_bytes(rng, file.read_bytes()))
    elif file.suffix == ".toml":
        file.write_text(change_text(rng, file.read_text()), errors="replace")
    elif file.suffix == ".json":
        _write(file, change_value(rng, json.loads(file.read_text())))
    else:
        arrays = unpack_arrays(file.read_bytes(), file)
        name = rng.choice(sorted(arrays))
        arrays[name] = rng.choice((
            np.empty(0), np.array(3), np.atleast_1d(arrays[name])[:1], np.array(["x\x1b[31m"]),
            np.full(arrays[name].shape, np.nan), arrays[name][None], np.full(3, 10**12),
        ))  # fmt: skip
        content = pack_arrays(arrays)
        file.write_bytes(content)
        is_artefact = not (file.parent / "run.json").exists()
        owner = file.with_suffix(".json") if is_artefact else file.parent / "run.json"
        record = json.loads(owner.read_text())
        record["payload" if is_artefact else file.stem] = describe_file(file, content)
        _write(owner, record)


def _write(file: Path, value: object) -> None:
    content = dict(value) if isinstance(value, dict) else {"x": value}
    content.pop("check", None)
    try:
        write_record(file, content)
    except (ValueError, UnicodeError, TypeError) as error:
        raise UserError("not a record") from error
