"""Paths and people as an image has them, looked up from outside."""

from pathlib import Path, PurePosixPath

import pytest

from repro.engines.bubblewrap import inside
from repro.engines.bubblewrap.inside import Identity, find_command, identity, read_below, resolve
from repro.errors import IntegrityError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("etc", "usr/bin", "opt/repro/inner", "home/ana"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nana:x:1000:100:Ana:/home/ana:/bin/sh\nbroken\n")
    (root / "etc/group").write_text("root:x:0:\nstaff:x:50:\n")
    (root / "usr/bin/tool").write_text("#!/bin/sh\n")
    (root / "usr/bin/tool").chmod(0o755)
    (root / "usr/bin/text").write_text("not a program")
    (root / "opt/repro/a").write_text("1")
    (root / "opt/repro/inner/b").write_text("2")
    (root / "opt/repro/link").symlink_to("/etc/passwd")
    (root / "opt/current").symlink_to("/opt/repro/")
    (tmp_path / "secret").write_text("outside")
    return root


def test_links_are_followed_within_the_root_and_never_out_of_it(root: Path) -> None:
    (root / "out").symlink_to("../../secret")
    (root / "absolute").symlink_to("/../../etc")
    (root / "loop").symlink_to("loop")
    assert resolve(root, "/bin/tool") == root / "usr/bin/tool"
    assert resolve(root, "/opt/current/inner/../a") == root / "opt/repro/a"
    assert resolve(root, "/absolute/passwd") == root / "etc/passwd"
    assert resolve(root, "/out") is None
    assert resolve(root, "/loop") is None
    assert resolve(root, "/nowhere") is None
    assert resolve(root, "/../../../etc") == root / "etc"


def test_files_below_a_path(root: Path) -> None:
    assert read_below(root, PurePosixPath("/opt/current"), "x") == {"a": b"1", "inner/b": b"2"}
    assert read_below(root, PurePosixPath("/opt/repro/link"), "x")[""].startswith(b"root:")
    with pytest.raises(UsageError, match="no such path"):
        read_below(root, PurePosixPath("/opt/none"), "x")


def test_more_than_fits_into_memory_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "MOST_BYTES", 1)
    assert read_below(root, PurePosixPath("/opt/repro/a"), "x") == {"": b"1"}
    with pytest.raises(IntegrityError, match="more than"):
        read_below(root, PurePosixPath("/opt/repro"), "x")


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", Identity(0, 0, "/root")),
        ("ana", Identity(1000, 100, "/home/ana")),
        ("1000", Identity(1000, 100, "/home/ana")),
        ("ana:staff", Identity(1000, 50, "/home/ana")),
        ("ana:7", Identity(1000, 7, "/home/ana")),
        ("4711", Identity(4711, 0, "/")),
        ("4711:4712", Identity(4711, 4712, "/")),
    ],
)
def test_users_are_numbers_or_names_of_the_image(root: Path, user: str, expected: Identity) -> None:
    assert identity(root, user, "image") == expected


@pytest.mark.parametrize("user", ["eve", "ana:eves"])
def test_unknown_names_are_said(root: Path, user: str) -> None:
    with pytest.raises(UsageError, match="eve"):
        identity(root, user, "image")


def test_an_image_without_users_has_numbers(tmp_path: Path) -> None:
    assert identity(tmp_path, "10001:0", "image") == Identity(10001, 0, "/")


def test_programs_are_found_as_the_shell_does(root: Path) -> None:
    search = "/nowhere:/bin"
    assert find_command(root, "tool", "/", search) == root / "usr/bin/tool"
    assert find_command(root, "/bin/tool", "/", search) == root / "usr/bin/tool"
    assert find_command(root, "./tool", "/usr/bin", search) == root / "usr/bin/tool"
    assert find_command(root, "tool", "/usr/bin", "/nowhere") is None
    assert find_command(root, "text", "/", search) is None
    assert find_command(root, "/usr/bin", "/", search) is None
