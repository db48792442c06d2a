"""The archives of a base image, whatever way it names them."""

from pathlib import Path

import pytest

from repro.debian.sources import KEYRING, MIRROR, PUBLIC, PUBLIC_SECURITY, apt_sources, at_mirror, past_sources
from repro.errors import UsageError
from tests.debian.forge import view

RELEASE = b"ID=debian\nVERSION_CODENAME=bookworm\n"
DEB822 = b"""\
Types: deb
# http://snapshot.debian.org/archive/debian/20240110T000000Z
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
# http://snapshot.debian.org/archive/debian-security/20240110T000000Z
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
KEYS = {"usr/share/keyrings/debian-archive-keyring.gpg": b"keys"}


def test_the_format_of_official_images() -> None:
    found = apt_sources(view(files={"etc/apt/sources.list.d/debian.sources": DEB822, **KEYS}), {})
    assert [(one.uri, one.suite) for one in found] == [
        (PUBLIC, "bookworm"),
        (PUBLIC, "bookworm-updates"),
        (PUBLIC_SECURITY, "bookworm-security"),
    ]
    assert {one.keyrings for one in found} == {(b"keys",)}
    assert all(one.expires and not one.trusted for one in found)


def test_the_same_archives_when_the_base_was_made() -> None:
    found = past_sources(view(files={"etc/apt/sources.list.d/debian.sources": DEB822, **KEYS}), {})
    assert [(one.uri, one.suite, one.expires) for one in found] == [
        ("https://snapshot.debian.org/archive/debian/20240110T000000Z", "bookworm", False),
        ("https://snapshot.debian.org/archive/debian/20240110T000000Z", "bookworm-updates", False),
        ("https://snapshot.debian.org/archive/debian-security/20240110T000000Z", "bookworm-security", False),
    ]


def test_a_base_that_does_not_say_when_it_was_made() -> None:
    listed = b"deb http://deb.debian.org/debian bookworm main\n"
    assert past_sources(view(files={"etc/apt/sources.list": listed, **KEYS}), {}) == ()


def test_one_line_sources_with_options_and_comments() -> None:
    listed = b"""\
# deb http://old.example/debian bookworm main
deb-src http://deb.debian.org/debian bookworm main
deb [arch=amd64,arm64 signed-by=/etc/apt/keyrings/x.gpg] https://x.example/apt/ stable main contrib # x
deb [trusted=yes check-valid-until=no] http://y.example/apt z main
deb cdrom:[Debian]/ bookworm main
deb http://flat.example/ ./
"""
    base = view(
        files={"etc/apt/sources.list": listed, "etc/apt/keyrings/x.gpg": b"x", "etc/apt/trusted.gpg.d/a.asc": b"a"}
    )
    x, y = apt_sources(base, {})
    assert (x.uri, x.suite, x.components, x.architectures, x.keyrings, x.trusted) == (
        "https://x.example/apt", "stable", ("main", "contrib"), ("amd64", "arm64"), (b"x",), False,
    )  # fmt: skip
    assert (y.trusted, y.expires, y.keyrings) == (True, False, (b"a",))


def test_an_archive_named_twice_counts_once() -> None:
    listed = b"deb http://security.debian.org/debian-security bookworm-security main\n"
    base = view(files={"etc/apt/sources.list": listed, "etc/apt/sources.list.d/debian.sources": DEB822, **KEYS})
    assert [one.suite for one in apt_sources(base, {})].count("bookworm-security") == 1


def test_disabled_sources_and_inline_keys() -> None:
    off = b"Types: deb\nEnabled: no\nURIs: http://off.example\nSuites: x\nComponents: main\n"
    inline = (
        b"Types: deb\nURIs: http://on.example\nSuites: x\nComponents: main\nSigned-By:\n"
        b" -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n"
    )
    (found,) = apt_sources(view(files={"etc/apt/sources.list.d/a.sources": off + b"\n" + inline}), {})
    assert found.uri == "http://on.example"
    assert found.keyrings == (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----",)


def test_a_debian_without_sources_gets_the_public_archive() -> None:
    found = apt_sources(view(files={"etc/os-release": RELEASE, **KEYS}), {})
    assert [one.suite for one in found] == ["bookworm", "bookworm-updates", "bookworm-security"]


def test_another_system_without_sources_is_refused() -> None:
    with pytest.raises(UsageError, match="Alpine Linux"):
        apt_sources(view(files={"etc/os-release": b'ID=alpine\nPRETTY_NAME="Alpine Linux v3.20"\n'}), {})


def test_a_keyring_that_the_base_lacks_is_named() -> None:
    with pytest.raises(UsageError, match=r"debian-archive-keyring\.gpg is not in the base image"):
        apt_sources(view(files={"etc/apt/sources.list.d/debian.sources": DEB822}), {})


def test_a_keyring_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "keys.gpg"
    path.write_bytes(b"mine")
    base = view(files={"etc/apt/sources.list.d/debian.sources": DEB822})
    assert {one.keyrings for one in apt_sources(base, {KEYRING: str(path)})} == {(b"mine",)}
    with pytest.raises(UsageError, match="can't read the keyring"):
        apt_sources(base, {KEYRING: str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://deb.debian.org/debian/pool/a.deb", "https://mirror.corp/deb/debian/pool/a.deb"),
        ("https://deb.debian.org/debian-security/dists/x", "https://mirror.corp/deb/debian-security/dists/x"),
        ("http://security.debian.org/debian-security/x", "https://mirror.corp/deb/debian-security/x"),
        ("http://other.example/debian/pool/a.deb", "http://other.example/debian/pool/a.deb"),
        ("http://deb.debian.org/debian-ports/x", "http://deb.debian.org/debian-ports/x"),
    ],
)
def test_a_mirror_stands_for_the_public_archive(url: str, place: str) -> None:
    assert at_mirror(url, {MIRROR: "https://mirror.corp/deb/debian/"}) == place
    assert at_mirror(url, {}) == url


def test_a_mirror_that_is_no_url() -> None:
    with pytest.raises(UsageError, match="not a URL of an archive"):
        at_mirror(f"{PUBLIC}/x", {MIRROR: "mirror.corp"})
