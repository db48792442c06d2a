"""What a lock says of where a package came from: never a path of this machine, never a secret."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from repro.errors import InfrastructureError
from repro.process import run
from repro.urls import redact

_SHORTEST_TOKEN = 16
_LONGEST_WORD = 12
_FEWEST_DISTINCT = 8
_HASHED = re.compile(r"(/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}(?=/|$))")
_SCP = re.compile(r"(?P<login>[\w.-]+@[\w.-]+):(?!/)(?P<path>.+)", re.ASCII)
_REMOTE_SCHEMES = {"http", "https", "ssh", "git", "git+ssh"}


def index_source(url: str) -> str:
    """An index as a lock may name it: without tokens in its path, and only the last part of a local page's."""
    parts = urlsplit(redact(url))
    if parts.scheme == "file":
        return f"local index {unquote(parts.path).rstrip('/').rpartition('/')[2]}".rstrip()
    pieces = _HASHED.split(parts.path)
    path = "".join(piece if _HASHED.fullmatch(piece) else _without_tokens(piece) for piece in pieces)
    return urlunsplit(parts._replace(path=path))


def repository_source(tree: Path, name: str, vcs: str, commit: str) -> str:
    """A repository on this machine: where it was cloned from, else its bare name.

    Args:
        tree: The repository.
        name: What may be shown of its path.
        vcs: Such as `git`.
        commit: What is installed.
    """
    remote = _remote(tree) if vcs == "git" else None
    return f"git+{remote}@{commit}" if remote else f"local {vcs} repository {name} at {commit}"


def _remote(tree: Path) -> str | None:
    """The public form of its remote `origin`; None when there is none, or that is on this machine too."""
    try:
        said = run(["git", "-C", tree, "config", "--get", "remote.origin.url"])
    except InfrastructureError:
        return None
    url = said.stdout.strip()
    scp = _SCP.fullmatch(url)
    if not (scp or url.partition("://")[0] in _REMOTE_SCHEMES):
        return None
    return redact(f"ssh://{scp['login']}/{scp['path']}" if scp else url)


def _without_tokens(path: str) -> str:
    return "/".join("***" if _is_token(segment) else segment for segment in path.split("/"))


def _is_token(segment: str) -> bool:
    """Whether it looks like those that Cloudsmith and Gemfury put into paths: long, letters and digits, no words."""
    longest = max(re.split(r"[^A-Za-z0-9]", segment), key=len)
    mixed = any(char.isdigit() for char in longest) and any(char.isalpha() for char in longest)
    long = len(segment) >= _SHORTEST_TOKEN and len(longest) >= _LONGEST_WORD
    return long and mixed and len(set(longest)) >= _FEWEST_DISTINCT
