"""Real wheels as entries, beside what pip installs from them, and beside what the Docker builder's script lays out."""

import ast
import csv
import io
import json
import os
import stat
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from repro_docker import install_wheels
from repro_oci.wheels import wheel_entries

from tests.repro_oci.forge import DATA, FILE, INFO, PROGRAM, Forge

PINNED = {
    "click": "8.1.8",
    "docutils": "0.20.1",  # files below .data/scripts
    "greenlet": "3.1.1",  # headers below .data/headers, compiled modules
    "jupyterlab-widgets": "3.0.13",  # a tree below .data/data
    "markdown": "3.7",  # an entry point
    "notebook-shim": "0.2.4",  # configuration below .data/data
    "pip": "25.0.1",  # many files, entry points of its own
    "pyzmq": "26.2.0",  # compiled modules, bundled libraries
    "setuptools": "75.8.0",  # distributions inside the distribution, entry points of other groups
    "six": "1.17.0",  # one module
}
INSTALLERS = ["0.7.0", "1.0.1", "1.1.0"]
"""Of pypa/installer: the oldest that a lock may pin, for Python 3.9, and later ones."""
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
ENVIRONMENT = PurePosixPath("/opt/env")
RUNNER = PurePosixPath("/opt/repro/site-packages")
SCRIPT = Path(install_wheels.__file__)
LAY_OUT = f"""
import json, sys
sys.path[:0] = [sys.argv[1], {str(SCRIPT.parent)!r}]
from pathlib import Path
import installer, install_wheels
assert installer.__file__.startswith(sys.argv[1]), installer.__file__
for path, prefix, root, requested in json.loads(sys.argv[2]):
    claims = install_wheels.Claims({str(ENVIRONMENT)!r})
    install_wheels.install_wheel(Path(path), Path(root), prefix, {str(ENVIRONMENT)!r}, claims, requested=requested)
    claims.check()
"""


@dataclass(frozen=True)
class Found:
    """A file of a tree."""

    data: bytes
    mode: int


Tree = dict[str, Found]


def download(folder: Path, requirements: Iterable[str]) -> list[Path]:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "-d", str(folder), *requirements], check=True)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    pinned = [f"{name}=={version}" for name, version in PINNED.items()]
    found = download(tmp_path_factory.mktemp("wheels"), pinned)
    assert len(found) == len(PINNED)
    return found


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One wheel with whatever real ones seldom have."""
    info, data = "Odd.Wheel-1.0.dist-info", "Odd.Wheel-1.0.data"
    files = {
        "odd/__init__.py": b"def main():\n    return 3\nclass App:\n    run = main\n",
        "odd/__pycache__/__init__.cpython-311.pyc": b"stale",
        'odd/comma,quote".txt': b"",
        "odd/caf\xe9.txt": b"",
        "odd/tool": b"#!/bin/sh\n",
        "odd/half": b"",
        f"{data}/scripts/plain": b"#!/bin/sh\nexit 4\n",
        f"{data}/scripts/window": b"#!pythonw -E\r\nprint('hi')\r\n",
        f"{data}/scripts/sub/nested": b"#!python\n",
        f"{data}/scripts/made": b"#!python\nold\n",
        f"{data}/scripts/made-script.py": b"#!python\nold\n",
        f"{data}/scripts/MADE.EXE": b"MZ",
        f"{data}/scripts/made.exe": b"MZ",
        f"{data}/data/bin/late": b"old",
        f"{data}/data/share/odd/x": b"x",
        f"{data}/data/lib/python{MINOR}/site-packages/odd_data.py": b"",
        f"{data}/headers/odd.h": b"",
        f"{data}/platlib/odd_native.so": b"",
        f"{data}/purelib/odd_pure.py": b"",
        f"{info}/entry_points.txt": (
            b"# nothing\n[console_scripts]\nmade = odd:wrong\nmade = odd : main [extra]\nlate = odd:App.run\n"
            b"both = odd:wrong\n  indented = odd:main\n[gui_scripts]\nboth=odd:main\n[other.group]\nx = y z\n"
        ),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: Odd.Wheel\nVersion: 1.0\n",
        f"{info}/RECORD.jws": b"{}",
        f"{info}/INSTALLER": b"somebody\n",
        f"{info}/REQUESTED": b"",
        f"{info}/direct_url.json": b"{}",
        f"{info}/licenses/LICENSE": b"",
    }
    modes = {"odd/tool": PROGRAM, "odd/half": stat.S_IFREG | 0o654, "odd/__init__.py": stat.S_IFREG | 0o600}
    forge = Forge(files, {**dict.fromkeys(files, FILE), **modes}, unlisted=[f"{info}/RECORD.jws"], info=info)
    return forge.write(tmp_path_factory.mktemp("odd"), "odd_wheel-1.0-py3-none-any.whl")


def assembled(paths: Iterable[Path], prefix: PurePosixPath, environment: PurePosixPath, *, requested: bool) -> Tree:
    """What the entries of these wheels would make, by path."""
    found: Tree = {}
    for path in paths:
        for entry in wheel_entries(path, prefix, environment, MINOR, requested=requested):
            assert entry.body is not None
            assert entry.path not in found
            found[entry.path] = Found(b"".join(entry.body.plain()), entry.mode)
    return found


def read_tree(root: Path) -> Tree:
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(root)): Found(path.read_bytes(), path.stat().st_mode & 0o7777) for path in files}


def directories(root: Path) -> dict[str, int]:
    found = (path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())
    return {str(path.relative_to(root)): path.stat().st_mode & 0o7777 for path in found}


def write_tree(tree: Tree) -> None:
    """Put files where they belong, as unpacking a layer would."""
    for name, file in tree.items():
        path = Path("/", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)


@pytest.fixture(scope="module")
def pips(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tree, dict[str, int]]:
    """What pip adds to an empty environment: its place, files and directories, as paths in it."""
    home = tmp_path_factory.mktemp("pip") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, umask=0o022)
    empty, places = read_tree(home), directories(home)
    options = ["--quiet", "--no-compile", "--no-deps", "--no-index", "--no-warn-script-location"]
    command = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", *options]
    subprocess.run([*command, *map(str, wheels)], check=True, umask=0o022)
    tree = {name: file for name, file in read_tree(home).items() if name not in empty}
    return home, tree, {name: mode for name, mode in directories(home).items() if name not in places}


def inside(tree: Tree, home: Path) -> Tree:
    top = f"{home}/".lstrip("/")
    assert all(name.startswith(top) for name in tree)
    return {name.removeprefix(top): file for name, file in tree.items()}


def test_the_tree_is_pips_but_for_what_is_listed_here(
    wheels: list[Path], pips: tuple[Path, Tree, dict[str, int]]
) -> None:
    home, theirs, _ = pips
    place = PurePosixPath(home)
    ours = inside(assembled(wheels, place, place, requested=True), home)
    site = f"lib/python{MINOR}/site-packages"
    assert set(ours) - set(theirs) == set()
    only_pip = set(theirs) - set(ours)
    urls = {name for name in only_pip if name.endswith(".dist-info/direct_url.json")}
    assert len(urls) == len(PINNED)
    assert only_pip - urls == {f"bin/pip{MINOR}"}  # pip makes one more launcher, for its own wheel only
    assert {name for name in ours if ours[name].mode != theirs[name].mode} == set()
    other = {name for name in ours if ours[name].data != theirs[name].data}
    launchers = {name for name in other if name.startswith("bin/")}
    assert {name.removeprefix("bin/") for name in launchers} == {"docutils", "markdown_py", "pip", "pip3"}
    expected = {f"{site}/{info}/{name}" for info in infos(ours) for name in ("INSTALLER", "RECORD")}
    assert other - launchers == expected
    for name in launchers:
        assert meaning(ours[name].data) == meaning(theirs[name].data)
    for info in infos(ours):
        assert (ours[f"{site}/{info}/INSTALLER"].data, theirs[f"{site}/{info}/INSTALLER"].data) == (
            b"repro\n",
            b"pip\n",
        )
        assert ours[f"{site}/{info}/REQUESTED"].data == b""
        compare_records(ours, theirs, f"{site}/{info}/RECORD")


def infos(tree: Mapping[str, Found]) -> set[str]:
    """Names of the `.dist-info` directories."""
    tops = {PurePosixPath(name).parts[3] for name in tree if name.startswith("lib/python")}
    return {top for top in tops if top.endswith(".dist-info")}


def meaning(launcher: bytes) -> tuple[bytes, str]:
    """First line and code of a launcher, without pip's handling of Windows suffixes."""
    first, _, code = launcher.partition(b"\n")
    tree = ast.parse(code)
    tree.body = [statement for statement in tree.body if ast.unparse(statement) != "import re"]  # pip's before 25
    main = tree.body[-1]
    assert isinstance(main, ast.If)
    main.body = [statement for statement in main.body if not ast.unparse(statement).startswith("sys.argv[0] = ")]
    return first, ast.dump(tree)


def compare_records(ours: Tree, theirs: Tree, name: str) -> None:
    """RECORD lists the same files; lines differ for files that differ, and where pip repeats what it was told."""
    here = PurePosixPath(name).parent.parent
    mine, pips = (
        {row[0]: row[1:] for row in csv.reader(io.StringIO(one[name].data.decode(), newline=""))}
        for one in (ours, theirs)
    )
    info = PurePosixPath(name).parent.name
    gone = {f"{info}/direct_url.json"} | ({f"../../../bin/pip{MINOR}"} if info.startswith("pip-") else set())
    assert set(pips) - set(mine) == gone
    assert set(mine) <= set(pips)
    paths = {row: os.path.normpath(here / row) for row in mine}
    same = {row for row, path in paths.items() if ours[path].data == theirs[path].data}
    assert {row: mine[row] for row in same} == {row: pips[row] for row in same}


def test_parents_are_the_directories_that_pip_makes(
    wheels: list[Path], pips: tuple[Path, Tree, dict[str, int]]
) -> None:
    home, _, theirs = pips
    place = PurePosixPath(home)
    ours = inside(assembled(wheels, place, place, requested=True), home)
    parents = {str(parent) for name in ours for parent in PurePosixPath(name).parents} - {"."}
    made_by_venv = {"bin", "include", "lib", f"lib/python{MINOR}", f"lib/python{MINOR}/site-packages"}
    assert parents - made_by_venv == set(theirs) - made_by_venv
    assert set(theirs.values()) == {0o755}


def test_programs_run(wheels: list[Path], odd: Path, tmp_path: Path) -> None:
    home = tmp_path / "env"
    venv.create(home, symlinks=True)
    place = PurePosixPath(home)
    write_tree(assembled([*wheels, odd], place, place, requested=False))

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(home / "bin" / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert run("markdown_py", "--version").stdout == "markdown_py 3.7\n"
    assert run("pip", "--version").stdout.startswith("pip 25.0.1 from ")
    assert "0.20.1" in run("rst2html.py", "--version").stdout
    assert [run(name).returncode for name in ("made", "late", "both", "indented", "plain")] == [3, 3, 3, 3, 4]
    assert run("window").stdout == "hi\n"
    checked = run("pip", "list", "--format", "json")
    versions = {one["name"]: one["version"] for one in json.loads(checked.stdout)}
    assert versions.items() >= {"click": "8.1.8", "greenlet": "3.1.1", "Odd.Wheel": "1.0"}.items()
    removed = run("pip", "uninstall", "--yes", "greenlet", "docutils", "jupyterlab-widgets")
    assert removed.returncode == 0, removed.stderr
    left = [name for name in read_tree(home) if "greenlet" in name or "docutils" in name or "rst2" in name]
    assert left == []


@pytest.fixture(scope="module")
def installers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("installers")
    for version in INSTALLERS:
        download(folder, [f"installer=={version}"])
    return {path.name.split("-")[1]: path for path in folder.glob("*.whl")}


@pytest.mark.parametrize("version", INSTALLERS)
def test_the_docker_builder_lays_out_the_same(
    wheels: list[Path], odd: Path, installers: dict[str, Path], tmp_path: Path, version: str
) -> None:
    """Paths, modes and bytes, for each wheel alone, in both kinds of places, asked for or not."""
    jobs = [
        (path, prefix, tmp_path / f"{number}-{prefix.name}-{requested}", requested)
        for number, path in enumerate([*wheels, odd])
        for prefix in (ENVIRONMENT, RUNNER)
        for requested in ([True, False] if path == odd else [number % 2 == 0])
    ]
    told = json.dumps([[str(path), str(prefix), str(root), requested] for path, prefix, root, requested in jobs])
    command = [sys.executable, "-I", "-c", LAY_OUT, str(installers[version]), told]
    subprocess.run(command, check=True, umask=0o022)
    for path, prefix, root, requested in jobs:
        assert read_tree(root) == assembled([path], prefix, ENVIRONMENT, requested=requested), path.name


def test_the_forge_makes_wheels_that_pip_installs(tmp_path: Path) -> None:
    """Else the odd wheel would prove nothing."""
    path = Forge({f"{DATA}/data/share/x": b"x", "demo.py": b""}).write(tmp_path)
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-compile", "--target", str(target)]
    subprocess.run([*command, str(path)], check=True)
    assert (target / INFO / "RECORD").is_file()
