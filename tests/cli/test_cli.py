"""The real command: exit codes, streams, and one line for every mistake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.app import main
from bench.config.load import dump_toml
from tests.helpers.tiny_run import REPORT_FILES, tiny

ROOT = Path(__file__).parent.parent.parent


def bench(*arguments, cwd=None):
    """Run the installed command as a user would, with nothing but pipes around it."""
    command = [str(Path(sys.executable).with_name("bench")), *map(str, arguments)]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    config = tiny(folder / "out", methods="ssd", models=2)
    path = folder / "mine.toml"
    path.write_text(dump_toml(config.model_dump(mode="json")))
    return path


@pytest.fixture(scope="module")
def finished(recipe):
    return bench("run", "--config", recipe)


def test_run_prints_the_table_on_stdout_and_progress_on_stderr(finished):
    assert finished.returncode == 0
    for word in ("original", "retrain", "ssd", "constant", "target", "membership", "attack-scores"):
        assert word in finished.stdout
    assert "train: 0/4" in finished.stderr
    assert "0/4" not in finished.stdout
    assert "\x1b" not in finished.stdout + finished.stderr


def test_the_files_that_run_names_are_there(finished, recipe):
    lines = finished.stdout.splitlines()
    (page,) = [Path(line.split()[1]) for line in lines if line.startswith("report: ")]
    (tables,) = [line for line in lines if line.startswith("tables: ")]
    for name in (page.name, *tables.removeprefix("tables: ").strip().split(", ")):
        assert (page.parent / name).is_file()
    (folder,) = (recipe.parent / "out" / "runs").iterdir()
    names = {path.name for path in folder.iterdir()}
    records = {"run.json", "curves.npz", "extras.npz"}
    assert names == {"config.toml", "manifest.json", "report"} | records
    assert {path.name for path in (folder / "report").iterdir()} == REPORT_FILES


def test_run_again_is_silent_about_stages_that_are_done(finished, recipe):
    again = bench("run", "--config", recipe)
    assert again.returncode == 0
    assert "train:" not in again.stderr
    assert again.stdout == finished.stdout


def test_the_stored_configuration_is_a_recipe_of_the_same_run(finished, recipe):
    (folder,) = (recipe.parent / "out" / "runs").iterdir()
    again = bench("run", "--config", folder / "config.toml")
    assert again.returncode == 0
    assert "train:" not in again.stderr


def test_report_makes_the_same_table_elsewhere(finished, recipe, tmp_path):
    (folder,) = (recipe.parent / "out" / "runs").iterdir()
    table = finished.stdout.partition("report:")[0]
    for arguments in (
        ["report", folder],
        ["report", "--out", recipe.parent / "out"],
        ["report", folder.name, "--out", recipe.parent / "out"],
    ):
        reported = bench(*arguments, "--to", tmp_path / "report", "--format", "latex")
        assert reported.returncode == 0, reported.stderr
        assert reported.stdout.partition("report:")[0] == table
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["table.tex"]


def test_dry_run_says_what_is_there_and_makes_nothing(recipe, tmp_path):
    planned = bench("run", "--config", recipe, "--out", tmp_path / "new", "--dry-run")
    assert planned.returncode == 0
    assert "train     original                    2 cells,    0 there" in planned.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind", ["methods", "attacks", "datasets", "models", "scenarios", "configs"]
)
def test_list_names_everything_with_one_line_each(kind):
    listed = bench("list", kind)
    assert listed.returncode == 0
    for line in listed.stdout.splitlines():
        name, _, summary = line.partition("  ")
        assert not name or len(summary) > 15


def test_list_and_help_load_nothing_heavy():
    code = (
        "import sys; from bench.cli.app import main; main(['list', 'methods']); "
        "heavy = {'torch', 'pandas', 'xgboost', 'sklearn', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


MISTAKES = {
    "unknown method 'pgv': did you mean pgu?": ["--methods", "pgv"],
    "unknown key 'epocs': did you mean train.epochs": ["--set", "epocs=3"],
    "models = many": ["--models", "many"],
    "rate = -0.1: must be above 0": ["--scenario", "poison[rate=-0.1]"],
    "rate = 1: must be below 1": ["--scenario", "poison[rate=1.0]"],
    "flip = all: must be 'pairs' or 'any'": ["--scenario", "poison[flip=all]"],
    "unknown scenario 'poisson': did you mean poison?": ["--scenario", "poisson"],
    "unknown data set 'digit': did you mean digits?": ["--dataset", "digit"],
    "npz:nothing.npz: no such file": ["--dataset", "npz:nothing.npz"],
    "npz needs a path": ["--dataset", "npz"],
    "dataset = some/images.npz: say how it is read: npz:some/images.npz": [
        "--dataset",
        "some/images.npz",
    ],
    "subset = 5000: digits has 1437 training examples: choose --subset 1437": ["--subset", "5000"],
    "digits takes no ':3'": ["--dataset", "digits:3"],
    "unknown parameter of ssd 'alfa': did you mean alpha": ["--methods", "ssd[alfa=1]"],
    "alpha = x: must be a number, or 'adaptive'": ["--methods", "ssd[alpha=x]"],
    "cannot read 'ssd[alpha'": ["--methods", "ssd[alpha"],
    "--config nope: no such file or recipe": ["--config", "nope"],
    "--plugin nope.py: no such file": ["--plugin", "nope.py"],
    "device = abacus": ["--device", "abacus"],
    "unknown attack 'mia'": ["--attacks", "mia"],
    "small-cnn[head=binary] is for 2 classes": ["--model", "small-cnn[head=binary]"],
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_users_mistake_is_one_line_and_leaves_nothing(message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", *MISTAKES[message], "--out", "out"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert message in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    failed = bench("run", "--models", "1", "--out", tmp_path / "file" / "out")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: cannot write")
    assert failed.stderr.count("\n") == 1


def test_a_dry_run_knows_that_a_folder_cannot_be_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    dry = ["run", "--methods", "ssd", "--models", "1", "--dry-run", "--out"]
    for out in ("file", "file/out"):
        assert main([*dry, str(tmp_path / out)]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("error: cannot write to ")
        assert f"{tmp_path / 'file'} is not a folder" in told.err
        assert told.err.count("\n") == 1
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path)  # root may all
    assert main([*dry, str(tmp_path / "new" / "out")]) == 1
    assert f"{tmp_path}: Permission denied" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("command", ["list methods", "show pgu", "report"])
def test_a_reader_who_has_seen_enough_is_no_error(command, tiny_run, tmp_path):
    read, write = os.pipe()
    os.close(read)  # as head does, only sooner
    given = [tiny_run.folder, "--to", tmp_path, "--format", "md"] if command == "report" else []
    ended = subprocess.run(
        [Path(sys.executable).with_name("bench"), *command.split(), *given],
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_usage_errors_are_2():
    for arguments in (["nonsense"], ["run", "--nonsense"], ["list", "nonsense"]):
        assert bench(*arguments).returncode == 2


BROKEN = '''"""Always fails, for a test."""
from dataclasses import dataclass
from bench import Method

@dataclass(frozen=True)
class Broken(Method):
    def unlearn(self, model, task):
        raise ValueError("not today")
'''


def test_a_failed_cell_is_1_and_in_the_table(recipe, tmp_path):
    file = tmp_path / "broken.py"
    file.write_text(BROKEN)
    run = bench("run", "-q", "--config", recipe, "--plugin", file, "--methods", "broken,ssd")
    assert run.returncode == 1
    assert "0/2" in run.stdout
    assert "broken: 2 of 2 models failed (unlearn, model 0: ValueError: not today" in run.stdout
    checked = bench("check", file)
    assert checked.returncode == 1
    assert "FAIL  returns a proper model (softmax): raised ValueError: not today" in checked.stdout


def test_check_passes_a_good_method():
    checked = bench("check", ROOT / "methods" / "ssd.py")
    assert checked.returncode == 0
    assert "FAIL" not in checked.stdout


def test_list_says_what_methods_need_and_who_published_them():
    listed = bench("list", "methods").stdout
    assert "needs: forget, forget-labels, training-time statistics" in listed
    assert "paper: J. Foster, S. Schoepf, A. Brintrup" in listed
    assert "Dampening, AAAI 2024\n" in listed
    assert "parameters: rate=0.2, flip=pairs" in bench("list", "scenarios").stdout


def test_show_prints_the_card_of_a_plugin():
    shown = bench("show", "ssd").stdout
    assert "Equation: with importance I(.), every weight with I_f > alpha * I_D" in shown
    assert re.search(r"alpha +10 +number, above 0, or adaptive\n", shown)
    assert re.search(r"importance +batch +batch \| example \| label-free\n", shown)
    assert re.search(r"rate +0.2 +number, above 0, below 1\n", bench("show", "poison").stdout)
    shown = bench("show", "neggrad").stdout
    assert "`shuffle=false` takes" in shown
    assert "``" not in shown
    mistake = bench("show", "pgv")
    assert mistake.returncode == 1
    assert mistake.stderr.startswith("error: unknown plugin or recipe 'pgv': did you mean pgu?")


def test_original_may_be_named_and_stays_one_row(recipe):
    run = bench("run", "-q", "--config", recipe, "--methods", "original,neggrad", "--dry-run")
    assert run.returncode == 0
    assert run.stdout.count("original") == 2  # trained and predicted, never unlearned


def test_a_broken_attack_of_the_user_is_one_line_and_loses_nothing(recipe, tmp_path):
    file = tmp_path / "my_attack.py"
    file.write_text('"""Always fails, for a test."""\ndef my_attack(outputs):\n    return 3\n')
    failed = bench("run", "-q", "--config", recipe, "--plugin", file, "--attacks", "my-attack")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: attack my-attack: returned int, not bench.Scores")
    assert failed.stderr.count("\n") == 1


def test_python_dash_m_is_the_same_command():
    command = [sys.executable, "-m", "bench", "--version"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.startswith("bench ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--attacks", ""], "attacks = : name at least one"),
        (["run", "--methods", ""], "methods = : name at least one"),
        (
            ["run", "--device", "gpu"],
            "device = gpu: this machine has no such device; allowed: auto",
        ),
        (
            ["run", "--dry-run", "--scheduler", "tcp://here:1"],
            "scheduler is for backend = dask: add --backend dask",
        ),
        (["show", "attacks"], '"attacks" is a kind of plugin; run `bench list attacks`'),
    ],
)
def test_an_empty_or_wrong_choice_is_one_line(capsys, arguments, words, tmp_path):
    assert main([*arguments, *(["--out", str(tmp_path)] if arguments[0] == "run" else [])]) == 1
    assert words in capsys.readouterr().err


LONG = ["x" * 300, "9" * 5000, "[" * 10_000, "a/" * 3000, "\x1b[31m", "a\ud800b"]
COMMANDS = [
    ("run", "--dataset", "{}"),
    ("run", "--dataset", "npz:{}"),
    ("run", "--dataset", "folder:{}"),
    ("run", "--methods", "{}"),
    ("run", "--methods", "ssd[alpha={}]"),
    ("run", "--scenario", "class[of={}]"),
    ("run", "--attacks", "{}"),
    ("run", "--model", "{}"),
    ("run", "--set", "{}"),
    ("run", "--set", "models={}"),
    ("run", "--config", "{}"),
    ("run", "--plugin", "{}"),
    ("run", "--dataset", "cifar10", "--data-dir", "{}"),
    ("show", "{}"),
    ("list", "{}"),
    ("report", "{}"),
    ("score", "{}"),
    ("check", "{}"),
    ("report", "--out", "{}"),
    ("report", "--format", "{}"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_any_text_is_answered_shortly_and_printably(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in LONG:
        assert main([part.format(text) for part in command]) in (1, 2)
        shown = capsys.readouterr().err
        assert "Traceback" not in shown
        assert len(shown) < 2500
        assert shown.replace("\n", "").isprintable()
        assert not list(tmp_path.iterdir())
