"""A dry run says what a run would do and writes nothing at all."""

from __future__ import annotations

import pytest

from bench.cli.app import main
from tests.helpers.pictures import picture
from tests.helpers.tiny_run import tiny

PLUGIN = '''"""Returns the model as it is, for a test."""
from dataclasses import dataclass
from bench import Method

@dataclass(frozen=True)
class Lazy(Method):
    def unlearn(self, model, task):
        return model
'''
SMALL = ["--model", "mlp", "--attacks", "errors", "--models", "1", "--set", "train.epochs=1"]


def tree(folder):
    """Every file and folder, with what the disk says of it."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    """A folder with images, a plugin and nothing else, where the command is given."""
    for number in range(24):
        picture(tmp_path / "photos" / "ab"[number % 2] / f"{number}.png", value=9 * number)
    (tmp_path / "lazy.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dry_run_writes_nothing_for_images_plugins_and_precision(user_folder, capsys):
    before = tree(user_folder)
    images = ["--dataset", "folder:photos[side=8]", "--scenario", "random[fraction=0.2]"]
    plugin = ["--plugin", "lazy.py", "--methods", "lazy", "--set", "train.precision=auto"]
    assert main(["run", "--dry-run", *images, *plugin, *SMALL]) == 0, capsys.readouterr().err
    assert "results: bench-results" in capsys.readouterr().out
    assert tree(user_folder) == before


def test_a_dry_run_leaves_damaged_files_where_they_are(tmp_path, capsys):
    import bench

    config = tiny(tmp_path, methods="neggrad", attacks="errors", models=1, train={"epochs": 1})
    folder = bench.run(config, quiet=True).folder
    for weights in (tmp_path / "store" / "train").rglob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-9])
    before = tree(tmp_path)
    assert main(["run", "--dry-run", "--config", str(folder / "config.toml")]) == 0
    assert "train     original                    1 cell,     0 there" in capsys.readouterr().out
    assert tree(tmp_path) == before
