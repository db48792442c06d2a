"""Every HTTP request goes out from here: trust, proxies, credentials, retries, caching, and errors that name the host.

What the bytes mean is not known here: see `repro.store.fetch` for files and `repro.capture.packages` for indexes.
"""

import contextlib
import functools
import ipaddress
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import requests
import truststore
from cachecontrol.adapter import CacheControlAdapter
from cachecontrol.caches import FileCache
from cachecontrol.heuristics import BaseHeuristic
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_environ_proxies, get_netrc_auth, select_proxy
from urllib3.exceptions import MaxRetryError, NameResolutionError, ReadTimeoutError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

from repro import __version__
from repro.errors import InfrastructureError, UsageError
from repro.urls import host_of, redact

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
_CONNECTIONS = 16  # kept open for each host
_FRESH_FOR = 600
_CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Session(requests.Session):
    """A requests session with our trust, credentials and retries. Not thread-safe: see `per_thread`.

    Attributes:
        trust: Whose certificates are believed, for people.
    """

    def __init__(self, trust: str) -> None:
        super().__init__()
        self.trust = trust

    def merge_environment_settings(self, url: Any, *args: Any, **kwargs: Any) -> Any:
        """Proxies come from the environment; which certificates to trust was decided before."""
        merged = super().merge_environment_settings(url, *args, **kwargs)
        return {**merged, "proxies": {} if _on_this_machine(url) else merged["proxies"], "verify": True}

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send with our timeouts unless the caller gave others."""
        kwargs["timeout"] = kwargs.get("timeout") or (CONNECT_TIMEOUT, READ_TIMEOUT)
        return super().send(request, **kwargs)


def session(
    *,
    ca_cert: Path | None = None,
    cache: Path | None = None,
    credentials: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Session:
    """A session for one thread.

    Proxies (HTTP_PROXY, HTTPS_PROXY, NO_PROXY; never for servers on this machine) and netrc (NETRC) are read from the
    process' environment.

    Args:
        ca_cert: File or directory of CA certificates; else the variable that is set of PIP_CERT, REQUESTS_CA_BUNDLE,
            CURL_CA_BUNDLE and SSL_CERT_FILE; else the operating system's trust store.
        cache: Directory for answers that may be reused; None for none. Answers to requests that
            carried credentials are never kept.
        credentials: URLs whose user names and passwords are used for every request to the same host.
        environ: Where those variables are looked up.

    Raises:
        UsageError: The CA certificates can't be read.
    """
    context, trust = _trust(ca_cert, environ)
    made = Session(trust)
    made.headers["User-Agent"] = f"repro/{__version__}"
    made.auth = _Credentials(credentials)
    retries = _Retry(total=3, read=1, backoff_factor=0.3, status_forcelist=(502, 503, 504), raise_on_status=False)
    if cache is None:
        adapter = _Trusting(context, max_retries=retries)
    else:
        adapter = _CachingAdapter(context, cache=FileCache(str(cache)), heuristic=_TenMinutes(), max_retries=retries)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def per_thread(make: Callable[[], Session]) -> Callable[[], Session]:
    """The same session again and again for each thread that asks; connections are shared.

    A requests session is not made for several threads (its cookies), urllib3's connection pools below it are.
    None is made before somebody asks: reading the certificates that are trusted takes a while.
    """
    local, lock = threading.local(), threading.Lock()
    adapters: list[Any] = []

    def mine() -> Session:
        with lock:
            if not hasattr(local, "session"):
                local.session = make()
                if not adapters:
                    adapters.append(local.session.adapters)
                local.session.adapters = adapters[0]
        found: Session = local.session
        return found

    return mine


@contextlib.contextmanager
def network_errors(url: str, trust: str) -> Iterator[None]:
    """Turn what requests raises into errors that name the host, the proxy and the certificates in use.

    Raises:
        InfrastructureError: The host can't be found, reached or trusted, or broke off.
        UsageError: It is not a URL that can be requested.
    """
    try:
        yield
    except requests.RequestException as error:
        raise _explain(error, url, trust) from error


def broke_off(error: BaseException | None) -> bool:
    """Whether a body ended early: what had begun well may be worth another try."""
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return True
    return isinstance(error, requests.ConnectionError) and isinstance(next(iter(error.args), None), ReadTimeoutError)


def named_ca(ca_cert: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The CA certificates that `session` takes with these arguments; None for the system's."""
    return ca_cert or next((Path(environ[name]) for name in _CA_VARIABLES if environ.get(name)), None)


def _trust(ca_cert: Path | None, environ: Mapping[str, str]) -> tuple[ssl.SSLContext, str]:
    path = named_ca(ca_cert, environ)
    if path is None:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "the system's trust store"
    named = (name for name in _CA_VARIABLES if environ.get(name) and Path(environ[name]) == path)
    origin = next(named, "--ca-cert")  # callers, too, read the variables
    try:
        return _context(path), f"{path} ({origin})"
    except OSError as error:
        raise UsageError(
            f"can't read the CA certificates that {origin} names: {error}",
            where=str(path),
            fix=f"Correct {origin}: it must name a PEM file or a directory of them.",
        ) from error


@functools.cache
def _context(path: Path) -> ssl.SSLContext:
    """One for all threads: reading a large bundle takes a while."""
    is_folder = path.is_dir()
    return ssl.create_default_context(cafile=None if is_folder else str(path), capath=str(path) if is_folder else None)


class _Trusting(HTTPAdapter):
    """An adapter whose certificates are those of one context and no others."""

    def __init__(self, context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
        self._context = context
        super().__init__(*args, **{"pool_maxsize": _CONNECTIONS, **kwargs})

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002 - as in HTTPAdapter
        conn.cert_reqs = "CERT_REQUIRED"


class _CachingAdapter(_Trusting, CacheControlAdapter):
    pass


class _TenMinutes(BaseHeuristic):
    """Answers that say nothing about their age are good for ten minutes, as on PyPI."""

    def update_headers(self, response: BaseHTTPResponse) -> dict[str, str]:
        if "cache-control" in response.headers or "expires" in response.headers:
            return {}
        return {"cache-control": f"max-age={_FRESH_FOR}"}


class _Retry(Retry):
    """Try again what may pass; a name that doesn't resolve and a certificate that isn't trusted are final."""

    def increment(self, *args: Any, **kwargs: Any) -> Self:
        error = kwargs.get("error")
        if isinstance(error, NameResolutionError | SSLError):
            raise MaxRetryError(kwargs["_pool"], args[1], error) from error
        return super().increment(*args, **kwargs)


class _Credentials(AuthBase):
    """Basic authentication from the URL itself, else from the URLs given at the start, else from netrc."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._known = {host_of(url): found for url in urls if (found := _userinfo(url))}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        found = _userinfo(url) or self._known.get(host_of(url)) or get_netrc_auth(url)
        if found is None:
            return request
        request.headers["Cache-Control"] = "no-cache, no-store"
        HTTPBasicAuth(*found)(request)
        return request


def _userinfo(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


def _on_this_machine(url: str) -> bool:
    """Such servers are spoken to without TLS: what is sent to them must not leave by a proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _explain(error: requests.RequestException, url: str, trust: str) -> InfrastructureError | UsageError:
    if isinstance(error, ValueError) and "SOCKS" not in str(error):  # InvalidURL, MissingSchema, InvalidSchema
        return UsageError(f"not a URL that can be requested: {redact(url)}", fix="Correct the URL.")
    host = host_of(url)
    proxy = None if _on_this_machine(url) else select_proxy(url, get_environ_proxies(url))
    route = f"through the proxy {redact(proxy)}" if proxy else "without a proxy"
    details = f"{redact(url)}\nrequested {route}, trusting {trust}"
    reason = _reason(error)
    match error:
        case requests.exceptions.SSLError():
            return InfrastructureError(
                f"the certificate of {host} is not trusted: {reason}",
                fix="If a company proxy or private CA signed it, name that CA's PEM file with --ca-cert.",
                details=details,
            )
        case requests.exceptions.ProxyError():
            return InfrastructureError(
                f"the proxy {redact(proxy or '')} does not let us reach {host}: {reason}",
                fix="Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY.",
                details=details,
            )
        case requests.Timeout():
            what = f"{host} did not answer in time"
        case requests.ConnectionError() if isinstance(_innermost(error), NameResolutionError):
            what = f"the name {host} can't be resolved"
        case requests.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            what = f"the connection to {host} failed: {reason}"
        case _:
            what = f"the request to {host} failed: {reason}"
    return InfrastructureError(what, fix="Check the network and the proxy settings, then try again.", details=details)


def _innermost(error: BaseException) -> BaseException:
    """What urllib3 ran into, below what requests and its retries wrapped around it."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _innermost(inner)
    return error


def _reason(error: BaseException) -> str:
    """One line without URLs or addresses of objects."""
    inner = _innermost(error)
    text = str(getattr(inner, "strerror", None) or inner) or type(inner).__name__
    return re.sub(r"^.*?object at 0x[0-9a-f]+>: |^HTTPS?Connection\(host=[^)]*\): ", "", text)
