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

from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.http import redact

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
_SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz")
_API_MAJOR = "1"
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
    """

    name: str
    url: str
    sha256: Digest | None = None
    size: int | None = None
    yanked: str | None = None


def parse_page(body: bytes, content_type: str, url: str) -> list[ListedFile]:
    """The files that a project page lists, in its order.

    Args:
        body: The page.
        content_type: Its Content-Type header.
        url: Where it finally came from; relative links start there.

    Raises:
        InfrastructureError: It is not a page of the simple API, or of an unknown major version.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind.endswith(("+json", "/json")):
            return list(_json_files(json.loads(body), url))
        return list(_html_files(body.decode("utf-8", "replace"), url))
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
        if path.name.endswith((".whl", *_SDISTS)) and path.is_file()
    ]


def of_release(files: Iterable[ListedFile], name: str, version: str) -> list[ListedFile]:
    """Those files that belong to one version of a project; wheel names are not parsed any further."""
    wanted = canonical_version(version)
    return [file for file in files if _release(file.name, name) == wanted]


@functools.lru_cache(maxsize=1 << 14)
def canonical_version(text: str) -> str:
    """A version in the one form that all its equals share, or as it is when it isn't one (PEP 440)."""
    return canonicalize_version(text.lower())


def _release(file_name: str, name: str) -> str | None:
    """The version in a file name when the file belongs to the project, else None."""
    if file_name.endswith(".whl"):
        project, _, rest = file_name.partition("-")
        return canonical_version(rest.partition("-")[0]) if _same(project, name) else None
    for suffix in _SDISTS:
        if file_name.endswith(suffix):
            project, _, version = file_name.removesuffix(suffix).rpartition("-")
            return canonical_version(version) if _same(project, name) else None
    return None


@functools.lru_cache(maxsize=1 << 12)
def _same(project: str, name: str) -> bool:
    return canonicalize_name(project) == canonicalize_name(name)


def _json_files(page: Mapping[str, Any], url: str) -> Iterator[ListedFile]:
    _check_version(str(page["meta"]["api-version"]), url)
    for file in page["files"]:
        yanked = file.get("yanked", False)
        reason = yanked if isinstance(yanked, str) else ""
        yield ListedFile(
            name=file["filename"],
            url=urldefrag(urljoin(url, file["url"])).url,
            sha256=_digest(file.get("hashes", {}).get("sha256", "")),
            size=file.get("size"),
            yanked=None if yanked is False else reason,
        )


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
