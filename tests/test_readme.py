"""The README is true: its method passes and runs, its listings are the real ones."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import bench
from bench.checks.run import check_file
from bench.cli.app import main
from tests.helpers.tiny_run import tiny

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture
def random_labels(tmp_path):
    marker, code = "<!-- random_labels.py -->\n```python\n", tmp_path / "random_labels.py"
    code.write_text(README.partition(marker)[2].partition("```")[0])
    return code


def test_the_five_minute_method_passes_its_contract(random_labels):
    assert {problem for _name, problem in check_file(random_labels)} == {None}


def test_the_five_minute_method_runs_and_is_in_the_table(random_labels, tmp_path):
    run = bench.run(
        tiny(
            tmp_path,
            plugins=[str(random_labels)],
            methods="random-labels,random-labels[lr=0.1]",
            attacks="errors",
            models=1,
        ),
        quiet=True,
    )
    assert not run.failed
    assert {"random-labels", "random-labels[lr=0.1]"} <= set(run.table().index)


def test_every_command_of_the_readme_is_understood(random_labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.engine.forecast.Speed.__init__", lambda *_: None)  # slow, in all
    monkeypatch.setattr("bench.engine.forecast.Speed.seconds", lambda *_: 1.0)
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    commands = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    runs = [c[1:] for c in commands if c[:2] == ["bench", "run"] and "npz:my.npz" not in c]
    assert len(runs) >= 5
    for arguments in runs:
        assert main([*arguments, "--dry-run"]) == 0, arguments
    lists = [command[1:] for command in commands if command[:2] == ["bench", "list"]]
    assert all(main(arguments) == 0 for arguments in lists)


def test_the_list_of_methods_is_the_real_one(capsys):
    main(["list", "methods"])
    assert capsys.readouterr().out in README


def test_the_pictures_are_there():
    for path in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README):
        assert (ROOT / path).read_bytes().startswith(b"\x89PNG")
