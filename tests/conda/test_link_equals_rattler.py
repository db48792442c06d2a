"""Everything that a channel has, linked here and by py-rattler, with every difference named."""

import asyncio
import stat
from pathlib import Path, PurePosixPath

import pytest
import rattler

from repro.conda.link import link_entries
from repro.oci.entry import Entry
from tests.conda.channel_locks import SITE_PACKAGES, locked
from tests.conda_channel.shared import Channels

PREFIX = PurePosixPath("/opt/env")
LEFT_OUT = {"clash-two", "emptydir"}
"""What py-rattler can't link, or not beside another."""
ONE_OF_EACH = "openblas"
"""Of packages that differ in their BLAS alone."""


@pytest.fixture(scope="module")
def archives(conda_channel: Channels) -> list[Path]:
    """One archive of each package."""
    newest = {
        path.name.rsplit("-", 2)[0]: path
        for subdir in ("linux-64", "noarch")
        for path in sorted((conda_channel.main / subdir).iterdir())
        if path.name.endswith((".conda", ".tar.bz2")) and not path.stem.endswith(("_mkl", "_blis"))
    }
    return [path for name, path in sorted(newest.items()) if name not in LEFT_OUT]


@pytest.fixture(scope="module")
def linked(archives: list[Path]) -> dict[str, Entry]:
    """What this repro makes of them, by path below the prefix."""
    found: dict[str, Entry] = {}
    for archive in archives:
        package = locked(archive)
        for entry in link_entries(archive, package, prefix=PREFIX, site_packages=SITE_PACKAGES, patched={}):
            path = entry.path.removeprefix("opt/env/")
            assert path not in found
            found[path] = entry
    return found


@pytest.fixture(scope="module")
def installed(archives: list[Path], conda_channel: Channels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What py-rattler makes of them, for the same prefix."""
    prefix = tmp_path_factory.mktemp("rattler") / "env"
    wanted = {path.name for path in archives}
    records = []
    for subdir in ("linux-64", "noarch"):
        index = conda_channel.main / subdir / "repodata.json"
        with rattler.SparseRepoData(rattler.Channel(conda_channel.url), subdir, index) as data:
            records += [one for name in data.package_names() for one in data.load_records(rattler.PackageName(name))]
    records = [one for one in records if one.file_name in wanted]
    assert {one.file_name for one in records} == wanted
    installing = rattler.install(
        records,
        prefix,
        cache_dir=conda_channel.cache / "pkgs",
        platform=rattler.Subdir("linux-64"),
        show_progress=False,
        alternative_target_prefix=PREFIX,
    )
    asyncio.run(_wait(installing))
    return prefix


async def _wait(installing: object) -> None:
    await installing  # type: ignore[misc]


def _expected(prefix: Path) -> dict[str, Path]:
    paths = {path.relative_to(prefix).as_posix(): path for path in prefix.rglob("*")}
    return {
        name: path
        for name, path in paths.items()
        if (path.is_symlink() or not path.is_dir())
        and name != "CACHEDIR.TAG"  # for programs that make backups
        and not name.startswith("conda-meta/")  # records have texts of their own
        and "/__pycache__/" not in name  # bytecode is made by the image's own Python
    }


def _programs(archives: list[Path], prefix: Path) -> set[str]:
    """Programs of entry points: their text is this repro's own."""
    records = [rattler.PrefixRecord.from_path(path) for path in (prefix / "conda-meta").glob("*.json")]
    entries = [entry for record in records for entry in record.paths_data.paths]
    return {str(entry.relative_path) for entry in entries if entry.path_type.unix_python_entry_point}


def test_the_same_paths_are_linked(linked: dict[str, Entry], installed: Path) -> None:
    found = {path for path in linked if not path.startswith("conda-meta/")}
    assert found == _expected(installed).keys()
    assert len(found) > 5000


def test_links_lead_to_the_same_places(linked: dict[str, Entry], installed: Path) -> None:
    links = {name: path.readlink().as_posix() for name, path in _expected(installed).items() if path.is_symlink()}
    assert {path: entry.target for path, entry in linked.items() if entry.kind == "symlink"} == links
    assert links


def test_contents_are_the_same(linked: dict[str, Entry], installed: Path, archives: list[Path]) -> None:
    programs = _programs(archives, installed)
    files = {name: path for name, path in _expected(installed).items() if not path.is_symlink()}
    for name in files.keys() - programs:
        entry = linked[name]
        assert entry.body is not None
        assert b"".join(entry.body.plain()) == files[name].read_bytes(), name
    assert len(programs) > 5
    assert all(linked[name].body is not None and linked[name].mode == 0o755 for name in programs)


def test_the_same_files_are_executable(linked: dict[str, Entry], installed: Path) -> None:
    files = {name: path for name, path in _expected(installed).items() if not path.is_symlink()}
    executable = {name for name, path in files.items() if path.stat().st_mode & stat.S_IXUSR}
    assert {name for name, entry in linked.items() if entry.kind == "file" and entry.mode == 0o755} == executable
    assert {entry.mode for entry in linked.values() if entry.kind == "file"} == {0o644, 0o755}


def test_records_are_read_by_rattler_and_say_what_its_own_say(
    linked: dict[str, Entry], installed: Path, tmp_path: Path
) -> None:
    for theirs in sorted((installed / "conda-meta").glob("*.json")):
        body = linked[f"conda-meta/{theirs.name}"].body
        assert body is not None
        (tmp_path / theirs.name).write_bytes(b"".join(body.plain()))
        mine, other = (rattler.PrefixRecord.from_path(path) for path in (tmp_path / theirs.name, theirs))
        assert mine.file_name == other.file_name
        assert (mine.sha256, mine.md5, mine.size) == (other.sha256, other.md5, other.size)
        for specs, others in ((mine.depends, other.depends), (mine.constrains, other.constrains)):
            assert specs == [spec.replace(" ==", " ") for spec in others]  # theirs in another spelling
        assert mine.license == other.license
        assert (mine.noarch.python, mine.subdir, mine.build_number) == (
            other.noarch.python,
            other.subdir,
            other.build_number,
        )
        kept = [str(path) for path in other.files if "__pycache__" not in str(path)]
        assert [str(path) for path in mine.files] == sorted(kept)
