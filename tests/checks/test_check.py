"""`bench check` catches methods that break the contract, and says how."""

from __future__ import annotations

import pytest

from bench.checks.run import check_file
from bench.checks.toys import TOYS
from bench.cli.app import main
from bench.errors import UserError

HEAD = '''"""A method for a test, described in one line."""
import copy
from dataclasses import dataclass
import numpy as np
import torch
from bench import Method

@dataclass(frozen=True)
class Mine(Method):
    needs = ("forget", "forget-labels")

    def unlearn(self, model, task):
'''
GOOD = """
        model = copy.deepcopy(model)
        noise = torch.randn(3, generator=task.rng)
        return model
"""
BROKEN = {
    "changed the model it was given": """
        with torch.no_grad():
            next(model.parameters()).mul_(0.5)
        return model
""",
    "read retain without declaring it": """
        try:
            task.retain.images
        except Exception:
            pass
        return copy.deepcopy(model)
""",
    "read 'validation'": """
        task.validation.images
        return copy.deepcopy(model)
""",
    "non-finite weights": """
        model = copy.deepcopy(model)
        with torch.no_grad():
            next(model.parameters()).fill_(float("nan"))
        return model
""",
    "gave other weights when called again": """
        model = copy.deepcopy(model)
        with torch.no_grad():
            next(model.parameters()).add_(np.random.default_rng().normal() * 1e-3)
        return model
""",
    "drew from a global random generator": """
        torch.rand(1)
        return copy.deepcopy(model)
""",
    "not a torch.nn.Module": """
        return model.state_dict()
""",
    "other parameters than the one it was given": """
        return torch.nn.Linear(2, 2)
""",
    "method mine changed torch's default dtype": """
        torch.set_default_dtype(torch.float64)
        return copy.deepcopy(model)
""",
    "not those of its weights in the original's network": """
        model = copy.deepcopy(model)
        model.register_forward_hook(lambda _model, _images, outputs: -outputs)
        return model
""",
    "accuracy fell": """
        model = copy.deepcopy(model)
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
        return model
""",
    "raised ZeroDivisionError": """
        1 / 0
""",
}


def write(folder, body):
    path = folder / "mine.py"
    path.write_text(HEAD + body)
    return path


def test_a_good_method_passes_everything(tmp_path):
    assert {problem for _name, problem in check_file(write(tmp_path, GOOD))} == {None}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_method_is_reported_with_the_reason(tmp_path, message):
    problems = [problem for _name, problem in check_file(write(tmp_path, BROKEN[message]))]
    assert any(message in problem for problem in problems if problem), problems


def test_a_fault_is_reported_once_for_each_network(tmp_path):
    body = BROKEN["raised ZeroDivisionError"]
    problems = [problem for _name, problem in check_file(write(tmp_path, body)) if problem]
    assert len(problems) == len(TOYS)
    assert all("mine.py, line " in problem for problem in problems)


def test_a_fault_is_one_line_however_many_its_message_has(tmp_path):
    body = '\n        raise ValueError("no\\n\\n  keys:\\n\\ta, b")\n'
    problems = [problem for _name, problem in check_file(write(tmp_path, body)) if problem]
    assert problems
    assert all(p.startswith("raised ValueError: no keys: a, b (mine.py, line ") for p in problems)


def test_exiting_the_program_is_a_fault_like_others(tmp_path):
    body = "\n        raise SystemExit(3)\n"
    problems = [problem for _name, problem in check_file(write(tmp_path, body)) if problem]
    assert all("SystemExit" in problem for problem in problems)
    assert problems


def test_a_method_that_is_no_dataclass_is_a_user_error(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_text(path.read_text().replace("@dataclass(frozen=True)\n", ""))
    with pytest.raises(UserError, match=r"put @dataclass\(frozen=True\) above class Mine"):
        list(check_file(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "holds no plugin"),
        ("def f(:\n", "line 1"),
        ("import nothing_here\n" + HEAD + GOOD, "cannot load plugin"),
    ],
)
def test_a_file_that_is_no_plugin_is_one_line(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        list(check_file(path))


ATTACK = '''"""An attack for a test, described in one line."""
import numpy as np
from bench.plugins.outputs import Readout, Score, Scores

def my_attack(outputs, *, shift: float = 0.0):
    found = [Score(row, "mine", {value}, 0.0, len(p)) for row, p in outputs.rows.items()]
    return Scores([Readout("mine", "my number")], found)
'''


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("float(p.logits['forget'].mean())", None),
        ("float('nan')", "gave nan"),
        ("float('nan') if row == 'retrain' else 1.0", "gave nan"),
        ("float(np.random.default_rng().normal())", "other numbers when called again"),
        ("float(len(outputs.rows))", "because of the rows beside it"),
        (
            "float(p.logits['forget'].sort())if 0 else float(p.logits['forget'].fill(0) is None)",
            "read-only",
        ),
    ],
)
def test_attacks_are_checked_too(tmp_path, value, message):
    path = tmp_path / "my_attack.py"
    path.write_text(ATTACK.replace("{value}", value))
    problems = [problem for _name, problem in check_file(path) if problem]
    assert problems == [] if message is None else any(message in p for p in problems)


def test_an_attack_may_have_no_number_where_it_says_why(tmp_path):
    path = tmp_path / "my_attack.py"
    text = ATTACK.replace("{value}", "float('nan')")
    path.write_text(text.replace('"my number")', '"my number", undefined="it never exists")'))
    assert [problem for _name, problem in check_file(path) if problem] == []


def test_an_unknown_need_is_a_user_error_before_any_work(tmp_path, capsys):
    plugin = tmp_path / "needy.py"
    plugin.write_text(HEAD.replace('"forget-labels"', '"forgot-labels"') + GOOD)
    named = ["--plugin", str(plugin), "--methods", "needy", "--out", str(tmp_path / "out")]
    assert main(["run", "--dry-run", *named]) == 1
    assert "unknown need 'forgot-labels': did you mean forget-labels" in capsys.readouterr().err
