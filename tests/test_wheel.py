"""What a user installs: the wheel and the sdist are whole, and foreign packages do not get in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="building needs hatchling, of the extra test")

ROOT = Path(__file__).parent.parent
LINKED = ("attacks", "configs", "methods", "reports")  # folders at the top, seen through bench/
NEEDED = (
    "__init__.py",
    "__main__.py",
    "attacks/membership.py",
    "attacks/shared/roc.py",
    "builtin/datasets/digits.py",
    "cli/app.py",
    "methods/pgu.py",
    "methods/shared/descent.py",
    "reports/page/templates/page.css",
    "reports/page/templates/run.html",
)
EVERY_FILE = """
import importlib, json, pkgutil, sys
import bench
for module in pkgutil.walk_packages(bench.__path__, "bench."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "bench"}
print(json.dumps({name: module.__file__ for name, module in ours.items()}))
"""


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build a wheel or an sdist of ``source`` in ``folder``, as pip would do without a network."""
    folder.mkdir(parents=True)
    code = f"from hatchling.build import build_{kind} as build; build({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True)
    return next(folder.iterdir())


def names_in(wheel: Path) -> set[str]:
    """Every file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def in_checkout() -> set[str]:
    """Every module, template and recipe of the checkout, by its path in the package."""
    files = (
        Path(folder, name)
        for folder, folders, names in os.walk(ROOT / "bench", followlinks=True)
        for name in names
    )
    kinds = {".py", ".toml", ".html", ".css", ".js"}
    return {file.relative_to(ROOT).as_posix() for file in files if file.suffix in kinds}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", ROOT, tmp_path_factory.mktemp("build") / "wheel")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An empty folder into which the wheel was installed without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return folder


@pytest.fixture(scope="module")
def python(installed, tmp_path_factory):
    """Runs Python with the installed wheel, where other packages have the names of our folders."""
    home = tmp_path_factory.mktemp("home")
    for name in LINKED:
        (home / name).mkdir()
        (home / name / "__init__.py").write_text(f"raise RuntimeError('the user's own {name}')")

    def run(*arguments: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(installed), "NO_COLOR": "1"}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.home = home
    return run


def test_the_wheel_holds_one_package_with_all_its_files(wheel):
    names = names_in(wheel)
    packages = {name.split("/")[0] for name in names}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"bench"}
    assert {f"bench/{name}" for name in NEEDED} <= names
    recipes = {f"bench/configs/{file.name}" for file in (ROOT / "configs").glob("*.toml")}
    assert recipes
    assert recipes <= names
    assert in_checkout() <= names
    assert not any("/examples/" in name for name in names)  # pictures of the README


def test_the_sdist_holds_files_instead_of_links_and_gives_the_same_wheel(wheel, tmp_path):
    with tarfile.open(build("sdist", ROOT, tmp_path / "sdist")) as archive:
        assert [member.name for member in archive if member.issym() or member.islnk()] == []
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    for name in LINKED:
        assert any((source / "bench" / name).iterdir()), name
        assert not (source / name).exists(), name  # once is enough
    again = build("wheel", source, tmp_path / "again")
    with zipfile.ZipFile(again) as second, zipfile.ZipFile(wheel) as first:
        assert set(second.namelist()) == set(first.namelist())
        for name in first.namelist():
            assert second.read(name) == first.read(name), name


def test_the_installed_modules_are_those_of_the_wheel(python, installed):
    """Otherwise the tests below might use the checkout."""
    files = json.loads(python("-c", EVERY_FILE))
    assert "bench.methods.pgu" in files
    assert "bench.attacks.membership" in files
    elsewhere = {name for name, file in files.items() if not Path(file).is_relative_to(installed)}
    assert elsewhere == set()


def test_a_run_does_not_see_packages_of_the_users_own(python):
    assert "pgu" in python("-m", "bench", "list", "methods")
    settings = "subset=240 model=mlp[width=8] methods=ssd attacks=errors train.epochs=2 jobs=1"
    changes = [word for setting in settings.split() for word in ("--set", setting)]
    table = python("-m", "bench", "run", "-q", "--models", "2", "--out", "results", *changes)
    assert "ssd" in table
    (page,) = python.home.glob("results/runs/*/report/index.html")
    assert "<style" in page.read_text()  # of the templates
