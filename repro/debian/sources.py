"""Where a base image's packages come from: its apt sources (sources.list(5)), the mirror in their place, their keys."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from repro.debian.base import BaseView
from repro.debian.control import Fields, paragraphs
from repro.errors import UsageError

_HOST = "http://deb.debian.org"
PUBLIC = f"{_HOST}/debian"
PUBLIC_SECURITY = f"{_HOST}/debian-security"
SNAPSHOT = "https://snapshot.debian.org"
MIRROR = "REPRO_DEBIAN_MIRROR"
KEYRING = "REPRO_DEBIAN_KEYRING"

_PUBLIC = re.compile(r"https?://(?:deb|security|ftp(?:\.[a-z]{2})?)\.debian\.org/(debian(?:-security)?)(?=/|$)")
_HOST_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SNAPSHOT_NOTE = re.compile(r"#\s*https?://snapshot\.debian\.org/archive/(debian(?:-security)?)/(\d{8}T\d{6}Z)")
_OPTION = re.compile(r"^\[([^\]]*)\]\s*")
_FILES = ("etc/apt/sources.list", "etc/apt/sources.list.d")
_KEY_FOLDERS = ("etc/apt/trusted.gpg.d", "usr/share/keyrings")
_YES = frozenset({"yes", "true", "1", "on"})


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one archive.

    Attributes:
        uri: The archive's root, without trailing slash, as the base names it.
        suite: Such as `bookworm-security`.
        components: Such as `main`.
        architectures: Those it is limited to; empty for all.
        keyrings: Whose signatures count: OpenPGP certificates.
        trusted: The base says that no signature is needed (`trusted=yes`).
        expires: Whether an old release file is refused; archives of the past are old on purpose.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    architectures: tuple[str, ...] = ()
    keyrings: tuple[bytes, ...] = ()
    trusted: bool = False
    expires: bool = True

    @property
    def label(self) -> str:
        """For messages."""
        return f"{self.uri} {self.suite}"


def apt_sources(base: BaseView, environ: Mapping[str, str] = os.environ) -> tuple[Source, ...]:
    """The base's binary sources, or Debian's own for its release when it names none.

    Raises:
        UsageError: It names none and is no Debian release, or what it names can't be used.
        IntegrityError: Its files can't be parsed.
    """
    found: dict[tuple[str, str], Source] = {}
    for path in _source_files(base):
        for source in _read(base, path, environ):
            known = found.setdefault((source.uri, source.suite), source)
            more = (*known.components, *source.components)
            found[source.uri, source.suite] = replace(known, components=tuple(dict.fromkeys(more)))
    return tuple(found.values()) or _debian(base, environ)


def past_sources(base: BaseView, environ: Mapping[str, str] = os.environ) -> tuple[Source, ...]:
    """The same archives as they were when the base was made, where its sources say when that was.

    Debian's container images carry the time in a comment beside each source (debuerreotype).
    """
    times: dict[str, str] = {}
    for path in _source_files(base):
        times |= dict(_SNAPSHOT_NOTE.findall(_text(base, path)))
    found = []
    for source in apt_sources(base, environ):
        archive = _PUBLIC.fullmatch(source.uri)
        time = times.get(archive[1]) if archive else None
        if archive and time:
            found.append(replace(source, uri=f"{SNAPSHOT}/archive/{archive[1]}/{time}", expires=False))
    return tuple(found)


def at_mirror(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where to fetch what is published at `url`: REPRO_DEBIAN_MIRROR in place of Debian's public archive.

    The variable stands for `http://deb.debian.org/debian`; security updates are expected beside it, in a directory
    whose name has `-security` at its end, as Debian's mirrors have them.
    """
    mirror = environ.get(MIRROR, "").rstrip("/")
    found = _PUBLIC.match(url)
    if not mirror or found is None:
        return url
    if urlsplit(mirror).scheme not in {"http", "https"}:
        raise UsageError(
            f"not a URL of an archive: {mirror!r}", where=MIRROR, fix="Such as https://mirror.corp/debian."
        )
    return mirror + found[1].removeprefix("debian") + url[found.end() :]


def _canonical(uri: str) -> str:
    """Debian's archive by one name, whichever of its own names the base uses."""
    found = _PUBLIC.fullmatch(uri)
    return f"{_HOST}/{found[1]}" if found else uri


def _source_files(base: BaseView) -> list[str]:
    listed, folder = _FILES
    names = [name for name in base.names(folder) if name.endswith((".list", ".sources"))]
    return [path for path in (listed, *(f"{folder}/{name}" for name in names)) if base.read(path) is not None]


def _text(base: BaseView, path: str) -> str:
    return (base.read(path) or b"").decode("utf-8", "replace")


def _read(base: BaseView, path: str, environ: Mapping[str, str]) -> Iterator[Source]:
    if path.endswith(".sources"):
        for fields in paragraphs(_text(base, path), f"/{path} of the base image"):
            yield from _from_fields(fields, base, path, environ)
        return
    for line in _text(base, path).splitlines():
        words = line.partition("#")[0].strip()
        if words.startswith("deb") and words[3:4].isspace():
            yield from _from_fields(_one_line(words[3:].strip(), path), base, path, environ)


def _one_line(text: str, path: str) -> Fields:
    """`[option=value …] uri suite component …` as the fields of the other format."""
    options = _OPTION.match(text)
    words = shlex.split(text[options.end() :] if options else text)
    if len(words) < 2:  # noqa: PLR2004 - URI and suite
        raise UsageError(f"not a source: {text[:80]!r}", where=f"/{path} of the base image", fix="Correct it there.")
    fields = {"types": "deb", "uris": words[0], "suites": words[1], "components": " ".join(words[2:])}
    for option in options[1].split() if options else ():
        name, _, value = option.partition("=")
        fields[{"arch": "architectures"}.get(name, name)] = value.replace(",", " ")
    return fields


def _from_fields(fields: Fields, base: BaseView, path: str, environ: Mapping[str, str]) -> Iterator[Source]:
    off = fields.get("enabled", "yes").lower() not in _YES
    if off or "deb" not in fields.get("types", "deb").split():
        return
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            if urlsplit(uri).scheme not in {"http", "https"} or suite.endswith("/"):
                continue  # CD-ROMs, local directories and flat archives are not published anywhere
            yield Source(
                uri=_canonical(uri.rstrip("/")),
                suite=suite,
                components=tuple(fields.get("components", "").split()),
                architectures=tuple(fields.get("architectures", "").split()),
                keyrings=_keyrings(fields.get("signed-by", ""), base, path, environ),
                trusted=fields.get("trusted", "no").lower() in _YES,
                expires=fields.get("check-valid-until", "yes").lower() in _YES,
            )


def _debian(base: BaseView, environ: Mapping[str, str]) -> tuple[Source, ...]:
    suite = base.release.get("VERSION_CODENAME", "")
    if base.release.get("ID") != "debian" or not suite:
        name = base.release.get("PRETTY_NAME") or base.release.get("ID") or "an unknown system"
        raise UsageError(
            f"the base image is {name} and names no apt sources: there is nowhere to get system packages from",
            where="repro.toml: base.image",
            fix="Use a base made from Debian, or one that has the packages already.",
        )
    keyrings = _keyrings("", base, "etc/apt", environ)
    suites = ((PUBLIC, suite), (PUBLIC, f"{suite}-updates"), (PUBLIC_SECURITY, f"{suite}-security"))
    return tuple(Source(uri, name, ("main",), keyrings=keyrings) for uri, name in suites)


def _keyrings(signed_by: str, base: BaseView, path: str, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """REPRO_DEBIAN_KEYRING, else what signed-by names, else all that the base trusts, else this machine's Debian's."""
    named = environ.get(KEYRING)
    if named:
        return (_host_keyring(Path(named)),)
    if "BEGIN PGP PUBLIC KEY BLOCK" in signed_by:
        return ("\n".join("" if line.strip() == "." else line for line in signed_by.strip().splitlines()).encode(),)
    if signed_by.startswith("/"):
        return tuple(_base_keyring(base, name.lstrip("/"), path) for name in signed_by.split())
    found = [base.read("etc/apt/trusted.gpg"), *_all_keyrings(base)]
    if not any(found) and _HOST_KEYRING.is_file():
        found = [_host_keyring(_HOST_KEYRING)]
    return tuple(dict.fromkeys(data for data in found if data))


def _all_keyrings(base: BaseView) -> list[bytes | None]:
    """Those that apt trusts for every source, or Debian's own where the base keeps it without saying so."""
    trusted, shipped = _KEY_FOLDERS
    found = [base.read(f"{trusted}/{name}") for name in base.names(trusted) if name.endswith((".gpg", ".asc"))]
    return found or [base.read(f"{shipped}/debian-archive-keyring.gpg")]


def _base_keyring(base: BaseView, name: str, path: str) -> bytes:
    data = base.read(name)
    if data is None:
        raise UsageError(
            f"the keyring /{name} is not in the base image",
            where=f"/{path} of the base image",
            fix=f"Add it to the base, or name a keyring of this machine in {KEYRING}.",
        )
    return data


def _host_keyring(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"can't read the keyring: {error.strerror}", where=str(path), fix=f"Correct {KEYRING}."
        ) from error
