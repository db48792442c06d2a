"""What stands for installs that no published wheel stands for: pip's copy, the installed files, or a new build."""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.index import IndexClient
from repro.capture.packages.origins import LocalWheel
from repro.capture.packages.stand_ins import StandIns
from repro.digest import Digest
from repro.errors import CaptureError
from repro.lock import Package, PackageFile
from repro.store import project_store
from tests.capture.packages.indexes import Index, wheel
from tests.capture.packages.installed import Venv
from tests.capture.packages.projects import FLIT, LEGACY, make, sdist
from tests.http.servers import serve


@pytest.fixture
def index() -> Iterator[Index]:
    with serve() as server:
        yield Index(server)


class Case:
    """An environment whose one package is on an index as source only, or not at all."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.index = index
        self.venv = Venv(folder / "laptop")
        self.client: IndexClient = index.client(folder)
        self.store = project_store(folder / "project")
        (folder / "scratch").mkdir()

    def make(
        self, distribution: Distribution, interpreter: Interpreter, *previous: Package, cache: Path | None = None
    ) -> LocalWheel:
        before = {package.name: package for package in previous}
        downloads = cache or self.folder / "no-cache"
        stand_ins = StandIns(interpreter, self.folder / "scratch", self.client, self.store, before, downloads)
        return stand_ins.make(distribution, self.client.files(distribution.name, distribution.version))


@pytest.fixture
def case(tmp_path: Path, index: Index) -> Case:
    return Case(tmp_path, index)


def without_record(distribution: Distribution) -> Distribution:
    """As an old `setup.py install` leaves it."""
    return replace(distribution, record=False, tags=())


def test_source_is_built_once_and_its_requirements_are_told(case: Case, index: Index, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", LEGACY)
    archive = sdist(tree, tmp_path / "sdist")
    url = index.add(archive.name.replace("old-thing", "old_thing"), archive.read_bytes())
    case.venv.uv(tree)
    distribution, interpreter = case.venv.distribution("old-thing")

    made = case.make(without_record(distribution), interpreter)

    start = f"{url}#sha256={Digest.of_file(archive).hex} built with setuptools=="
    assert (made.origin, made.path.name) == ("built", "old_thing-0.9-py3-none-any.whl")
    assert made.source.startswith(start)
    assert made.how == "a wheel built from its source"
    with zipfile.ZipFile(made.path) as built:
        assert built.read("old_thing.py") == b"OLD = True\n"

    digest = case.store.add_file(made.path)
    file = PackageFile(made.path.name, digest, made.path.stat().st_size, None, ("linux/amd64",))
    earlier = f"{start}1.0"
    before = Package("old-thing", "0.9", "built", earlier, (file,))
    again = case.make(without_record(distribution), interpreter, before)
    assert (again.source, again.path.read_bytes()) == (earlier, made.path.read_bytes())
    for other in (replace(before, version="0.8"), replace(before, source="elsewhere")):
        assert case.make(without_record(distribution), interpreter, other).source == made.source


def test_installed_files_come_before_a_build(case: Case, index: Index, tmp_path: Path) -> None:
    archive = sdist(make(tmp_path / "tree", FLIT), tmp_path / "sdist")
    index.add(archive.name, archive.read_bytes())
    case.venv.uv(tmp_path / "tree")
    made = case.make(*case.venv.distribution("flit-thing"))
    assert (made.source, made.how) == ("flit-thing==0.1", "a wheel made from the installed files")


def test_source_that_does_not_unpack_or_build_is_told(case: Case, index: Index, tmp_path: Path) -> None:
    case.venv.uv(make(tmp_path / "tree", FLIT))
    distribution, interpreter = case.venv.distribution("flit-thing")
    with pytest.raises(CaptureError, match="is on no package index"):
        case.make(without_record(distribution), interpreter)
    index.add("flit_thing-0.1.tar.gz", b"no archive")
    case.client = index.client(tmp_path / "fresh")
    with pytest.raises(CaptureError, match=r"the source of flit-thing 0\.1 can't be unpacked"):
        case.make(without_record(distribution), interpreter)


def test_a_vanished_release_is_the_very_wheel_when_pip_still_has_it(case: Case, tmp_path: Path) -> None:
    name, body = wheel("gone", "1.0", body="as published")
    (tmp_path / name).write_bytes(body)
    case.venv.pip("--no-index", "--find-links", tmp_path, "gone")
    distribution, interpreter = case.venv.distribution("gone")
    folder = tmp_path / "cache" / "http-v2" / "a" / "b" / "c" / "d" / "e"
    folder.mkdir(parents=True)
    (folder / "abcde.body").write_bytes(body)

    made = case.make(distribution, interpreter, cache=tmp_path / "cache")
    assert (made.path.name, made.path.read_bytes()) == (name, body)
    assert (made.source, made.how) == ("gone==1.0", "the very wheel that was installed, from pip's cache")
    repacked = case.make(distribution, interpreter)
    assert repacked.how == "a wheel made from the installed files"
    with zipfile.ZipFile(repacked.path) as archive:
        assert archive.read("gone.py") == b"BODY = 'as published'\n"
