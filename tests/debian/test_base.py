"""What a base image says of itself."""

import pytest

from repro.debian.base import debian_architecture, is_wanted, resolve
from repro.errors import IntegrityError, UsageError
from tests.debian.forge import control, view

LINKS = {
    "lib": "usr/lib",
    "etc/os-release": "../usr/lib/os-release",
    "a": "/b",
    "b": "c/../../d",
    "round": "trip",
    "trip": "round",
}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("lib/x", "usr/lib/x"),
        ("/lib//./x", "usr/lib/x"),
        ("etc/os-release", "usr/lib/os-release"),
        ("a/x", "d/x"),
        ("../../etc", "etc"),
        ("", ""),
    ],
)
def test_paths_are_followed_inside_the_root(path: str, place: str) -> None:
    assert resolve(path, LINKS) == place


def test_the_last_link_may_be_left_alone() -> None:
    assert resolve("lib", LINKS, last=False) == "lib"
    assert resolve("lib/x", LINKS, last=False) == "usr/lib/x"


def test_links_in_circles() -> None:
    with pytest.raises(IntegrityError, match="circles"):
        resolve("round/x", LINKS)


def test_os_release_behind_its_link() -> None:
    base = view(
        links={"etc/os-release": "../usr/lib/os-release"}, files={"usr/lib/os-release": b'ID=debian\nNAME="X Y"\n# z\n'}
    )
    assert base.release == {"ID": "debian", "NAME": "X Y"}


def test_only_installed_packages_count_from_both_databases() -> None:
    gone = control("gone") + "Status: deinstall ok config-files\n"
    here = control("here") + "Status: install ok installed\n"
    base = view(
        files={
            "var/lib/dpkg/status": f"{gone}\n{here}".encode(),
            "var/lib/dpkg/status.d/distroless": control("distroless").encode(),
            "var/lib/dpkg/status.d/distroless.md5sums": b"x  y\n",
        }
    )
    assert [fields["package"] for fields in base.installed] == ["here", "distroless"]


def test_which_files_are_wanted() -> None:
    wanted = [
        "etc/apt/sources.list.d/debian.sources",
        "var/lib/dpkg/status",
        "usr/share/keyrings/debian-archive-keyring.gpg",
    ]
    assert all(map(is_wanted, wanted))
    assert not any(map(is_wanted, ["etc/passwd", "var/lib/dpkg/info/x.list", "usr/lib/x/libx.so.1"]))


def test_architectures() -> None:
    assert [debian_architecture(name) for name in ("linux/amd64", "linux/arm64", "linux/arm64/v8")] == [
        "amd64",
        "arm64",
        "arm64",
    ]
    with pytest.raises(UsageError, match="not for linux/s390x"):
        debian_architecture("linux/s390x")
