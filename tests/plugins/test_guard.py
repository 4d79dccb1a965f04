"""Whatever a plugin raises is one line; the user's Ctrl-C is not a plugin's."""

from __future__ import annotations

import os
import signal

import pytest

from bench.cli.app import main
from bench.errors import UserError
from bench.plugins.interrupts import is_interrupt
from bench.plugins.registry import Registry

RAISED = [
    "SystemExit(0)",
    "SystemExit",
    "KeyboardInterrupt",
    "GeneratorExit",
    "type('Odd', (BaseException,), {})('odd')",
    "type('Stop', (KeyboardInterrupt,), {})()",
    "MemoryError",
]
HEAD = '"""A plugin for a test."""\n'
ON_CALL = {
    "datasets": "def mine():\n    raise {}\n",
    "scenarios": "def mine(training):\n    raise {}\n",
    "models": "def mine(num_classes, in_channels, image_size):\n    raise {}\n",
    "attacks": "def mine(outputs):\n    raise {}\n",
}
GIVEN = {"datasets": (), "scenarios": (None,), "models": (2, 1, (8, 8)), "attacks": (None,)}
METHOD = """
from dataclasses import dataclass
from bench import Method

@dataclass(frozen=True)
class Mine(Method):
    def unlearn(self, model, task): ...
    def {verb}(self):
        raise {what}
"""


def resolve(folder, kind, text):
    file = folder / "mine.py"
    file.write_text(HEAD + text)
    return Registry((str(file),)).resolve(kind, "mine")


@pytest.mark.parametrize("what", RAISED)
@pytest.mark.parametrize("kind", ON_CALL)
def test_what_a_plugin_raises_is_one_line_with_its_place(tmp_path, kind, what):
    plugin = resolve(tmp_path, kind, ON_CALL[kind].format(what))
    with pytest.raises(UserError, match=r" mine \(mine.py\): .*\(mine.py, line 3\)$"):
        plugin(*GIVEN[kind])


@pytest.mark.parametrize("what", RAISED)
def test_so_it_is_when_the_file_is_imported(tmp_path, what):
    text = f"raise {what}\n{ON_CALL['attacks']}"
    with pytest.raises(UserError, match=r"cannot load plugin .*mine.py: .*\(mine.py, line 2\)$"):
        resolve(tmp_path, "attacks", text)


@pytest.mark.parametrize("verb", ["__post_init__", "requirements", "prepares", "carries"])
def test_so_it_is_when_a_method_says_what_it_needs(tmp_path, verb):
    plugin = resolve(tmp_path, "methods", METHOD.format(verb=verb, what="SystemExit(0)"))
    with pytest.raises(UserError, match=r"method mine \(mine.py\): SystemExit: 0"):
        _ = plugin.traits


def test_a_patch_at_import_is_refused_and_undone(tmp_path):
    from torch.nn import functional

    before = functional.cross_entropy
    text = "from torch.nn import functional\nfunctional.cross_entropy = functional.nll_loss\n"
    with pytest.raises(UserError, match=r"mine.* changed torch.nn.functional.cross_entropy"):
        resolve(tmp_path, "attacks", text + "def mine(outputs): ...")
    assert functional.cross_entropy is before


def test_a_wrong_signature_is_the_plugins_mistake(tmp_path):
    plugin = resolve(tmp_path, "scenarios", "def mine(training, rng, more): ...")
    with pytest.raises(UserError, match="missing 1 required positional argument"):
        plugin(None, None)


def test_the_command_ends_with_1_and_one_line(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(HEAD + ON_CALL["datasets"].format("SystemExit(0)"))
    named = ["--plugin", str(tmp_path / "mine.py"), "--dataset", "mine", "--out", str(tmp_path)]
    assert main(["run", "-q", *named]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["error: data set mine (mine.py): SystemExit: 0 (mine.py, line 3)"]


def test_ctrl_c_is_told_from_what_code_raises(tmp_path):
    def pressed():
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10_000):
            pass

    with pytest.raises(KeyboardInterrupt) as caught:
        pressed()
    assert is_interrupt(caught.value)
    with pytest.raises(KeyboardInterrupt) as caught:
        raise KeyboardInterrupt
    assert not is_interrupt(caught.value)
    press = "    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(9)\n"
    text = "import os, signal, time\ndef mine():\n" + press
    with pytest.raises(KeyboardInterrupt):
        resolve(tmp_path, "datasets", text)()
