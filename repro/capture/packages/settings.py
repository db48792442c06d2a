"""Which package indexes to ask: flags, repro.toml, the environment, and pip's own files, in that order.

Each setting is taken whole from the first place that has it, as pip does; nothing here touches the network.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from repro.capture.config import IndexConfig
from repro.capture.packages.pip_config import pip_options
from repro.errors import UsageError
from repro.realpaths import expanded
from repro.urls import redact

PYPI = "https://pypi.org/simple"
_CORRECT = "Correct it where it is set: command line, repro.toml, environment, or `pip config list`."
_NAMED = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)=(?P<url>[A-Za-z][A-Za-z0-9+.-]*://.*)")


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where to look for published files. URLs may carry credentials: only `redact`ed ones may be shown or written.

    Attributes:
        index_url: The main index, or None when only `find_links` count.
        extra_index_urls: Further indexes, in order.
        find_links: URLs of directories or pages of files.
        ca_cert: CA certificates, or None for what the session finds by itself.
    """

    index_url: str | None = PYPI
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    ca_cert: Path | None = None

    @property
    def indexes(self) -> tuple[str, ...]:
        """Every index once, the main one first."""
        main = () if self.index_url is None else (self.index_url,)
        return tuple(dict.fromkeys(url.rstrip("/") for url in (*main, *self.extra_index_urls)))

    def __str__(self) -> str:
        return ", ".join(redact(url) for url in (*self.indexes, *self.find_links)) or "no index"


@dataclass(frozen=True, slots=True)
class IndexFlags:
    """What the command line says of indexes; None and empty mean nothing was said."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    ca_cert: Path | None = None


@dataclass(frozen=True, slots=True)
class _Level:
    """What one place says; unset fields leave the word to the next. Stale paths are forgiven as pip does."""

    url: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    ca_cert: Path | None = None
    no_index: bool = False
    forgiving: bool = False


def load_settings(
    *,
    flags: IndexFlags | None = None,
    config: IndexConfig | None = None,
    prefix: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    directory: Path | None = None,
) -> IndexSettings:
    """Put the settings together.

    Args:
        flags: The command line.
        config: `[index]` of repro.toml.
        prefix: Prefix of the captured interpreter, whose pip.conf counts too.
        environ: Variables of pip (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, PIP_NO_INDEX, PIP_CERT,
            PIP_CONFIG_FILE) and uv (UV_DEFAULT_INDEX, UV_INDEX_URL, UV_INDEX, UV_EXTRA_INDEX_URL, UV_FIND_LINKS).
        directory: What relative paths are relative to; the working directory when None.

    Raises:
        UsageError: A configuration file of pip can't be read, or a setting is neither a URL nor an existing path.
    """
    flags, config = flags or IndexFlags(), config or IndexConfig()
    levels = (
        _Level(flags.index_url, flags.extra_index_urls, flags.find_links, flags.ca_cert),
        _Level(config.url, config.extra, config.find_links),
        _environment(environ),
        _pip(pip_options(prefix, environ)),
    )
    here = directory or Path.cwd()
    return IndexSettings(
        index_url=_main(levels, here),
        extra_index_urls=_first([(level.extra, level.forgiving) for level in levels], here),
        find_links=_first([(level.find_links, level.forgiving) for level in levels], here),
        ca_cert=next((level.ca_cert for level in levels if level.ca_cert), None),
    )


def _main(levels: Sequence[_Level], here: Path) -> str | None:
    for level in levels:
        if level.url:
            return _url(level.url, here)
        if level.no_index:
            return None
    return PYPI


def _first(choices: Iterable[tuple[tuple[str, ...], bool]], here: Path) -> tuple[str, ...]:
    """The URLs that the first place with any names."""
    texts, forgiving = next(((texts, forgiving) for texts, forgiving in choices if texts), ((), False))
    return tuple(_url(text, here) for text in texts if not forgiving or _is_url(text) or _path(text, here).exists())


def _environment(environ: Mapping[str, str]) -> _Level:
    uv_main = _with_login(environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or "", environ)
    uv_extra = [
        _with_login(text, environ) for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL") for text in _words(environ, name)
    ]
    main = environ.get("PIP_INDEX_URL") or uv_main or None
    others = [*_words(environ, "PIP_EXTRA_INDEX_URL"), *uv_extra, *([uv_main] if uv_main != main else [])]
    cert = environ.get("PIP_CERT")
    return _Level(
        url=main,
        extra=tuple(text for text in others if text),
        find_links=(*_words(environ, "PIP_FIND_LINKS"), *_words(environ, "UV_FIND_LINKS", ",")),
        ca_cert=expanded(cert) if cert else None,
        no_index=_true(environ.get("PIP_NO_INDEX", "")),
        forgiving=True,
    )


def _pip(options: Mapping[str, str]) -> _Level:
    cert = options.get("cert")
    return _Level(
        url=options.get("index-url"),
        extra=tuple(_words(options, "extra-index-url")),
        find_links=tuple(_words(options, "find-links")),
        ca_cert=expanded(cert) if cert else None,
        no_index=_true(options.get("no-index", "")),
        forgiving=True,
    )


def _words(values: Mapping[str, str], name: str, separator: str | None = None) -> list[str]:
    return [word.strip() for word in values.get(name, "").split(separator) if word.strip()]


def _true(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on", "t", "y"}


def _with_login(text: str, environ: Mapping[str, str]) -> str:
    """A uv index `name=url` as a URL, with the user name and password that UV_INDEX_<NAME>_… hold for it."""
    named = _NAMED.fullmatch(text)
    if named is None:
        return text
    variable = re.sub(r"[^A-Z0-9]", "_", named["name"].upper())
    user, password = (environ.get(f"UV_INDEX_{variable}_{part}") for part in ("USERNAME", "PASSWORD"))
    parts = urlsplit(named["url"])
    if "@" in parts.netloc or not (user or password):
        return named["url"]
    login = f"{quote(user or '', safe='')}:{quote(password or '', safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def _url(text: str, here: Path) -> str:
    """A URL as it is; a path as a file URL."""
    if _is_url(text):
        _check_url(text)
        return text
    path = _path(text, here)
    if not path.exists():
        raise UsageError(
            f"neither a URL nor an existing path: {redact(text)}", where="package index settings", fix=_CORRECT
        )
    return path.resolve().as_uri()


def _check_url(text: str) -> None:
    """Refuse what no request could ever be made from."""
    try:
        parts = urlsplit(text)
        host = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = host or parts.scheme == "file"
    except ValueError:  # brackets or a port that are none
        usable = False
    if not usable:
        raise UsageError(
            f"not a URL that an index can have: {redact(text)}",
            where="package index settings",
            fix=f"It begins with https://, http:// or file://. {_CORRECT}",
        )


def _is_url(text: str) -> bool:
    return "://" in text or text.startswith("file:")


def _path(text: str, here: Path) -> Path:
    return here / expanded(text)
