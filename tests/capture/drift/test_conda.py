"""Conda's files against what conda-meta says is installed: versions, builds, and packages that are not Python's."""

from dataclasses import replace
from pathlib import Path

import pytest
from rattler import LockFile, LockPlatform, PackageRecord, RepoDataRecord
from rattler.lock import LockChannel
from rattler.package import BuildString
from rattler.platform import Subdir

from repro.capture.drift import drift, drift_warnings
from repro.capture.drift.versions import conda_holds
from repro.export import conda_explicit, conda_lock
from tests.capture.drift.conda_environments import CHANNEL, INSTALLED, conda_environment, found, plain_environment, said
from tests.capture.drift.conda_environments import record as conda_record
from tests.capture.drift.projects import distribution, pins
from tests.export.conda_locks import AMD, conda_lock_lock

OTHERS = ("numpy=1.26.3=py311h_0", "libblas=3.9.0=20_mkl", "openssl=1.1.1v=hd590300_0", "python=3.11.7=h_cpython")


def url(label: str, subdir: str = "linux-64") -> str:
    return f"{CHANNEL}/{subdir}/{label.replace('=', '-')}.conda"


def locked(label: str, platform: str = "linux-64", category: str = "main", manager: str = "conda") -> str:
    name, version = label.split("=")[:2]
    return (
        f"- name: {name}\n  version: '{version}'\n  manager: {manager}\n  platform: {platform}\n  dependencies: {{}}\n"
        f"  url: {url(label, platform)}\n  hash:\n    md5: {'0' * 32}\n  category: {category}\n  optional: false\n"
    )


def as_conda_lock(*labels: str) -> str:
    elsewhere = locked("numpy=1.0=py27_0", "osx-arm64") + locked("libcxx=16.0=h_0", "osx-arm64")
    pip = locked("six=1.16.0=x", manager="pip") + locked("pytest=8.0=x", category="dev", manager="pip")
    return f"version: 1\nmetadata: {{}}\npackage:\n{''.join(map(locked, labels))}{elsewhere}{pip}"


def as_explicit(*labels: str) -> str:
    hashes = ["", f"#{'0' * 32}", f"#{'0' * 64}", ""]
    urls = "".join(f"{url(label)}{mark}\n" for label, mark in zip(labels, hashes, strict=True))
    return (
        f"# platform: linux-64\n@EXPLICIT\n{urls}# pip six @ https://x.org/six-1.16.0-py2.py3-none-any.whl#sha256=0\n"
    )


def as_pixi_5(*labels: str) -> str:
    lines = "".join(f"      - conda: {url(label)}\n" for label in labels)
    return (
        f"version: 5\nenvironments:\n  default:\n    packages:\n      osx-arm64:\n"
        f"      - conda: {url('libcxx=16.0=h_0', 'osx-arm64')}\n      linux-64:\n{lines}"
        f"      - pypi: https://x.org/six-1.16.0-py2.py3-none-any.whl\n      - conda: .\n"
        f"packages:\n- kind: pypi\n  name: six\n  version: 1.16.0\n  url: https://x.org/six-1.16.0-py2.py3-none-any.whl\n"
    )


def as_pixi(tmp_path: Path, *labels: str) -> str:
    """As pixi's own library writes it, for two platforms."""
    here, there = LockPlatform("my-linux", Subdir("linux-64")), LockPlatform("osx-arm64")
    file = LockFile([here, there])
    file.set_channels("default", [LockChannel(CHANNEL)])
    for platform, subdir, names in ((here, "linux-64", labels), (there, "osx-arm64", ("libcxx=16.0=h_0",))):
        for label in names:
            name, version, build = label.split("=")
            package = PackageRecord(name, version, BuildString(build), 0, subdir, None, None)
            archive = f"{name}-{version}-{build}.conda"
            file.add_conda_package("default", platform, RepoDataRecord(package, archive, url(label, subdir), CHANNEL))
    file.add_pypi_package("default", here, "six", "1.16.0", "https://x.org/six-1.16.0-py2.py3-none-any.whl")
    file.to_path(tmp_path / "written.lock")
    return (tmp_path / "written.lock").read_text(encoding="utf-8")


FORMS = {
    "conda-lock.yml": as_conda_lock,
    "cpu.conda-lock.yaml": as_conda_lock,
    "conda-linux-64.lock": as_explicit,
    "requirements.txt": as_explicit,
    "pixi.lock": as_pixi_5,
}


@pytest.mark.parametrize("name", FORMS)
def test_locks_of_condas_world(tmp_path: Path, name: str) -> None:
    """Each is read for the laptop's platform only, and its groups needn't be installed."""
    six = (distribution("six", "1.16.0"),)
    files = {name: FORMS[name](*INSTALLED)}
    assert found(tmp_path / "p", files, plain_environment(tmp_path / "same", pip=six)) == []
    other = found(tmp_path / "p", files, plain_environment(tmp_path / "other", *OTHERS))
    assert {one.place for one in other} == {name}
    assert said(other) == [
        "version warning: numpy 1.26.4 is declared, 1.26.3 is installed",
        "build warning: libblas 3.9.0=20_openblas is declared, 3.9.0=20_mkl is installed",
        "version warning: openssl 1.1.1w is declared, 1.1.1v is installed",
        "missing warning: six 1.16.0 is declared but not installed",
    ]
    [version, build, missing] = drift_warnings(other)
    assert "numpy (declared 1.26.4, installed 1.26.3), openssl (declared 1.1.1w, installed 1.1.1v)" in version
    assert build.startswith(f"{name}: libblas 3.9.0=20_openblas is declared")
    assert "six 1.16.0" in missing


def test_what_pixis_own_library_writes_is_read_too(tmp_path: Path) -> None:
    """Its version 7, in which platforms have names."""
    files = {"pixi.lock": as_pixi(tmp_path, *INSTALLED)}
    assert "version: 7" in files["pixi.lock"]
    assert said(found(tmp_path / "p", files, plain_environment(tmp_path / "env", *INSTALLED[:1], OTHERS[1]))) == [
        "build warning: libblas 3.9.0=20_openblas is declared, 3.9.0=20_mkl is installed",
        "missing warning: openssl 1.1.1w is declared but not installed",
        "missing warning: python 3.11.7 is declared but not installed",
        "missing warning: six 1.16.0 is declared but not installed",
    ]


def test_of_pixis_environments_the_one_in_use_counts(tmp_path: Path) -> None:
    default = f"  default:\n    packages:\n      linux-64:\n      - conda: {url(INSTALLED[1])}\n"
    mkl = f"  mkl:\n    packages:\n      linux-64:\n      - conda: {url(OTHERS[1])}\n"
    files = {"pixi.lock": f"version: 6\nenvironments:\n{default}{mkl}packages: []\n"}
    envs = tmp_path / "p" / ".pixi" / "envs"
    assert found(tmp_path / "p", files, plain_environment(envs / "mkl", OTHERS[1])) == []
    for name in ("default", "of-condas-own"):
        drifts = found(tmp_path / "p", files, plain_environment(envs / name, OTHERS[1]))
        assert [one.kind for one in drifts] == ["build"]


def test_our_own_exports_are_read_back(tmp_path: Path) -> None:
    lock = conda_lock_lock()
    labels = [one.label for one in lock.conda if one.target == AMD]
    six = (distribution("six", "1.10"),)
    environment = conda_environment(tmp_path / "env", *map(conda_record, labels), pip=six)
    files = {"conda-lock.yml": conda_lock(lock), "linux.txt": conda_explicit(lock, AMD)}
    assert found(tmp_path / "p", files, environment) == []
    [gone] = found(tmp_path / "p", {}, conda_environment(tmp_path / "less", *map(conda_record, labels[1:]), pip=six))[
        :1
    ]
    assert gone.what == "python 3.11.7 is declared but not installed"


def test_an_explicit_file_of_another_platform_and_other_text_files_say_nothing(tmp_path: Path) -> None:
    files = {
        "conda-osx-64.lock": f"@EXPLICIT\n{url('numpy=1.0=py_0', 'osx-64')}\n",
        "said.txt": f"# platform: osx-arm64\n@EXPLICIT\n{url('numpy=1.0=py_0', 'noarch')}\n",
        "notes.txt": f"We once wrote @EXPLICIT here.\n{url('numpy=1.0=py_0')}\n",
        "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
    }
    assert found(tmp_path / "p", files, plain_environment(tmp_path / "env")) == []


def test_without_a_platform_line_the_archives_tell_it(tmp_path: Path) -> None:
    text = f"@EXPLICIT\n{url('tzdata=2024a=h_0', 'noarch')}\n{url('numpy=1.0=py_0', 'linux-64')}\n"
    assert [one.package for one in found(tmp_path / "p", {"x.txt": text}, plain_environment(tmp_path / "env"))] == [
        "tzdata",
        "numpy",
    ]


@pytest.mark.parametrize(("name", "newest"), [("conda-lock.yml", "1 is known"), ("pixi.lock", "4 to 7 are known")])
def test_a_version_of_a_lock_that_is_not_known_is_told(tmp_path: Path, name: str, newest: str) -> None:
    [one] = found(tmp_path / "p", {name: "version: 99\npackages: []\n"}, plain_environment(tmp_path / "env"))
    assert (one.kind, one.place) == ("unreadable", name)
    assert "version 99" in one.what
    assert newest in one.what


@pytest.mark.parametrize("name", ["conda-lock.yml", "pixi.lock"])
@pytest.mark.parametrize(
    "text", ["[", "version: 1\npackage: 3\n", "version: 6\nenvironments: [1]\npackages: x\n", "- 1\n"]
)
def test_odd_shapes_stop_nothing(tmp_path: Path, name: str, text: str) -> None:
    drifts = found(tmp_path / "p", {name: text}, plain_environment(tmp_path / "env"))
    assert all(one.kind == "unreadable" for one in drifts)


ENVIRONMENT = """\
name: laptop
channels: [conda-forge]
dependencies:
  - python=3.11
  - numpy=1.26
  - conda-forge::libblas=*=*openblas
  - openssl >= 1.1.1, <2 hd590300_0
  - cudatoolkit=11.8
  - pip:
    - six==1.16.0
"""


def test_an_environment_file_is_held_against_what_conda_installed(tmp_path: Path) -> None:
    files = {"environment.yml": ENVIRONMENT}
    six = (distribution("six", "1.16.0"),)
    there = plain_environment(tmp_path / "env", *INSTALLED, "cudatoolkit=11.8.0=h_0", pip=six)
    assert found(tmp_path / "p", files, there) == []
    others = ("numpy=2.0.1=py311h_0", OTHERS[1], "openssl=1.1.1v=h0_1", "python=3.12.1=h_cpython")
    assert said(found(tmp_path / "p", files, plain_environment(tmp_path / "other", *others, pip=six))) == [
        "version warning: python 3.11 is declared, 3.12.1 is installed",
        "version warning: numpy 1.26 is declared, 2.0.1 is installed",
        "build warning: libblas *=*openblas is declared, 3.9.0=20_mkl is installed",
        "build warning: openssl >=1.1.1,<2 hd590300_0 is declared, 1.1.1v=h0_1 is installed",
        "missing warning: cudatoolkit 11.8 is declared but not installed",
    ]


def test_what_pip_installed_in_a_conda_packages_place_counts(tmp_path: Path) -> None:
    files = {"conda-lock.yml": f"version: 1\npackage:\n{locked('pillow=10.0.0=py_0')}"}
    by_pip = plain_environment(tmp_path / "env", pip=(distribution("pillow", "10.1.0"),))
    assert said(found(tmp_path / "p", files, by_pip)) == [
        "version warning: pillow 10.0.0 is declared, 10.1.0 is installed"
    ]


def test_conda_meta_is_not_believed_of_what_pip_has_replaced(tmp_path: Path) -> None:
    """Unless pip's package only has the name: graphviz is a program of conda's, and a Python package of PyPI's."""
    numpy, graphviz = conda_record(INSTALLED[0], ("numpy",), ("python",)), conda_record("graphviz=9.0=h_0")
    files = {"environment.yml": "dependencies: [numpy=1.26, graphviz=9]\n"}
    there = conda_environment(tmp_path / "env", numpy, graphviz, pip=(distribution("graphviz", "0.20"),))
    assert found(tmp_path / "p", files, there) == []
    by_pip = [replace(one, version="2.0.2", installer="pip") for one in there.distributions if one.name == "numpy"]
    others = [one for one in there.distributions if one.name != "numpy"]
    assert said(found(tmp_path / "p", files, replace(there, distributions=(*by_pip, *others)))) == [
        "version warning: numpy 1.26 is declared, 2.0.2 is installed"
    ]


@pytest.mark.parametrize(
    ("spec", "difference"),
    [
        ("numpy[version='>=1.26, <2', build_number=0]", None),
        ("numpy[version='>=2',build='py311*']", "version warning: numpy >=2 is declared, 1.26.4 is installed"),
        ("libblas[build=*mkl]", "build warning: libblas build *mkl is declared, 3.9.0=20_openblas is installed"),
        ("conda-forge::libblas 3.9.*[build=*openblas]", None),
    ],
)
def test_what_a_specification_says_in_brackets_counts(tmp_path: Path, spec: str, difference: str | None) -> None:
    files = {"environment.yml": f'dependencies:\n- "{spec}"\n-\n- 3\n'}
    drifts = found(tmp_path / "p", files, plain_environment(tmp_path / "env"))
    assert said(drifts) == ([difference] if difference else [])


def test_an_environment_file_may_name_archives(tmp_path: Path) -> None:
    lines = "".join(f"- {url(one)}\n" for one in (OTHERS[0], "tqdm=4.66=py_0"))
    drifts = found(tmp_path / "p", {"environment.yml": f"dependencies:\n{lines}"}, plain_environment(tmp_path / "env"))
    assert said(drifts) == [
        "version warning: numpy 1.26.3 is declared, 1.26.4 is installed",
        "missing warning: tqdm 4.66 is declared but not installed",
    ]


def test_a_file_that_an_environment_file_includes_and_that_is_not_there_is_told(tmp_path: Path) -> None:
    files = {"environment.yml": "dependencies:\n- numpy=1.0\n- pip:\n  - -r gone.txt\n  - six==1\n"}
    assert said(found(tmp_path / "p", files, plain_environment(tmp_path / "env"))) == [
        "unreadable warning: it includes gone.txt, which isn't there",
        "version warning: numpy 1.0 is declared, 1.26.4 is installed",
        "missing warning: six ==1 is declared but not installed",
    ]


def test_without_conda_a_conda_file_is_compared_by_python_packages_only(tmp_path: Path) -> None:
    files = {"conda-lock.yml": as_conda_lock(*INSTALLED)}
    assert said(found(tmp_path, files, pins(numpy="1.26.3", six="1.16.0"))) == [
        "version warning: numpy 1.26.4 is declared, 1.26.3 is installed"
    ]


def test_a_laptop_of_another_platform_reads_its_own_part(tmp_path: Path) -> None:
    laptop = replace(plain_environment(tmp_path / "env", "numpy=1.26.4=py311h_0"), system="Darwin", machine="arm64")
    assert [one.what for one in found(tmp_path / "p", {"conda-lock.yml": as_conda_lock(*INSTALLED)}, laptop)] == [
        "numpy 1.0 is declared, 1.26.4 is installed",
        "libcxx 16.0 is declared but not installed",
    ]


def test_python_packages_that_the_run_did_not_import_are_notes_and_libraries_are_not(tmp_path: Path) -> None:
    files = {"conda-lock.yml": f"version: 1\npackage:\n{''.join(map(locked, INSTALLED))}{locked('tqdm=1.0=py_0')}"}
    tqdm = conda_record("tqdm=1.1=py_0", ("tqdm",), ("python >=3.8",))
    blas, numpy = conda_record(OTHERS[1]), conda_record(OTHERS[0], ("numpy",), ("python",))
    rest = map(conda_record, INSTALLED[2:])
    environment = conda_environment(tmp_path / "env", tqdm, blas, numpy, *rest)
    drifts = found(tmp_path / "p", files, environment, **{"conda:numpy": ("numpy",)})
    assert [(one.package, one.level) for one in drifts] == [
        ("numpy", "warning"),
        ("libblas", "warning"),
        ("tqdm", "note"),
    ]


def test_a_conda_package_declares_the_projects_that_it_brings_and_what_it_needs(tmp_path: Path) -> None:
    """pytorch brings torch; pandas comes with what was asked for; only rich is there by accident."""
    environment = conda_environment(
        tmp_path / "env",
        conda_record("pytorch=2.3.1=cpu_0", ("torch",), ("python", "sympy >=1.12")),
        conda_record("sympy=1.12=py_0", ("sympy",), ("python",)),
        conda_record("pandas=2.2=py_0", ("pandas",), ("python",)),
        conda_record("stack=1=0", (), ("conda-forge::pandas[version='>=2']",)),
        conda_record("rich=13=py_0", ("rich",), ("python",)),
    )
    files = {"environment.yml": "dependencies: [pytorch, stack]\n"}
    modules = {name: (name,) for name in ("conda:sympy", "conda:pandas", "rich")} | {"conda:pytorch": ("torch",)}
    drifts = found(tmp_path / "p", files, environment, **modules)
    assert [(one.kind, one.package) for one in drifts] == [("undeclared", "rich")]
    torch = {"pyproject.toml": "[project]\ndependencies = ['torch', 'pandas', 'sympy', 'rich']\n"}
    assert found(tmp_path / "q", torch, environment, **modules) == []
    sources = ("import torch\n",)
    assert list(drift(tmp_path / "p", environment, {"conda:pytorch": ("torch",)}, sources)) == []


def test_damaged_records_stop_no_comparison(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path / "env")
    (tmp_path / "env" / "conda-meta" / "numpy.json").write_text("{", encoding="utf-8")
    drifts = found(tmp_path / "p", {"conda-lock.yml": as_conda_lock(*INSTALLED)}, environment)
    assert [one.package for one in drifts] == ["six"]


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        ("", "9e", None),
        ("*", "9e", None),
        ("=*", "2024a", None),
        ("=9e", "9e", "9f"),
        ("==1.1.1w", "1.1.1w", "1.1.1v"),
        ("==1!2.3", "1!2.3", "1!2.4"),
        ("=1.26", "1.26.4", "1.27"),
        ("1.26.*", "1.26", "1.2"),
        ("==1.26", "1.26.0", "1.26.4"),
        (">=1.20,<2", "1.26.4", "2.0"),
        ("1.1|2.0", "2.0.1", "3"),
        (">=1.1.1", "1.1.1w", None),  # an order that can't be told
        ("!=1.5", "1.6", "1.5"),
    ],
)
def test_conditions_on_versions_that_are_no_python_projects(condition: str, inside: str, outside: str | None) -> None:
    assert conda_holds(condition, inside)
    assert outside is None or not conda_holds(condition, outside)
