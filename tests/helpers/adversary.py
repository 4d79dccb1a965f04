"""A folder of results as an adversary would send it: made from a good one, with every trick."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bench
from bench.storage.records import read_record, write_record

CODE = '''"""A plugin that says when it is executed."""
from pathlib import Path
Path({mark!r}).touch()


def plugin(outputs):
    """Never reached."""
'''
ODD = "\x1b[31mred\x07$\\frac$<script>alert(1)</script>\u202e"
PLUGINS = ("plugin.py", "../plugin.py", "{run}/plugin.py", "link.py", "os:system", "http://x/y.py")


def send(run: bench.Run, place: Path, mark: Path) -> Path:
    """Copy a run's results to ``place`` and turn them against who reads them; the run's folder.

    Its names are odd, its configuration names plugins in every way, which would make the file
    ``mark``, and its files are links that lead out of the folder.
    """
    shutil.copytree(run.folder.parent.parent, place)
    folder = place / "runs" / run.folder.name
    _name_plugins(folder, mark)
    record = read_record(folder / "run.json")
    record["data"] |= {"name": ODD, "note": ODD, "classes": [ODD] * len(record["data"]["classes"])}
    record["notes"] = [ODD, "a\nb"]
    record["curves"]["file"] = record["extras"]["file"] = "../../../../escape"
    record["provenance"]["command"] = ODD
    rewrite(folder / "run.json", record)
    return folder


def rewrite(file: Path, record: dict) -> None:
    """Write a record with a checksum that is right."""
    record.pop("check", None)
    write_record(file, record)


def _name_plugins(folder: Path, mark: Path) -> None:
    """Let the configuration name plugins by paths that lead to code."""
    code = CODE.format(mark=str(mark))
    for place in (folder, folder.parent, Path.cwd()):
        (place / "plugin.py").write_text(code)
    (folder / "link.py").symlink_to("plugin.py")
    os.symlink(folder / "plugin.py", Path.cwd() / "link.py")
    names = ", ".join(f'"{name.format(run=folder)}"' for name in PLUGINS)
    config = folder / "config.toml"
    lines = config.read_text().splitlines()
    lines = [f"plugins = [{names}]" if line.startswith("plugins") else line for line in lines]
    config.write_text("\n".join(lines) + "\n")
