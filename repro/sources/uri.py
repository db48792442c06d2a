"""Where a file can be had again, as one text: which forms there are, and how each is read and extended.

https://host/path                        http, too
s3://bucket/key?versionId=…&endpoint=…   both optional
gs://bucket/object#generation            optional
hf://[datasets/|spaces/]org/name@commit/file
git-lfs+https://host/repo.git/info/lfs#sha256=…   also git-lfs+http, git-lfs+ssh
file:///absolute, file:~/in-the-home, file:relative/to/the/project
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from repro.realpaths import expanded
from repro.urls import redact

SCHEMES = ("https", "http", "s3", "gs", "hf", "git-lfs+https", "git-lfs+http", "git-lfs+ssh", "file")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_S3 = re.compile(
    r"s3://(?P<bucket>[^/?#]+)/(?P<key>.+?)(?:\?(?P<query>(?:(?:versionId|endpoint)=[^&]*)(?:&(?:versionId|endpoint)=[^&]*)*))?"
)
_GS = re.compile(r"gs://(?P<bucket>[^/?#]+)/(?P<key>.+?)(?:#(?P<generation>\d+))?")
_HF = re.compile(r"hf://(?P<repo>(?:(?:datasets|spaces)/)?[\w.-]+(?:/[\w.-]+)?)@(?P<commit>[^/]+)/(?P<path>.+)")
_LFS = re.compile(r"git-lfs\+(?P<server>(?:https?|ssh)://[^#]+)#sha256=(?P<oid>[0-9a-f]{64})")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDER_FILE = "x"


@dataclass(frozen=True, slots=True)
class Bucket:
    """An object of S3 or of Google's storage.

    Attributes:
        name: Bucket and key, `bucket/key`.
        version: Version or generation, or None for the newest.
        endpoint: URL of the S3 service, or None for what the environment says.
    """

    name: str
    version: str | None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a Hugging Face repository; `repo` begins with `datasets/` or `spaces/` where it isn't a model."""

    repo: str
    commit: str
    path: str


@dataclass(frozen=True, slots=True)
class LfsObject:
    """An object of a Git LFS server: for https that server's URL, for ssh the repository's."""

    server: str
    oid: str


def scheme_of(text: str) -> str:
    """The scheme in lower case; empty without one."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""


def parse_s3(text: str) -> Bucket:
    """Read `s3://…`. Raises ValueError."""
    found = _matched(_S3, text, "must be s3://bucket/key")
    query = dict(part.split("=", 1) for part in (found["query"] or "").split("&") if part)
    endpoint = unquote(query.get("endpoint", ""))
    if endpoint and redact(endpoint) != endpoint:
        raise ValueError("must not hold credentials in its endpoint")
    return Bucket(f"{found['bucket']}/{found['key']}", query.get("versionId"), endpoint or None)


def parse_gs(text: str) -> Bucket:
    """Read `gs://…`. Raises ValueError."""
    found = _matched(_GS, text, "must be gs://bucket/object")
    return Bucket(f"{found['bucket']}/{found['key']}", found["generation"])


def parse_hub(text: str) -> HubFile:
    """Read `hf://…`. Raises ValueError, also for a branch or tag: both move."""
    found = _matched(_HF, text, "must be hf://org/name@commit/file")
    if not _COMMIT.fullmatch(found["commit"]):
        raise ValueError("must name a commit by its 40 hex digits: branches and tags move")
    return HubFile(found["repo"], found["commit"], found["path"])


def parse_lfs(text: str) -> LfsObject:
    """Read `git-lfs+…`. Raises ValueError."""
    found = _matched(_LFS, text, "must be git-lfs+https://server#sha256=<64 hex digits>")
    return LfsObject(found["server"], found["oid"])


def local_path(text: str, root: Path) -> Path:
    """Where a `file:` source is on this machine; relative ones start at the project root."""
    path = unquote(urlsplit(text.removeprefix("file:")).path if text.startswith("file://") else text[len("file:") :])
    if re.match(r"/[A-Za-z]:/", path):
        path = path[1:]  # file:///C:/data (RFC 8089, appendix E.2)
    return root / expanded(path)


def local_source(path: Path, root: Path, *, relative: str | None = None) -> str:
    """A `file:` source for a path of this machine that doesn't tell whose it is.

    Args:
        path: Absolute.
        root: Project root.
        relative: The path from the root, POSIX, where somebody has written it as a relative one.
    """
    if path.is_relative_to(root):
        relative = path.relative_to(root).as_posix()
    if relative is not None:
        return f"file:{quote(relative)}"
    home = Path.home()
    if path.is_relative_to(home):
        return f"file:~/{quote(path.relative_to(home).as_posix())}"
    return path.as_uri()


def problem_of(text: str) -> str | None:
    """Why a text is no source that can be fetched and may be written down; None when it is one."""
    scheme = scheme_of(text)
    if scheme not in SCHEMES:
        return f"must be a URL of one of {', '.join(SCHEMES)}; not {text!r}"
    try:
        _PARSERS.get(scheme, _plain)(text)
    except ValueError as error:
        return f"{error}; not {text!r}"
    if scheme not in {"hf", "file"} and redact(text) != text:
        return "must not hold credentials, a signature or a token: whoever pulls brings their own"
    return None


def folder_problem(text: str) -> str | None:
    """The same for the place of a whole folder, which ends with a slash."""
    try:
        return problem_of(below(text, _FOLDER_FILE))
    except ValueError as error:
        return f"{error}; not {text!r}"


def below(folder: str, path: str) -> str:
    """The source of a file in a folder. Raises ValueError when the place doesn't end with a slash."""
    scheme = scheme_of(folder)
    base, mark, query = folder.partition("?") if scheme == "s3" else (folder, "", "")
    if not base.endswith("/"):
        raise ValueError("the place of a folder must end with /")
    return f"{base}{path if scheme in {'s3', 'gs', 'hf'} else quote(path)}{mark}{query}"


def _plain(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme.startswith("http") and not parts.hostname:
        raise ValueError("must name a host")
    if not parts.path.strip("/"):
        raise ValueError("must name a file")


def _matched(pattern: re.Pattern[str], text: str, wanted: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(wanted)
    return found


_PARSERS = {
    "s3": parse_s3,
    "gs": parse_gs,
    "hf": parse_hub,
    "git-lfs+https": parse_lfs,
    "git-lfs+http": parse_lfs,
    "git-lfs+ssh": parse_lfs,
}
