"""Archives in the caches of conda and its kin: found where they are kept, taken only when they are the very ones."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from repro.conda.caches import Stated, agrees, archive_at_hand, package_caches, stated_in_cache
from repro.conda.records import Record
from repro.digest import Digest

DATA = b"an archive"
MD5 = hashlib.md5(DATA).hexdigest()
FILE = "x-1-0.conda"


def record(**fields: object) -> Record:
    plain = Record(
        file=Path("x-1-0.json"),
        name="x",
        version="1",
        build="0",
        build_number=0,
        subdir="noarch",
        channel="conda-forge",
        url=f"https://conda.anaconda.org/conda-forge/noarch/{FILE}",
        archive=FILE,
        sha256=Digest.of(DATA),
        md5=MD5,
        size=len(DATA),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def write(folder: Path, data: bytes = DATA, name: str = FILE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_every_tools_cache_is_looked_into(home: Path, tmp_path: Path) -> None:
    named, configured, prefix = tmp_path / "named", tmp_path / "configured", tmp_path / "root" / "envs" / "work"
    (home / ".condarc").write_text(f"pkgs_dirs: ['{configured}']\n", encoding="utf-8")
    places = [named, configured, tmp_path / "root" / "pkgs", home / ".conda" / "pkgs", home / "micromamba" / "pkgs"]
    places += [tmp_path / "cache" / "rattler" / "cache" / "pkgs", tmp_path / "pixi" / "pkgs"]
    for place in places:
        place.mkdir(parents=True)
    environ = {
        "CONDA_PKGS_DIRS": f"{named},{tmp_path / 'none'}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIXI_CACHE_DIR": str(tmp_path / "pixi"),
    }
    assert set(package_caches(prefix, environ)) == set(places)
    assert package_caches(prefix, environ)[0] == named


def test_an_archive_is_found_where_its_record_or_a_cache_has_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    assert archive_at_hand(record(tarball=path), ()) == path
    assert archive_at_hand(record(unpacked=tmp_path / "a" / "x-1-0"), ()) == path
    assert archive_at_hand(record(), (tmp_path / "none", tmp_path / "a")) == path


@pytest.mark.parametrize("data", [b"another one", DATA.upper()])
def test_another_archive_of_that_name_is_passed_over(data: bytes, tmp_path: Path) -> None:
    write(tmp_path / "a", data)
    good = write(tmp_path / "b")
    assert archive_at_hand(record(), (tmp_path / "a", tmp_path / "b")) == good
    assert archive_at_hand(record(sha256=None, size=None), (tmp_path / "a", tmp_path / "b")) == good


def test_another_ending_is_another_archive(tmp_path: Path) -> None:
    path = write(tmp_path / "a", name="x-1-0.tar.bz2")
    assert archive_at_hand(record(tarball=path, sha256=None, md5=None, size=None), ()) is None


def test_an_unpacked_copy_tells_what_the_index_said(tmp_path: Path) -> None:
    info = tmp_path / "pkgs" / "x-1-0" / "info"
    info.mkdir(parents=True)
    document = {"sha256": Digest.of(DATA).hex, "md5": MD5, "size": len(DATA)}
    (info / "repodata_record.json").write_text(json.dumps(document))
    stated = Stated(Digest.of(DATA), len(DATA), MD5)
    bare = record(sha256=None, size=None)
    assert stated_in_cache(bare, (tmp_path / "pkgs",)) == stated
    assert stated_in_cache(replace(bare, md5="0" * 32), (tmp_path / "pkgs",)) is None
    (info / "repodata_record.json").write_text("{")
    assert stated_in_cache(bare, (tmp_path / "pkgs",)) is None


def test_what_is_stated_has_to_share_a_hash_with_what_is_recorded() -> None:
    other = Stated(Digest.of(b"other"), len(DATA), None)
    assert not agrees(other, record())
    assert not agrees(other, record(sha256=None))
    assert agrees(other, record(sha256=None, md5=None))
    assert not agrees(Stated(Digest.of(DATA), 3, MD5), record())
