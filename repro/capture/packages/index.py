"""Asking package indexes, many pages at a time: which files are published for a name and version."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from packaging.utils import canonicalize_name

from repro.capture.packages.local_pages import is_there, local_page, local_path
from repro.capture.packages.settings import IndexSettings
from repro.capture.packages.simple import ACCEPT, ListedFile, Page, of_release, release_of
from repro.capture.packages.sizes import Sizes
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.http import Session, network_errors, per_thread, session
from repro.progress import Progress, Silent
from repro.store import ObjectStore, artifact_cache, http_cache
from repro.urls import redact

_WORKERS = 6  # more gain nothing, and small name servers drop bursts of look-ups for as many new connections
_BLOCK = 1 << 18
_ABSENT = {403, 404, 410}
"""403 too: object storage answers so for what isn't there."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A published file.

    Attributes:
        name: File name.
        url: Where to get it; may carry credentials, so only `redact(url)` may be shown or written.
        sha256: Digest, or None while it isn't known (see `IndexClient.complete`).
        size: Bytes, or None while they aren't known.
        yanked: Why it was withdrawn (may be ""); None when it wasn't.
        index: The index that lists it, fit to be shown.
        requires_python: Specifier of the Pythons that it is for, or "".
        metadata: Whether its METADATA is published beside it, and with which digest (PEP 658).
    """

    name: str
    url: str
    sha256: Digest | None
    size: int | None
    yanked: str | None
    index: str
    requires_python: str = ""
    metadata: Digest | bool = False

    @property
    def local_path(self) -> Path | None:
        """The file on this machine when it is published by path only, else None."""
        return local_path(self.url)


class IndexClient:
    """Look-ups in every index of the settings, remembered for the life of the client. Safe for several threads.

    Args:
        settings: Where to look.
        cache: Where files are kept that had to be downloaded to learn their digest; the user's cache when None.
        pages: Where answers may be kept between runs; the user's cache when None.
        progress: Told of oddities.

    Attributes:
        file_sessions: Gives each thread a session for downloads, with the credentials of the indexes.
    """

    def __init__(
        self,
        settings: IndexSettings,
        *,
        cache: ObjectStore | None = None,
        pages: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings
        self._cache = cache or artifact_cache()
        self._progress = progress or Silent()
        self._pages: dict[tuple[str, str], Page | list[ListedFile]] = {}
        self._lock = threading.Lock()
        kept = pages or http_cache()
        self._sizes = Sizes(kept / "sizes.json")
        self._page_session = self._sessions(kept)
        self.file_sessions = self._sessions(None)

    def look_up(self, releases: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[IndexFile]]:
        """The files of many releases, asked for at the same time (see `files`)."""
        wanted = sorted({(str(canonicalize_name(name)), version) for name, version in releases})
        places = [*self.settings.indexes, *self.settings.find_links]
        pages = {(place, "" if place in self.settings.find_links else name) for place in places for name, _ in wanted}
        concurrently(lambda page: self._page(*page), sorted(pages))
        return {release: self.files(*release) for release in wanted}

    def files(self, name: str, version: str) -> list[IndexFile]:
        """The files published for one release, in the order of the settings' indexes.

        A file that several indexes have with the same digest appears once, from the first that has it by https;
        one that differs between indexes appears for each of them.

        Raises:
            InfrastructureError: An index can't be reached, wants credentials, or answers nonsense.
        """
        project = str(canonicalize_name(name))
        found = [
            self._index_file(file, index)
            for place, page, index in self._places(project)
            for file in of_release(self._listed(place, page, version), project, version)
            if is_there(file)
        ]
        return _distinct(found)

    def versions(self, name: str) -> list[str]:
        """Every version that any index has a file of, in canonical form and no particular order."""
        project = str(canonicalize_name(name))
        listed = (file for place, page, _ in self._places(project) for file in self._listed(place, page))
        found = (release_of(file.name, project) for file in listed)
        return list(dict.fromkeys(version for version in found if version is not None))

    def text(self, url: str) -> bytes | None:
        """A small document beside a file, from the cache of answers where that may be; None when there is none.

        Raises:
            InfrastructureError: It can't be reached.
        """
        asking = self._page_session()
        with network_errors(url, asking.trust):
            response = asking.get(url)
        if response.status_code in _ABSENT:
            return None
        _check(response, url)
        return response.content

    def kept(self, file: IndexFile) -> Path | None:
        """The file on this machine, where it is published by path or was downloaded before."""
        if file.local_path is not None:
            return file.local_path
        path = None if file.sha256 is None else self._cache.path(file.sha256)
        return path if path is not None and path.is_file() else None

    def download(self, file: IndexFile) -> Path:
        """The whole file, in the cache. Raises InfrastructureError: it can't be reached, or isn't what is announced."""
        known = self.kept(file)
        if known is not None:
            return known
        sha256 = self._download(file).sha256
        if sha256 is None:
            raise AssertionError(file.name)  # what was downloaded has a digest
        return self._cache.path(sha256)

    def complete(self, files: Iterable[IndexFile]) -> dict[IndexFile, IndexFile]:
        """The same files with digest and size known: from the index, else by HEAD, else by downloading them.

        Raises:
            InfrastructureError: A file can't be reached.
        """
        wanted = sorted(set(files), key=lambda file: (file.name, file.url))
        found = concurrently(self._complete, wanted)
        self._sizes.save()
        return dict(zip(wanted, found, strict=True))

    def _places(self, project: str) -> list[tuple[str, str, str]]:
        return [
            *((index, project, redact(index)) for index in self.settings.indexes),
            *((place, "", redact(place)) for place in self.settings.find_links),
        ]

    def _sessions(self, pages: Path | None) -> Callable[[], Session]:
        credentials = (*self.settings.indexes, *self.settings.find_links)
        return per_thread(lambda: session(ca_cert=self.settings.ca_cert, cache=pages, credentials=credentials))

    def _listed(self, place: str, project: str, version: str | None = None) -> list[ListedFile]:
        """What one page lists, or of that what can belong to a version; `project` is "" for a find-links place."""
        page = self._page(place, project)
        return page.files(version) if isinstance(page, Page) else page

    def _page(self, place: str, project: str) -> Page | list[ListedFile]:
        """One page, asked for once."""
        key = (place, project)
        with self._lock:
            if key in self._pages:
                return self._pages[key]
        url = f"{place}/{project}/" if project else place
        path = local_path(url)
        found = self._request_page(url) if path is None else local_page(path, url)
        with self._lock:
            return self._pages.setdefault(key, found)

    def _request_page(self, url: str) -> Page | list[ListedFile]:
        asking = self._page_session()
        with network_errors(url, asking.trust):
            response = asking.get(url, headers={"Accept": ACCEPT})
        if response.status_code in _ABSENT:
            return []
        _check(response, url)
        return Page(response.content, response.headers.get("Content-Type", ""), response.url)

    def _index_file(self, file: ListedFile, index: str) -> IndexFile:
        path = local_path(file.url)
        sha256 = file.sha256 or (None if path is None else Digest.of_file(path))
        return IndexFile(
            file.name, file.url, sha256, file.size, file.yanked, index, file.requires_python, file.metadata
        )

    def _complete(self, file: IndexFile) -> IndexFile:
        path = file.local_path
        if path is not None:
            return replace(file, sha256=file.sha256 or Digest.of_file(path), size=path.stat().st_size)
        if file.sha256 is None:
            return self._download(file)
        if file.size is None:
            cached = self._cache.path(file.sha256)
            size = cached.stat().st_size if cached.is_file() else self._sizes.get(file.sha256) or self._size(file.url)
            if size is None:
                return self._download(file)
            self._sizes.add(file.sha256, size)
            return replace(file, size=size)
        return file

    def _size(self, url: str) -> int | None:
        """The size that the server announces, by HEAD or, where that isn't allowed, by asking for the first byte."""
        asking = self.file_sessions()
        headers = {"Accept-Encoding": "identity"}
        with network_errors(url, asking.trust):
            answer = asking.head(url, headers=headers, allow_redirects=True)
            if answer.ok and answer.headers.get("Content-Length", "").isdecimal():
                return int(answer.headers["Content-Length"])
            with asking.get(url, headers={**headers, "Range": "bytes=0-0"}, stream=True) as part:
                _check(part, url)
                total = part.headers.get("Content-Range", "").rpartition("/")[2]
                return int(total) if total.isdecimal() else None

    def _download(self, file: IndexFile) -> IndexFile:
        """The file's digest and size from its bytes, which stay in the cache."""
        asking = self.file_sessions()
        with (
            network_errors(file.url, asking.trust),
            asking.get(file.url, headers={"Accept-Encoding": "identity"}, stream=True) as response,
            self._cache.incoming() as incoming,
        ):
            _check(response, file.url)
            for block in response.iter_content(_BLOCK):
                incoming.write(block)
        if file.sha256 not in {None, incoming.digest}:
            raise InfrastructureError(
                f"{redact(file.url)} is not the file that its index announces: "
                f"expected {file.sha256}, found {incoming.digest}",
                where=file.name,
                fix="Try again; if it stays so, tell whoever runs the index.",
            )
        return replace(file, sha256=incoming.digest, size=incoming.size)


def _check(response: requests.Response, url: str) -> None:
    if response.ok:
        return
    raise InfrastructureError(
        f"{redact(url)} answered {response.status_code} {response.reason or ''}".rstrip(),
        fix="Give credentials in netrc or in the index URL."
        if response.status_code in {401, 407}
        else "Try again, or take this index out of the settings.",
    )


def _distinct(files: Sequence[IndexFile]) -> list[IndexFile]:
    """Each content of a name once, in its first place, by https where any index has it so."""
    kept: dict[tuple[str, Digest | str], IndexFile] = {}
    for file in files:
        key = (file.name, file.sha256 or file.url)
        if key not in kept or (_is_public(file) and not _is_public(kept[key])):
            kept[key] = file
    return list(kept.values())


def _is_public(file: IndexFile) -> bool:
    return urlsplit(file.url).scheme == "https"


def concurrently(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """The results in the order of the items, a few at a time; the first fault ends it."""
    pool = ThreadPoolExecutor(_WORKERS, "index")
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
