"""The engine's archives are not trusted."""

import io
import tarfile
from pathlib import Path

import pytest

from repro.engines import archive
from repro.engines.archive import extract_members, open_archive, read_members
from repro.errors import IntegrityError


def tar(*members: tuple[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                writer.addfile(info)
            else:
                info.size = len(content)
                writer.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_members_that_would_leave_are_left_out(tmp_path: Path) -> None:
    data = tar(
        ("out/a", b"1"), ("out/../../evil", b"2"), ("/abs/evil", b"3"), ("out/link", "/etc"), ("out/link/x", b"4")
    )
    target = tmp_path / "deep" / "out"
    target.mkdir(parents=True)
    with open_archive([data]) as opened:
        extract_members(opened, target)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "deep/out/a",
        "deep/out/link/x",
    }
    assert not (target / "link").is_symlink()


def test_podman_leaves_out_the_name_of_a_volumes_folder(tmp_path: Path) -> None:
    data = tar(("", b""), ("/a", b"1"), ("/sub/b", b"2"), ("/../evil", b"3"))
    with open_archive([data]) as opened:
        extract_members(opened, tmp_path)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"a": b"1", "sub/b": b"2"}
    assert not (tmp_path.parent / "evil").exists()


def test_chunk_borders_do_not_matter() -> None:
    data = tar(("top/é.txt", b"x" * 5000), ("top/sub/b", b"y"))
    with open_archive(data[i : i + 7] for i in range(0, len(data), 7)) as opened:
        files, link = read_members(opened)
    assert files == {"é.txt": b"x" * 5000, "sub/b": b"y"}
    assert link is None


def test_a_link_is_told_and_not_followed() -> None:
    with open_archive([tar(("os-release", "../usr/lib/os-release"))]) as opened:
        assert read_members(opened) == ({}, "../usr/lib/os-release")


def test_an_archive_cut_short_is_an_error() -> None:
    with pytest.raises(IntegrityError, match="damaged"), open_archive([tar(("top/a", b"x" * 5000))[:2000]]) as opened:
        read_members(opened)


def test_an_image_can_not_fill_our_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 10)
    with (
        pytest.raises(IntegrityError, match="more than"),
        open_archive([tar(("t/a", b"x" * 6), ("t/b", b"x" * 6))]) as t,
    ):
        read_members(t)


@pytest.mark.parametrize(("cap", "most"), [("MOST_COLLECTED", 10), ("MOST_FILES", 1)])
def test_a_container_can_not_fill_our_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cap: str, most: int
) -> None:
    monkeypatch.setattr(archive, cap, most)
    with (
        pytest.raises(IntegrityError, match="more than"),
        open_archive([tar(("t/a", b"x" * 6), ("t/b", b"x" * 6))]) as opened,
    ):
        extract_members(opened, tmp_path)


@pytest.mark.parametrize("names", [("t/a", "t/a/b"), ("t/a/b", "t/a"), ("t/a", "t/a/b/c"), ("t/" + "n" * 300,)])
def test_names_that_no_directory_can_have_are_an_integrity_error(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(IntegrityError), open_archive([tar(*((name, b"x") for name in names))]) as opened:
        extract_members(opened, tmp_path)
