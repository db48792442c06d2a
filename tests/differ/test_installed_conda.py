"""Conda packages of a lock against an environment's records: of the lock's platforms, and of other laptops."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.capture.conda.installed import with_conda
from repro.capture.config import Config
from repro.capture.interpreter import platform_of
from repro.capture.model import Interpreter
from repro.capture.probe import probe
from repro.conda.environment import CondaPrefix
from repro.conda.records import Record
from repro.differ import Change, Side, difference
from repro.differ.check.changed import package_findings
from repro.differ.check.model import Finding
from repro.differ.installed import installed_packages
from repro.differ.installed_conda import installed_conda
from repro.differ.state import locked_state
from repro.differ.tree import TreeOptions, read_tree
from repro.digest import Digest
from repro.lock import CondaPackage, CondaPatch, Lock
from repro.plan import layout
from repro.progress import Silent
from tests.conda_channel.environments import activated, make_environment, pip_install
from tests.conda_channel.shared import Channels
from tests.differ import projects
from tests.differ.samples import contents
from tests.lock.samples import conda_package, digest

SUBDIRS = {"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64"}
OWN = platform_of(projects.interpreter())
OTHER = next(target for target in SUBDIRS if target != OWN)
HERE = f"linux-{'64' if OWN == 'linux/amd64' else 'aarch64'}"


def record(name: str, version: str, build: str, **more: Any) -> Record:
    file = f"{name}-{version}-{build}"
    url = f"https://conda.anaconda.org/conda-forge/{HERE}/{file}.conda"
    plain = Record(Path(__file__), name, version, build, 0, HERE, "conda-forge", url, f"{file}.conda")
    return replace(plain, sha256=digest(f"{file}.conda"), **more)


def locked(name: str, version: str, build: str, target: str = OWN, **more: Any) -> CondaPackage:
    return conda_package(name, version, build, target=target, subdir=SUBDIRS[target], **more)


def environment(*records: Record) -> Interpreter:
    return replace(projects.interpreter(), conda=CondaPrefix(Path("/opt/laptop"), records))


def changes(lock: Lock, interpreter: Interpreter) -> list[Change]:
    side = Side("a", "lock", f"sha256:{'a' * 64}")
    before = locked_state(side, lock, contents({}))
    now = replace(lock, conda=installed_conda(interpreter, lock))
    after = locked_state(replace(side, digest=f"sha256:{'b' * 64}", kind="tree"), now, contents({}))
    return [change for section in difference(before, after).sections for change in section.changes]


def lock_of(*packages: CondaPackage, targets: tuple[str, ...] = (OWN,)) -> Lock:
    return replace(projects.lock(), conda=packages, targets=targets)


def told(lock: Lock, *records: Record) -> list[tuple[str, str, str]]:
    return [(one.what, one.kind, one.aspect) for one in changes(lock, environment(*records))]


def test_an_environment_that_is_as_locked_shows_no_difference() -> None:
    lock = lock_of(locked("pandas", "2.2.1", "py311_0"), locked("zlib", "1.3", "h_0", channel="file", url=None))
    assert told(lock, record("pandas", "2.2.1", "py311_0"), record("zlib", "1.3", "h_0")) == []
    unsaid = replace(record("pandas", "2.2.1", "py311_0"), sha256=None)
    assert told(lock, unsaid, record("zlib", "1.3", "h_0")) == []


def test_what_changed_since_is_told_package_by_package() -> None:
    lock = lock_of(
        locked("libblas", "3.9.0", "22_linux64_openblas"),
        locked("numpy", "1.26.4", "py311_0"),
        locked("pandas", "2.2.1", "py311_0"),
        locked("zlib", "1.3", "h_0"),
        locked("zstd", "1.5", "h_0"),
    )
    rebuilt = replace(record("zstd", "1.5", "h_0"), sha256=digest("other"))
    now = (
        record("libblas", "3.9.0", "20_linux64_mkl"),
        record("numpy", "1.26.4", "py311_1"),
        record("pandas", "2.2.2", "py311_0"),
        record("scipy", "1.13", "py311_0"),
        rebuilt,
    )
    assert told(lock, *now) == [
        ("libblas", "changed", "blas"),
        ("numpy", "changed", "build"),
        ("pandas", "changed", "version"),
        ("scipy", "added", "version"),
        ("zlib", "removed", "version"),
        ("zstd", "changed", "rebuilt"),
    ]


def test_on_another_platform_the_laptop_has_to_have_what_was_captured() -> None:
    lock = lock_of(
        locked("numpy", "1.26.4", "py311_0", OTHER, captured="1.26.4 py311_7"),
        locked("tzdata", "2024a", "h_0", OTHER),
        locked("libgcc", "14", "h_0", OTHER, captured=""),
        targets=(OTHER,),
    )
    same = (record("numpy", "1.26.4", "py311_7"), record("tzdata", "2024a", "h_0"), record("libcxx", "18", "h_0"))
    assert told(lock, *same) == []
    assert told(lock, record("numpy", "1.26.5", "py311_7"), *same[1:]) == [("numpy", "changed", "captured")]
    assert told(lock, same[1]) == [("numpy", "removed", "version")]
    assert told(lock, *same, record("libgcc", "14", "h_0")) == [("libgcc", "changed", "captured")]


def test_of_several_platforms_the_laptops_own_is_compared() -> None:
    lock = lock_of(
        locked("numpy", "1.26.4", "py311_0"),
        locked("numpy", "1.26.4", "py311_3", OTHER, captured="1.26.4 py311_0"),
        targets=(OWN, OTHER),
    )
    (change,) = changes(lock, environment(record("numpy", "1.26.5", "py311_0")))
    assert (change.before, change.after, change.note) == ("1.26.4", "1.26.5", f"conda, transitive, {OWN}")


def test_one_that_conda_did_not_make_has_none() -> None:
    assert installed_conda(projects.interpreter(), lock_of(locked("numpy", "1.26.4", "py311_0"))) == ()


@pytest.fixture(scope="module")
def laptop(conda_channel: Channels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real environment."""
    prefix = tmp_path_factory.mktemp("laptop") / "env"
    make_environment(conda_channel.url, ["python=3.11", "pip", "libblas * *openblas"], prefix, conda_channel.cache)
    return prefix


@pytest.fixture(scope="module")
def interpreter(laptop: Path) -> Interpreter:
    return with_conda(probe(laptop / "bin/python", cwd=laptop, env=activated(laptop)), Silent())


def of_records(interpreter: Interpreter) -> Iterator[CondaPackage]:
    """What a lock of an environment has, as far as differences go."""
    assert interpreter.conda is not None
    for one in interpreter.conda.records:
        subdir = one.subdir
        more = {"sha256": one.sha256, "requested": one.name in interpreter.conda.asked, "file": one.archive}
        yield replace(
            conda_package(one.name, one.version, one.build), target=OWN, subdir=subdir, channel="file", **more
        )


def findings(root: Path, lock: Lock, laptop: Path) -> list[Finding]:
    projects.write(root, lock)
    options = TreeOptions(python=laptop / "bin/python", surroundings=False, environ=activated(laptop))
    tree = read_tree(root, lock, Side("tree", "tree", f"sha256:{'b' * 64}"), options, Silent())
    before = locked_state(Side("lock", "lock", f"sha256:{'a' * 64}"), lock, contents({}))
    found = {section.group: section.changes for section in difference(before, tree.state).sections}
    return list(package_findings(tree, found))


def conda_lock(interpreter: Interpreter, *packages: CondaPackage) -> Lock:
    base = projects.lock()
    return replace(base, conda=packages, python=replace(base.python, version=interpreter.version, supply="conda"))


def test_a_real_environment_is_compared_without_what_came_with_conda(
    laptop: Path, interpreter: Interpreter, tmp_path: Path
) -> None:
    """pip is a conda package there, and no wheel."""
    assert {one.name for one in interpreter.distributions} >= {"pip"}
    lock = conda_lock(interpreter, *of_records(interpreter))
    assert installed_packages(interpreter, lock, Config(), tmp_path) == ()
    assert findings(tmp_path, lock, laptop) == []


def test_each_difference_of_a_real_environment_has_its_cure(
    laptop: Path, interpreter: Interpreter, tmp_path: Path
) -> None:
    changed: dict[str, dict[str, object]] = {
        "pip": {"version": "9.0"},
        "libblas": {"build": "1_mkl"},
        "libopenblas": {"sha256": digest("other")},
    }
    locked_edit = CondaPatch("lib/x.txt", digest("x"), 1)
    changed["python"] = {"without": ("lib/gone.txt",), "patched": (locked_edit,)}
    packages = [replace(one, **changed.get(one.name, {})) for one in of_records(interpreter)]  # type: ignore[arg-type]
    packages.append(replace(conda_package("zlib", "1.3", "h_0"), target=OWN))
    found = {one.subject: one for one in findings(tmp_path, conda_lock(interpreter, *packages), laptop)}
    assert found["libblas"].cure == 'conda install "libblas=3.9.0=1_mkl", or capture again'
    assert found["libblas"].what.startswith("it computes with openblas, 3.9.0 ")
    assert found["pip"].cure == 'conda install "pip=9.0", or capture again'
    assert found["zlib"].cure == 'conda install "zlib=1.3=h_0", or capture again'
    assert "another archive of the same build" in found["libopenblas"].what
    assert found["libopenblas"].cure == "conda install --force-reinstall libopenblas, or capture again"
    assert found["python"].cure.endswith("capture again, or put the edits back")
    assert set(found) == {"libblas", "libopenblas", "pip", "python", "zlib"}


def test_files_that_are_gone_edited_or_a_wheels_by_now_are_told(conda_channel: Channels, tmp_path: Path) -> None:
    prefix = tmp_path / "env"
    make_environment(conda_channel.url, ["python=3.11", "pip", "libdemo"], prefix, conda_channel.cache, copy=True)

    def now() -> Interpreter:
        return with_conda(probe(prefix / "bin/python", cwd=prefix, env=activated(prefix)), Silent())

    lock = lock_of(*of_records(now()))
    assert changes(lock, now()) == []
    (site,) = prefix.glob("lib/python3*/site-packages")
    (prefix / "share/libdemo/data.txt").write_text(f"edited in {prefix}")
    (prefix / "bin/libdemo-show").unlink()
    edited = {(one.what, one.aspect): one for one in changes(lock, now())}
    assert edited["libdemo", "patched"].details == ("edited: share/libdemo/data.txt",)
    assert edited["libdemo", "without"].details == ("left out: bin/libdemo-show",)
    content = f"edited in {layout.ENVIRONMENT}".encode()
    patch = CondaPatch("share/libdemo/data.txt", Digest.of(content), len(content))
    known = [
        replace(one, patched=(patch,), without=("bin/libdemo-show",)) if one.name == "libdemo" else one
        for one in lock.conda
    ]
    assert changes(replace(lock, conda=tuple(known)), now()) == []
    for path in site.glob("pip*"):
        shutil.rmtree(path)
    for path in prefix.glob("bin/pip*"):
        path.unlink()
    gone = [one for one in known if one.name != "pip"]
    assert changes(replace(lock, conda=tuple(gone)), now()) == []


def test_what_pip_put_in_the_place_of_condas_is_told_once_with_a_cure_that_helps(
    conda_channel: Channels, tmp_path: Path
) -> None:
    """conda still has a record of its own, and would do nothing if asked to install it."""
    prefix = tmp_path / "env"
    specs = ["python=3.11", "pip", "traitlets"]
    make_environment(conda_channel.url, specs, prefix, conda_channel.cache)
    interpreter = with_conda(probe(prefix / "bin/python", cwd=prefix, env=activated(prefix)), Silent())
    lock = conda_lock(interpreter, *of_records(interpreter))
    (before,) = (one for one in lock.conda if one.name == "traitlets")
    pip_install(prefix, "traitlets==5.14.0")
    (finding,) = findings(tmp_path, lock, prefix)
    pin = f"traitlets={before.version}={before.build}"
    assert finding.what == f"{before.version} {before.build} is locked, and pip has put 5.14.0 in its place"
    assert finding.cure == f'pip uninstall traitlets && conda install --force-reinstall "{pin}", or capture again'


def test_what_an_environment_gives_itself_is_no_difference(conda_channel: Channels, tmp_path: Path) -> None:
    """Threads and time zone, as `conda env config vars set` keeps them, count though nobody activated it."""
    prefix = tmp_path / "env"
    make_environment(conda_channel.url, ["python=3.11"], prefix, conda_channel.cache)
    (prefix / "conda-meta/state").write_text(json.dumps({"env_vars": {"OMP_NUM_THREADS": "3", "TZ": "Asia/Tokyo"}}))
    interpreter = with_conda(probe(prefix / "bin/python", cwd=prefix, env=activated(prefix)), Silent())
    lock = conda_lock(interpreter, *of_records(interpreter))
    projects.write(tmp_path, lock)
    options = TreeOptions(python=prefix / "bin/python", environ={"PATH": "/bin", "TZ": "UTC", "OMP_NUM_THREADS": "2"})
    tree = read_tree(tmp_path, lock, Side("tree", "tree", f"sha256:{'b' * 64}"), options, Silent())
    assert (tree.state.lock.environment.threads, tree.state.lock.environment.timezone) == (3, "Asia/Tokyo")


def test_another_kind_of_environment_is_told_once(tmp_path: Path) -> None:
    lock = replace(projects.lock(), conda=(locked("numpy", "1.26.4", "py311_0"), locked("zlib", "1.3", "h_0")))
    found = [one for one in findings(tmp_path, lock, Path(sys.prefix)) if "conda" in one.what]
    assert [one.what for one in found] == ["2 conda packages are locked, and the environment is none of conda's"]
