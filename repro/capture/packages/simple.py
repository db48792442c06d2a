"""The simple repository API (PEP 503, 592, 629, 691, 700) and find-links: pages of bytes → files that they list.

Pure: who fetches the pages is `repro.capture.packages.index`.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import InvalidVersion, Version

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.urls import redact

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")
_API_MAJOR = "1"
_LINK = re.compile(r"<[aA]\s")
_OPENINGS = [f"<{letter}{space}" for letter in "aA" for space in " \t\n\r\f\v"]
_ABSOLUTE = re.compile(r"https?://")  # big projects list thousands of files: urljoin would take most of the time


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file on a page.

    Attributes:
        name: File name.
        url: Absolute, without fragment; may carry credentials.
        sha256: Digest, when the page gives it.
        size: Bytes, when the page gives them.
        yanked: Why it was withdrawn (may be ""); None when it wasn't.
        requires_python: Specifier of the Pythons that it is for, or "" (PEP 345).
        metadata: Whether its METADATA is beside it, at the URL and `.metadata`, and its digest when that is announced
            (PEP 658, PEP 714).
    """

    name: str
    url: str
    sha256: Digest | None = None
    size: int | None = None
    yanked: str | None = None
    requires_python: str = ""
    metadata: Digest | bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """An index's answer about one project: its bytes, its Content-Type, and where it finally came from."""

    body: bytes
    content_type: str
    url: str

    def files(self, version: str | None) -> list[ListedFile]:
        """What it lists, or of that what can belong to a version (`parse_page`)."""
        return parse_page(self.body, self.content_type, self.url, version)


def parse_page(body: bytes, content_type: str, url: str, version: str | None = None) -> list[ListedFile]:
    """The files that a project page lists, in its order.

    Args:
        body: The page.
        content_type: Its Content-Type header.
        url: Where it finally came from; relative links start there.
        version: Leave out files whose names can't have it: big projects list thousands, and reading them takes a
            while. What is left is still to be sorted out (`of_release`). None for all files.

    Raises:
        InfrastructureError: It is not a page of the simple API, or of an unknown major version.
    """
    kind = content_type.partition(";")[0].strip().lower()
    mention = None if version is None else _mention(version)
    try:
        if kind.endswith(("+json", "/json")):
            return list(_json_files(json.loads(body), url, mention))
        text = body.decode("utf-8", "replace")
        return list(_html_files(_links_with(mention, text) if mention else text, url))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfrastructureError(
            "the answer is not a page of the simple repository API",
            where=redact(url),
            fix="Check that the index URL ends where project names begin, such as https://pypi.org/simple.",
            details=f"{type(error).__name__}: {error}",
        ) from error


def list_directory(folder: Path) -> list[ListedFile]:
    """The distribution files of a find-links directory, by name."""
    return [
        ListedFile(path.name, path.absolute().as_uri(), size=path.stat().st_size)
        for path in sorted(folder.iterdir())
        if path.name.endswith((".whl", *SDISTS)) and path.is_file()
    ]


def of_release(files: Iterable[ListedFile], name: str, version: str) -> list[ListedFile]:
    """Those files that belong to one version of a project; wheel names are not parsed any further."""
    wanted = canonical_version(version)
    return [file for file in files if release_of(file.name, name) == wanted]


@functools.lru_cache(maxsize=1 << 14)
def canonical_version(text: str) -> str:
    """A version in the one form that all its equals share, or as it is when it isn't one (PEP 440)."""
    return canonicalize_version(text.lower())


def release_of(file_name: str, name: str) -> str | None:
    """The canonical version in a file name when the file belongs to the project, else None."""
    if file_name.endswith(".whl"):
        project, _, rest = file_name.partition("-")
        return canonical_version(rest.partition("-")[0]) if _same(project, name) else None
    for suffix in SDISTS:
        if file_name.endswith(suffix):
            project, _, version = file_name.removesuffix(suffix).rpartition("-")
            return canonical_version(version) if _same(project, name) else None
    return None


@functools.lru_cache(maxsize=1 << 12)
def _same(project: str, name: str) -> bool:
    return canonicalize_name(project) == canonicalize_name(name)


@functools.lru_cache(maxsize=1 << 12)
def _mention(version: str) -> re.Pattern[str] | None:
    """What every spelling of a version in a file name begins with: up to two numbers after a dash (PEP 440)."""
    try:
        release = Version(version).release
    except InvalidVersion:
        return None
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    numbers = r"\.".join(f"0*{number}" for number in release[:2])
    return re.compile(rf"-[vV]?(?:\d+(?:!|%21))?{numbers}(?!\d)")


def _links_with(mention: re.Pattern[str], text: str) -> str:
    """An HTML page's head and those of its links that have a match."""
    first = _LINK.search(text)
    if first is None or "<!--" in text:
        return text
    end = first.start()
    kept = [text[:end]]
    for found in mention.finditer(text, end):
        if found.start() >= end:
            start = max(text.rfind(opening, end, found.start()) for opening in _OPENINGS)
            following = _LINK.search(text, found.end())
            end = following.start() if following else len(text)
            kept.append(text[max(start, 0) : end])
    return "".join(kept)


def _json_files(page: Mapping[str, Any], url: str, mention: re.Pattern[str] | None) -> Iterator[ListedFile]:
    _check_version(str(page["meta"]["api-version"]), url)
    for file in page["files"]:
        if mention and not mention.search(file["filename"]):
            continue
        yanked = file.get("yanked", False)
        reason = yanked if isinstance(yanked, str) else ""
        yield ListedFile(
            name=file["filename"],
            url=urldefrag(urljoin(url, file["url"])).url,
            sha256=_digest(file.get("hashes", {}).get("sha256", "")),
            size=file.get("size"),
            yanked=None if yanked is False else reason,
            requires_python=file.get("requires-python") or "",
            metadata=_metadata(file.get("core-metadata", file.get("dist-info-metadata", False))),
        )


def _metadata(said: object) -> Digest | bool:
    if isinstance(said, Mapping):
        return _digest(str(said.get("sha256", ""))) or True
    return said is True


def _html_metadata(said: str | None) -> Digest | bool:
    """`true`, or `sha256=<hex>`; other algorithms say no more than that it is there."""
    if said is None:
        return False
    algorithm, _, value = said.partition("=")
    return (_digest(value) if algorithm == "sha256" else None) or True


def _html_files(text: str, url: str) -> Iterator[ListedFile]:
    page = _Page(url)
    page.feed(text)
    page.close()
    _check_version(page.version, url)
    for attributes in page.links:
        link, _, fragment = (attributes["href"] or "").strip().partition("#")
        absolute = link if _ABSOLUTE.match(link) else urljoin(page.base, link)
        algorithm, _, value = fragment.partition("=")
        yield ListedFile(
            name=unquote(absolute.partition("?")[0].rpartition("/")[2]),
            url=absolute,
            sha256=_digest(value.partition("&")[0]) if algorithm == "sha256" else None,
            yanked=(attributes["data-yanked"] or "") if "data-yanked" in attributes else None,
            requires_python=attributes.get("data-requires-python") or "",
            metadata=_html_metadata(attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))),
        )


class _Page(HTMLParser):
    """Collects the anchors, the base and the API version of an HTML page."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base = url
        self.version = "1.0"
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(found)
        elif tag == "base" and found.get("href"):
            self.base = urljoin(self.base, found["href"])
        elif tag == "meta" and found.get("name") == "pypi:repository-version":
            self.version = found.get("content") or self.version


def _check_version(version: str, url: str) -> None:
    if version.partition(".")[0] != _API_MAJOR:
        raise InfrastructureError(
            f"the index speaks version {version} of the simple repository API; this repro knows {_API_MAJOR}.x",
            where=redact(url),
            fix="Use a newer repro, or another index.",
        )


def _digest(text: str) -> Digest | None:
    try:
        return Digest(text.lower())
    except ValueError:
        return None
