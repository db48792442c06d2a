"""Indexes and find-links on this machine's own disk: pages and directories instead of answers."""

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from repro.capture.packages.simple import ListedFile, list_directory, parse_page
from repro.errors import InfrastructureError


def local_path(url: str) -> Path | None:
    """The place that a `file:` URL names; None for any other."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def is_there(file: ListedFile) -> bool:
    """Whether a listed file can be there: one on this machine may have gone."""
    path = local_path(file.url)
    return path is None or path.is_file()


def local_page(path: Path, url: str) -> list[ListedFile]:
    """A page of an index or of find-links on disk: `index.html` of a directory, an HTML file, or the directory.

    Raises:
        InfrastructureError: It can't be read, or is no such page.
    """
    page = path / "index.html" if path.is_dir() else path
    try:
        if page.is_file():
            return parse_page(page.read_bytes(), "text/html", f"{url.rstrip('/')}/" if path.is_dir() else url)
        return list_directory(path) if path.is_dir() else []
    except OSError as error:
        raise InfrastructureError(f"can't read an index page: {error.strerror}", where=str(page)) from error
