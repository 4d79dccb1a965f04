"""Whole commands: options with values that nobody expects, as dry runs, tiny runs and look-ups."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.fuzz.calling import call
from tests.fuzz.kind import Given, Kind
from tests.fuzz.mutate import ODD, change_text
from tests.fuzz.spellings import ATTACK, CHOICES, KEYS, PLUGIN, RECIPE, assignment, key_of

SMALL = (
    "--subset=80", "--models=1", "--model=small-cnn[width=2,hidden=4]", "--methods=neggrad",
    "--attacks=errors", "--set=train.epochs=1", "--timed=0", "--jobs=1", "--out=results", "-q",
)  # fmt: skip
NEVER = {"plugins", "download", "out", "jobs", "train"}  # options that are not changed here
LISTED = ("methods", "attacks", "datasets", "models", "scenarios", "configs", "keys")


class Commands(Kind):
    """Commands with their arguments; a file beside them is a recipe or a plugin."""

    name, count = "commands", 2_000

    def prepare(self, home: Path) -> None:
        """Run one small command; measuring the speed of this machine is not what is watched."""
        from bench.engine import forecast

        forecast.ENOUGH_S = 0.0
        call(["run", *SMALL, f"--out={home / 'results'}"])
        call(["run", *SMALL, f"--out={home / 'results'}", "--dry-run"])

    def draw(self, rng: random.Random) -> Given:
        """Draw a command line, and the file that it may name."""
        file = rng.choice(("mine.py", "plugin.py", "mine.toml", "odd name\x1b[31m.toml"))
        text = {"mine.py": PLUGIN, "plugin.py": ATTACK}.get(file, RECIPE)
        text = change_text(rng, text) if rng.random() < 0.7 else text
        what = rng.random()
        if what < 0.6:
            line = _run(rng, file)
        elif what < 0.7:
            line = ["list", rng.choice((*LISTED, _odd(rng, "methods")))]
        elif what < 0.8:
            line = ["show", _odd(rng, rng.choice(("ssd", "digits", "poison", "truefake")))]
        elif what < 0.9:
            line = [rng.choice(("report", "score")), _odd(rng, "digits-poison-1-abcdef12")]
        else:
            line = [_odd(rng, rng.choice(("run", "list", "check"))), _odd(rng, "--help")]
        if line[0] == "list" and file.endswith(".py"):
            line += ["--plugin", file]
        # NUL cannot stand in an argument of a process.
        line = [part.replace("\0", "") for part in line]
        return Given(json.dumps({"line": line, "file": file, "text": text}).encode())

    def attempt(self, given: Given, folder: Path) -> None:
        """Call the command in a folder that holds the file."""
        what = json.loads(given.content)
        (folder / what["file"]).write_text(what["text"], errors="replace")
        before = _tree(folder)
        if what["line"][0] == "check":
            what["line"][1:] = ["nothing.py"]
        is_dry = "--dry-run" in what["line"] or what["line"][0] != "run"
        try:
            call(what["line"])
        finally:
            assert not is_dry or _tree(folder) == before, f"wrote {_tree(folder) ^ before}"


def _run(rng: random.Random, file: str) -> list[str]:
    """A run with a few odd options: most are dry, and the others are tiny."""
    line = ["run", *SMALL]
    if file.endswith(".toml") and rng.random() < 0.4:
        line = ["run", "--config", file, *SMALL[:2], *SMALL[6:]]
    for _again in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice([name for name in KEYS if name not in NEVER])
        value = _odd(rng, rng.choice(KEYS[name]))
        if name.startswith("train.") or rng.random() < 0.2:
            line.append(f"--set={_odd(rng, assignment(rng))}")
        else:
            line.append(f"--{key_of(name).replace('_', '-')}={value}")
    line = [part for part in line if not part.startswith(("--set=out", "--set=down"))]
    return line if rng.random() < 0.03 else [*line, "--dry-run"]


def _odd(rng: random.Random, text: str) -> str:
    others = (*ODD, *(text for texts in CHOICES.values() for text in texts))
    return change_text(rng, text, others) if rng.random() < 0.6 else text


def _tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
