"""Locks of uv, Poetry, PDM and pipenv, and pylock.toml, as the tools write them, against what is installed."""

from pathlib import Path

import pytest

from tests.capture.drift.projects import distribution, drifts, interpreter, pins, told

UV = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "click"
version = "8.5.1"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/click-8.5.1.tar.gz", hash = "sha256:00" }

[[package]]
name = "cycler"
version = "0.12.1"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "h11"
version = "0.16.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "httptools"
version = "0.9.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "iniconfig"
version = "2.3.1"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "laptop"
version = "0"
source = { virtual = "." }
dependencies = [
    { name = "click" },
    { name = "numpy", version = "1.26.4", marker = "python_full_version < '3.12'" },
    { name = "numpy", version = "2.3.1", marker = "python_full_version >= '3.12'" },
    { name = "pywin32", marker = "sys_platform == 'win32'" },
    { name = "tool" },
    { name = "uvicorn", extra = ["standard"] },
]

[package.optional-dependencies]
plot = [
    { name = "cycler" },
]

[package.dev-dependencies]
dev = [
    { name = "iniconfig" },
]

[[package]]
name = "numpy"
version = "1.26.4"
source = { registry = "https://pypi.org/simple" }
resolution-markers = [
    "python_full_version < '3.12'",
]

[[package]]
name = "numpy"
version = "2.3.1"
source = { registry = "https://pypi.org/simple" }
resolution-markers = [
    "python_full_version >= '3.12'",
]

[[package]]
name = "pywin32"
version = "311"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "tool"
version = "0.3"
source = { git = "https://example.org/tool.git?rev=main#1111111111111111111111111111111111111111" }

[[package]]
name = "uvicorn"
version = "0.54.0"
source = { registry = "https://pypi.org/simple" }
dependencies = [
    { name = "h11" },
]

[package.optional-dependencies]
standard = [
    { name = "httptools" },
]
"""
AS_LOCKED = {"click": "8.5.1", "numpy": "1.26.4", "tool": "0.3", "uvicorn": "0.54.0", "h11": "0.16.0"}


def test_an_environment_as_uv_made_it_has_no_drift(tmp_path: Path) -> None:
    """Extras of the project, groups, and what other platforms need may be missing."""
    assert told(tmp_path, {"uv.lock": UV}, pins(**AS_LOCKED, httptools="0.9.0")) == []


def test_other_versions_and_missing_packages_of_uv(tmp_path: Path) -> None:
    found = drifts(tmp_path, {"uv.lock": UV}, pins(**{**AS_LOCKED, "numpy": "2.3.1", "cycler": "0.11"}))
    assert [(one.kind, one.package, one.what) for one in found] == [
        ("version", "cycler", "cycler 0.12.1 is declared, 0.11 is installed"),
        ("missing", "httptools", "httptools 0.9.0 is declared but not installed"),
        ("version", "numpy", "numpy 1.26.4 is declared, 2.3.1 is installed"),
    ]
    assert {one.cure for one in found} == {"run `uv sync`, or `uv lock` if the installed one is right"}
    assert {one.place for one in found} == {"uv.lock"}


def test_local_versions_are_the_same_release(tmp_path: Path) -> None:
    lock = '[[package]]\nname = "torch"\nversion = "2.1.0"\n[[package]]\nname = "other"\nversion = "1.0+cpu"\n'
    assert told(tmp_path, {"uv.lock": lock}, pins(torch="2.1.0+cpu", other="1.0+cpu")) == []
    assert told(tmp_path, {"uv.lock": lock}, pins(torch="2.1.1+cpu", other="1.0")) == [
        "uv.lock: version torch",
        "uv.lock: version other",
    ]


@pytest.mark.parametrize("commit", ["1", "2"])
def test_commits_are_compared(tmp_path: Path, commit: str) -> None:
    url = {"url": "https://example.org/tool.git", "vcs_info": {"vcs": "git", "commit_id": commit * 40}}
    files = {
        "uv.lock": '[[package]]\nname = "tool"\nversion = "0.3"\n'
        f'source = {{ git = "https://example.org/tool.git#{"1" * 40}" }}\n',
        "poetry.lock": '[[package]]\nname = "tool"\nversion = "0.3"\n[package.source]\ntype = "git"\n'
        f'resolved_reference = "{"1" * 40}"\n',
        "pdm.lock": f'[[package]]\nname = "tool"\nversion = "0.3"\nrevision = "{"1" * 40}"\n',
        "pylock.toml": f'[[packages]]\nname = "tool"\n[packages.vcs]\ncommit-id = "{"1" * 40}"\n',
        "Pipfile.lock": f'{{"default": {{"tool": {{"git": "https://example.org/tool.git", "ref": "{"1" * 40}"}}}}}}',
        "requirements.txt": f"tool @ git+https://example.org/tool.git@{'1' * 40}\n",
        "requirements.in": f"-e git+https://example.org/tool.git@{'1' * 40}#egg=tool\n",
    }
    found = told(tmp_path, files, interpreter(distribution("tool", "0.3", direct_url=url)))
    assert found == ([] if commit == "1" else [f"{place}: source tool" for place in sorted(files, key=_order)])


def _order(place: str) -> int:
    order = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "requirements.txt", "requirements.in")
    return order.index(place)


POETRY = """\
# This file is automatically @generated by Poetry 2.1.3 and should not be changed by hand.

[[package]]
name = "click"
version = "8.1.7"
description = "Composable command line interface toolkit"
optional = false
python-versions = ">=3.7"
groups = ["main"]
files = []

[package.dependencies]
colorama = {version = "*", markers = "platform_system == \\"Windows\\""}

[[package]]
name = "colorama"
version = "0.4.6"
optional = false
python-versions = ">=2.7"
groups = ["main", "dev"]
markers = {main = "platform_system == \\"Windows\\"", dev = "sys_platform == \\"win32\\""}
files = []

[[package]]
name = "cycler"
version = "0.12.1"
optional = true
python-versions = ">=3.8"
groups = ["main"]
markers = "extra == \\"plot\\""
files = []

[[package]]
name = "iniconfig"
version = "2.0.0"
optional = false
python-versions = ">=3.7"
groups = ["dev"]
files = []

[metadata]
lock-version = "2.1"
python-versions = ">=3.11,<3.13"
content-hash = "00"
"""


def test_poetry(tmp_path: Path) -> None:
    assert told(tmp_path, {"poetry.lock": POETRY}, pins(click="8.1.7")) == []
    assert told(tmp_path, {"poetry.lock": POETRY}, pins(iniconfig="2.1.0")) == [
        "poetry.lock: missing click",
        "poetry.lock: version iniconfig",
    ]
    old = "\n".join(line for line in POETRY.splitlines() if not line.startswith("groups"))
    assert told(tmp_path, {"poetry.lock": old}, pins()) == [], "older locks don't tell what is wanted"
    [python] = drifts(tmp_path, {"poetry.lock": POETRY}, interpreter(distribution("click", "8.1.7"), version="3.13.0"))
    assert python.what == "Python >=3.11,<3.13 is declared, 3.13.0 is installed"


PDM = """\
[metadata]
groups = ["default", "dev"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
content_hash = "sha256:00"

[[metadata.targets]]
requires_python = ">=3.11"

[[package]]
name = "click"
version = "8.1.7"
requires_python = ">=3.7"
groups = ["default"]
files = []

[[package]]
name = "colorama"
version = "0.4.6"
groups = ["default"]
marker = "platform_system == \\"Windows\\""

[[package]]
name = "iniconfig"
version = "2.0.0"
groups = ["dev"]

[[package]]
name = "uvicorn"
version = "0.30.1"
groups = ["default"]

[[package]]
name = "uvicorn"
version = "0.30.1"
extras = ["standard"]
groups = ["default"]
"""


def test_pdm(tmp_path: Path) -> None:
    assert told(tmp_path, {"pdm.lock": PDM}, pins(click="8.1.7", uvicorn="0.30.1")) == []
    assert told(tmp_path, {"pdm.lock": PDM}, pins(click="8.1.8")) == [
        "pdm.lock: version click",
        "pdm.lock: missing uvicorn",
    ]


PIPFILE = """\
[packages]
click = ">=8"
uvicorn = {version = "*", extras = ["standard"]}
pywin32 = {version = "*", sys_platform = "== 'win32'"}
[dev-packages]
iniconfig = "*"
[requires]
python_version = "3.11"
"""
PIPFILE_LOCK = """\
{"_meta": {"pipfile-spec": 6, "requires": {"python_version": "3.11"}},
 "default": {
  "click": {"index": "pypi", "markers": "python_version >= '3.10'", "version": "==8.5.1", "hashes": ["sha256:00"]},
  "h11": {"markers": "python_version >= '3.8'", "version": "==0.16.0"},
  "pywin32": {"markers": "sys_platform == 'win32'", "version": "==311"},
  "uvicorn": {"extras": ["standard"], "version": "==0.54.0"}},
 "develop": {"iniconfig": {"version": "==2.3.1"}}}
"""


def test_pipenv(tmp_path: Path) -> None:
    files = {"Pipfile": PIPFILE, "Pipfile.lock": PIPFILE_LOCK}
    assert told(tmp_path, files, pins(click="8.5.1", h11="0.16.0", uvicorn="0.54.0")) == []
    found = drifts(tmp_path, files, interpreter(distribution("click", "7.0"), version="3.12.1"))
    assert [(one.place, one.kind, one.brief) for one in found] == [
        ("Pipfile", "version", "Python (declared 3.11, installed 3.12.1)"),
        ("Pipfile", "version", "click (declared >=8, installed 7.0)"),
        ("Pipfile", "missing", "uvicorn"),
        ("Pipfile.lock", "version", "Python (declared 3.11, installed 3.12.1)"),
        ("Pipfile.lock", "version", "click (declared 8.5.1, installed 7.0)"),
        ("Pipfile.lock", "missing", "h11 0.16.0"),
        ("Pipfile.lock", "missing", "uvicorn 0.54.0"),
    ]


PYLOCK = """\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.11"

[[packages]]
name = "click"
version = "8.5.1"
index = "https://pypi.org/simple"

[[packages]]
name = "pywin32"
version = "311"
marker = "sys_platform == 'win32'"

[[packages]]
name = "iniconfig"
version = "2.3.1"
marker = "'dev' in dependency_groups"
"""


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_pylock(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, {name: PYLOCK}, pins(click="8.5.1")) == []
    assert told(tmp_path, {name: PYLOCK}, pins()) == [f"{name}: missing click"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("uv.lock", "version = "),
        ("poetry.lock", "<<<<<<< HEAD"),
        ("Pipfile.lock", "{"),
        ("environment.yml", "dependencies: [a: b: c"),
        ("pyproject.toml", "[project\n"),
    ],
)
def test_files_that_cannot_be_read_are_told_and_stop_nothing(tmp_path: Path, name: str, content: str) -> None:
    [one] = drifts(tmp_path, {name: content}, pins())
    assert (one.kind, one.place) == ("unreadable", name)
    assert one.what.startswith("it can't be read (")


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "pyproject.toml", "Pipfile"])
@pytest.mark.parametrize("content", ["package = 1\npackages = 1\nproject = 1\ntool = 1\n", "[[package]]\nname = 1\n"])
def test_odd_shapes_say_nothing(tmp_path: Path, name: str, content: str) -> None:
    assert drifts(tmp_path, {name: content}, pins()) == []
