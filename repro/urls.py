"""URLs without the secrets that may be in them, for messages, locks and caches."""

import re
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

_SECRET = re.compile(
    r"x-(amz|goog|ms)-.*|sig|sign|signature|.*token|.*key|.*secret|password|passwd|auth|credential|policy|key-pair-id",
    re.IGNORECASE,
)
_CHANNEL_TOKEN = re.compile(r"/t/[^/]+(?=/|$)")


def redact(url: str) -> str:
    """The URL without user info, secret query values (signatures, tokens, keys) and channel tokens (`/t/<token>/`).

    The user name of an SSH URL stays: it is an account of the server, not of a person.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return re.sub(r"//[^/@]*@", "//", url)
    userinfo, at, host = parts.netloc.rpartition("@")
    keep = at and parts.scheme.endswith("ssh") and ":" not in userinfo
    path = _CHANNEL_TOKEN.sub("/t/***", parts.path)
    return urlunsplit(parts._replace(netloc=parts.netloc if keep else host, path=path, query=_without_secrets(parts)))


def _without_secrets(parts: SplitResult) -> str:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not _SECRET.fullmatch(name)]
    return parts.query if kept == pairs else urlencode(kept)


def host_of(url: str) -> str:
    """Host and port for messages, without user info."""
    found = re.match(r"[^:/]+://([^/?#]+)", redact(url))
    return found[1] if found else redact(url)
