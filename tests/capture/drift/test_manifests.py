"""What people write by hand: pyproject.toml, requirements files, environment.yml."""

from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.drift import drift_warnings
from repro.capture.drift.versions import conda_specifiers, poetry_specifiers
from tests.capture.drift.projects import distribution, drifts, interpreter, pins, told

PYPROJECT = """\
[project]
name = "laptop"
requires-python = ">=3.11"
dependencies = ["NumPy>=1.26,<2", "pandas[excel]~=2.1", "appnope; sys_platform == 'darwin'", "not a requirement !"]
[project.optional-dependencies]
plot = ["matplotlib>=3.8"]
[dependency-groups]
dev = ["pytest>=8", {include-group = "lint"}]
lint = ["ruff"]
[tool.uv]
dev-dependencies = ["mypy>=1"]
[tool.pdm.dev-dependencies]
more = ["tox>=4"]
"""


def test_pyproject(tmp_path: Path) -> None:
    files = {"pyproject.toml": PYPROJECT}
    assert told(tmp_path, files, pins(numpy="1.26.4", pandas="2.2.0")) == []
    wrong = pins(numpy="2.0.0", matplotlib="3.7", pytest="7.4", mypy="0.9", tox="3", ruff="0.1")
    assert told(tmp_path, files, wrong) == [
        f"pyproject.toml: {what}"
        for what in (
            "version numpy",
            "missing pandas",
            "version matplotlib",
            "version pytest",
            "version tox",
            "version mypy",
        )
    ]
    [python] = drifts(
        tmp_path, files, interpreter(*pins(numpy="1.26.4", pandas="2.2.0").distributions, version="3.10.1")
    )
    assert python.brief == "Python (declared >=3.11, installed 3.10.1)"


POETRY = """\
[tool.poetry.dependencies]
python = "^3.11"
numpy = "^1.26"
pandas = {version = "~2.1", extras = ["excel"]}
scipy = [
    {version = "1.9.*", python = "<3.11"},
    {version = ">=1.11,<1.13 || ^1.14.1", python = ">=3.11"},
]
appnope = {version = "*", markers = "sys_platform == 'darwin'"}
matplotlib = {version = "3.8.0", optional = true}
helper = {path = "libs/helper", develop = true}
[tool.poetry.group.dev.dependencies]
pytest = "^8.0"
"""


def test_poetrys_own_tables(tmp_path: Path) -> None:
    files = {"pyproject.toml": POETRY, "libs/helper/pyproject.toml": ""}
    helper = distribution("helper", editable=True, source_tree=tmp_path / "libs" / "helper")
    good = pins(numpy="1.26.4", pandas="2.1.9", scipy="1.14.5").distributions
    assert told(tmp_path, files, interpreter(helper, *good)) == []
    bad = pins(numpy="2.0", pandas="2.2.0", scipy="1.13.0", matplotlib="3.8.1", pytest="7", helper="1.0")
    assert told(tmp_path, files, bad) == [
        f"pyproject.toml: {what}"
        for what in (
            "version numpy",
            "version pandas",
            "version scipy",
            "version matplotlib",
            "source helper",
            "version pytest",
        )
    ]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2.3", "1.9.0", "2.0.0"),
        ("^0.2.3", "0.2.9", "0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0", "0.9", "1.0"),
        ("~1.2.3", "1.2.9", "1.3.0"),
        ("~1", "1.9", "2.0"),
        ("1.2.*", "1.2.7", "1.3"),
        ("1.2.3", "1.2.3", "1.2.4"),
        (">=1.2,<1.5", "1.4", "1.5"),
        ("^1.0 || ^3.0", "3.1", "2.0"),
        ("~=1.4", "1.9", "2.0"),
        ("!=1.5", "1.4", "1.5"),
    ],
)
def test_poetrys_constraints(text: str, inside: str, outside: str) -> None:
    allowed = poetry_specifiers(text)
    assert [any(one.contains(version) for one in allowed) for version in (inside, outside)] == [True, False]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.26", "1.26.4", "1.27"),
        ("=1.26", "1.26.4", "1.27"),
        ("1.26.*", "1.26.4", "1.27"),
        ("=1.26*", "1.26.4", "1.27"),
        ("==1.26.4", "1.26.4", "1.26.5"),
        (">=1.20,<2", "1.26", "2.0"),
        ("1.1|1.3", "1.3.5", "1.2"),
    ],
)
def test_condas_versions(text: str, inside: str, outside: str) -> None:
    allowed = conda_specifiers(text)
    assert [any(one.contains(version) for one in allowed) for version in (inside, outside)] == [True, False]


@pytest.mark.parametrize("text", ["*", "", "what ever", "^x", "latest"])
def test_what_no_specifier_says_allows_everything(text: str) -> None:
    assert any(one.contains("99.9") for one in poetry_specifiers(text))


REQUIREMENTS = """\
# pinned by hand
numpy==1.26.4 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000 \\
    --hash=sha256:1111111111111111111111111111111111111111111111111111111111111111
pandas[excel] >= 2.1   # the one that works
appnope; sys_platform == "darwin"
--extra-index-url https://example.org/simple
-r more/base.txt
-c constraints.txt
-e ./libs/helper
-e libs/other[extra]
torch @ https://example.org/whl/torch-2.1.0%2Bcpu-cp311-cp311-linux_x86_64.whl
https://example.org/files/archived-1.0.tar.gz
git+https://example.org/tool.git@main#egg=tool
./vendored/one-1.0-py3-none-any.whl
"""
NESTED = {
    "requirements.txt": REQUIREMENTS,
    "more/base.txt": "scipy<1.12\n-r ../requirements.txt\n",
    "constraints.txt": "scipy>=1.10\nseaborn==0.13.0\n",
    "libs/helper/pyproject.toml": "",
    "libs/other/pyproject.toml": "",
}


def test_requirements_files(tmp_path: Path) -> None:
    trees = [distribution(name, editable=True, source_tree=tmp_path / "libs" / name) for name in ("helper", "other")]
    names = pins(numpy="1.26.4", pandas="2.2", scipy="1.11", torch="2.1.0+cpu", archived="1.0", tool="1", one="1.0")
    assert told(tmp_path, NESTED, interpreter(*trees, *names.distributions)) == []
    found = drifts(
        tmp_path, NESTED, interpreter(trees[0], *pins(numpy="1.26.5", scipy="1.9", seaborn="0.12").distributions)
    )
    assert [(one.place, one.kind, one.package, one.brief) for one in found] == [
        ("requirements.txt", "version", "numpy", "numpy (declared ==1.26.4, installed 1.26.5)"),
        ("requirements.txt", "missing", "pandas", "pandas >=2.1"),
        ("constraints.txt", "version", "scipy", "scipy (declared >=1.10, installed 1.9)"),
        ("constraints.txt", "version", "seaborn", "seaborn (declared ==0.13.0, installed 0.12)"),
        ("requirements.txt", "missing", "", "libs/other[extra]"),
        ("requirements.txt", "missing", "torch", "torch"),
        ("requirements.txt", "missing", "archived", "archived"),
        ("requirements.txt", "missing", "tool", "tool"),
        ("requirements.txt", "missing", "one", "one"),
    ]
    assert found[0].cure == "run `pip install -r requirements.txt`, or correct it there"


@pytest.mark.parametrize("name", ["requirements-dev.txt", "requirements/test.txt", "test-requirements.txt"])
def test_files_for_other_occasions_want_nothing_but_still_constrain(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, {name: "pytest>=8\n"}, pins()) == []
    assert told(tmp_path, {name: "pytest>=8\n"}, pins(pytest="7.0")) == [f"{name}: version pytest"]


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements/base.txt", "requirements.in", "requirements_prod.txt"]
)
def test_files_for_everybody_want_what_they_name(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, {name: "pytest>=8\n"}, pins()) == [f"{name}: missing pytest"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_windows_writes(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "requirements.txt").write_bytes("six==1.0\r\nnumpy==1\r\n".encode(encoding))
    assert told(tmp_path, {}, pins(six="1.0", numpy="2")) == ["requirements.txt: version numpy"]


def test_setuptools_takes_them_from_a_file(tmp_path: Path) -> None:
    dynamic = '[tool.setuptools.dynamic]\ndependencies = {file = ["deps.txt"]}\n'
    files = {"pyproject.toml": dynamic, "deps.txt": "six==1.16\n"}
    assert told(tmp_path, files, pins(six="1.17")) == ["deps.txt: version six"]


ENVIRONMENT = """\
name: laptop
channels: [conda-forge]
dependencies:
  - python=3.11
  - numpy=1.26
  - conda-forge::scipy==1.11.4=py311h64a7726_0
  - pandas >=2.1,<3
  - cudatoolkit=11.8
  - pip
  - pip:
    - six==1.16.0
    - -r more.txt
"""


def test_conda_environments(tmp_path: Path) -> None:
    files = {"environment.yml": ENVIRONMENT, "more.txt": "tool>=2\n"}
    assert told(tmp_path, files, pins(numpy="1.26.4", scipy="1.11.4", pandas="2.2", six="1.16.0", pip="24")) == []
    other = interpreter(*pins(numpy="1.27.0", scipy="1.11.3", pandas="3.0", tool="1").distributions, version="3.12.0")
    assert told(tmp_path, files, other) == [
        "environment.yml: version python",
        "environment.yml: version numpy",
        "environment.yml: version scipy",
        "environment.yml: version pandas",
        "environment.yml: missing six",
        "more.txt: version tool",
    ]


def test_windows_markers_are_those_of_the_laptop(tmp_path: Path) -> None:
    files = {"requirements.txt": "pywin32; sys_platform == 'win32'\nuvloop; sys_platform != 'win32'\n"}
    assert told(tmp_path, files, pins()) == ["requirements.txt: missing uvloop"]
    assert told(tmp_path, files, replace(pins(), system="Windows")) == ["requirements.txt: missing pywin32"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "numpy==1.24.4; python_version < '3.9'\nnumpy==1.26.4; python_version >= '3.9'\n"),
        (
            "pyproject.toml",
            "[project]\ndependencies = [\"numpy==1.24.4; python_version < '3.9'\", \"numpy; python_version > '3'\"]\n",
        ),
        ("pyproject.toml", '[tool.poetry.dependencies]\nnumpy = {version = "1.24.4", python = "<3.9"}\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\nnumpy = {version = "1.24.4", markers = "os_name == \'nt\'"}\n'),
        ("Pipfile", '[packages]\nnumpy = {version = "==1.24.4", sys_platform = "== \'win32\'"}\n'),
        ("environment.yml", "dependencies: [{pip: [\"numpy==1.24.4; sys_platform == 'win32'\"]}]\n"),
    ],
)
def test_what_is_declared_for_other_platforms_constrains_nothing_here(tmp_path: Path, name: str, text: str) -> None:
    assert told(tmp_path, {name: text}, pins(numpy="1.26.4"), "numpy") == []


def test_what_a_requirements_file_has_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    text = (
        "-r missing.txt\n-c https://me:secret@host/c.txt\n-r ${HERE}/x.txt\n--index-url https://host/simple\n"
        "numpy==1.26\nnumpy = 1.26\nscikit learn\n./gone\n-e ./gone/too\n./here\n-r more.txt\ngit+https://host/x@v1\n"
    )
    files = {"requirements.txt": text, "more.txt": "-r requirements.txt\npandas=2\n", "here/setup.py": ""}
    found = drifts(tmp_path, files, pins(numpy="1.26"))
    assert [(one.place, one.what) for one in found] == [
        ("requirements.txt", "it includes missing.txt, which isn't there"),
        ("requirements.txt", "it includes https://host/c.txt, which nobody fetched"),
        ("requirements.txt", "'numpy = 1.26' is no requirement"),
        ("requirements.txt", "'scikit learn' is no requirement"),
        ("requirements.txt", "it names ./gone, which isn't there"),
        ("requirements.txt", "it names ./gone/too, which isn't there"),
        ("more.txt", "'pandas=2' is no requirement"),
    ]
    first, second = drift_warnings(found)
    assert first.startswith("requirements.txt: not everything in it can be read: it includes missing.txt, which isn't")
    assert second == "more.txt: 'pandas=2' is no requirement; correct it, since nothing was compared with that part"
