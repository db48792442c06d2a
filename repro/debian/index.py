"""The packages that archives offer for one architecture, read from signed indexes. Which are needed: `resolve`."""

import bz2
import gzip
import lzma
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from repro.debian.control import Clause, Fields, paragraphs, relations
from repro.debian.release import Release, read_release
from repro.debian.sources import Source, at_mirror
from repro.debian.version import version_key
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.http import Session, network_errors
from repro.progress import Progress
from repro.store.fetch import Wanted, fetch_all
from repro.store.objects import ObjectStore
from repro.urls import redact

_DECOMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    "": bytes,
}
_PACKAGE = re.compile(r"^Package: (\S+)$", re.MULTILINE)
_PROVIDES = re.compile(r"^Provides: (.+)$", re.MULTILINE)
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Candidate:
    """One package that an archive offers.

    Attributes:
        name: Package name.
        version: Its version.
        architecture: Debian's name, or `all`.
        url: Where the .deb is published, without credentials.
        sha256: Digest of the .deb.
        size: Its bytes.
        fields: Its paragraph in the index.
    """

    name: str
    version: str
    architecture: str
    url: str
    sha256: Digest
    size: int
    fields: Fields

    @property
    def depends(self) -> tuple[Clause, ...]:
        """Pre-Depends and Depends; recommendations are not followed."""
        return relations(self.fields.get("pre-depends", "")) + relations(self.fields.get("depends", ""))


class Index:
    """Everything that several archives offer, looked up by name; a paragraph is parsed when it is asked for.

    Attributes:
        texts: Pairs of an archive's root and the text of a Packages file.
    """

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        self.texts = tuple(texts)
        self._found: dict[str, tuple[Candidate, ...]] = {}

    def joined(self, other: "Index") -> "Index":
        """What either offers."""
        return Index((*self.texts, *other.texts))

    def named(self, name: str) -> tuple[Candidate, ...]:
        """The packages of that name, highest version first; of equal ones the first source's."""
        if name not in self._found:
            distinct: dict[tuple[str, Digest], Candidate] = {}
            for candidate in self._parsed(name):
                distinct.setdefault((candidate.version, candidate.sha256), candidate)
            self._found[name] = tuple(sorted(distinct.values(), key=lambda one: version_key(one.version), reverse=True))
        return self._found[name]

    def providers(self, name: str) -> tuple[Candidate, ...]:
        """The packages that provide a virtual name, ordered by priority, then name, highest version first."""
        names = sorted(self._providers.get(name, ()))
        found = [candidate for provider in names for candidate in self.named(provider)]
        return tuple(sorted((one for one in found if _provides(one, name)), key=lambda one: _rank(one.fields)))

    def similar(self, name: str) -> list[str]:
        """Names that begin alike, for a message about one that isn't there."""
        return sorted(known for known in self._places if known.startswith(name[:-1]) and name[:-1])[:5]

    def _parsed(self, name: str) -> list[Candidate]:
        found: list[Candidate] = []
        for text, start in self._places.get(name, ()):
            uri, packages = self.texts[text]
            end = packages.find("\n\n", start)
            found += (
                _candidate(fields, uri) for fields in paragraphs(packages[start : end if end >= 0 else None], uri)
            )
        return found

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        places: dict[str, list[tuple[int, int]]] = {}
        for number, (_, packages) in enumerate(self.texts):
            for match in _PACKAGE.finditer(packages):
                places.setdefault(match[1], []).append((number, match.start()))
        return places

    @cached_property
    def _providers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for _, packages in self.texts:
            for match in _PROVIDES.finditer(packages):
                owner = packages.rfind("\nPackage: ", 0, match.start())
                start = owner + len("\nPackage: ") if owner >= 0 else len("Package: ")
                package = packages[start : packages.index("\n", start)]
                for clause in relations(match[1]):
                    found.setdefault(clause[0].name, set()).add(package)
        return found


def load_index(
    sources: Sequence[Source],
    architecture: str,
    *,
    sessions: Callable[[], Session],
    cache: ObjectStore,
    progress: Progress,
) -> Index:
    """Fetch and check the indexes of every source.

    Args:
        sources: From `repro.debian.sources`.
        architecture: Debian's name, such as `arm64`.
        sessions: Gives each thread its session.
        cache: Where indexes are kept.
        progress: Told of downloads.

    Raises:
        IntegrityError: A signature or digest is wrong.
        InfrastructureError: An archive can't be reached, or is out of date.
    """
    texts = []
    for source in sources:
        if source.architectures and architecture not in source.architectures:
            continue
        release = fetch_release(source, sessions)
        for component in source.components:
            for folder in (architecture, "all") if release.all_apart else (architecture,):
                path = f"{component}/binary-{folder}/Packages"
                found = fetch_file(source, release, path, sessions=sessions, cache=cache, progress=progress)
                texts.append((redact(source.uri), _text(found, f"{source.label} {path}")))
    return Index(texts)


def fetch_release(source: Source, sessions: Callable[[], Session]) -> Release:
    """The suite's checked release file. Raises as `load_index` does."""
    published = f"{source.uri}/dists/{source.suite}/InRelease"
    url, session = at_mirror(published), sessions()
    with network_errors(url, session.trust):
        response = session.get(url)
    if not response.ok:
        raise InfrastructureError(
            f"{redact(url)} answered {response.status_code} {response.reason or ''}".rstrip(),
            where=source.label,
            fix="Check the apt sources of the base image; REPRO_DEBIAN_MIRROR names another mirror of Debian.",
        )
    return read_release(response.content, source, redact(url), datetime.now(UTC))


def fetch_file(
    source: Source,
    release: Release,
    path: str,
    *,
    sessions: Callable[[], Session],
    cache: ObjectStore,
    progress: Progress,
    kinds: Sequence[str] = tuple(_DECOMPRESSORS),
) -> tuple[Path, str] | None:
    """Fetch one index, checked against the release file.

    Args:
        source: The suite.
        release: Its release file.
        path: The index, without the ending of a compression.
        sessions: Gives each thread its session.
        cache: Where it is kept.
        progress: Told of the download.
        kinds: Endings in order of preference.

    Returns:
        The compressed file and its ending, or None when the suite has no such index.

    Raises:
        IntegrityError: It is not what the release file says.
        InfrastructureError: It can't be had.
    """
    suffix = next((kind for kind in kinds if path + kind in release.files), None)
    if suffix is None:
        return None
    digest, size = release.files[path + suffix]
    name = f"{path.rpartition('/')[0]}/by-hash/SHA256/{digest.hex}" if release.by_hash else path + suffix
    url = at_mirror(f"{source.uri}/dists/{source.suite}/{name}")
    wanted = Wanted(f"{source.suite}/{path}{suffix}", digest, size, url)
    found = fetch_all([wanted], stores=(), cache=cache, sessions=sessions, progress=progress)
    return found[digest], suffix


def _text(fetched: tuple[Path, str] | None, label: str) -> str:
    if fetched is None:
        return ""
    path, suffix = fetched
    try:
        return _DECOMPRESSORS[suffix](path.read_bytes()).decode("utf-8", "replace")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise IntegrityError(f"an index can't be decompressed: {error}", where=label) from error


def _candidate(fields: Fields, uri: str) -> Candidate:
    name = fields.get("package", "a package")
    try:
        path = fields["filename"].removeprefix("./")
        version = fields["version"]
        version_key(version)
        if ".." in path.split("/") or path.startswith("/"):
            raise IntegrityError(f"{name} is said to be at {path!r}", where=uri)
        return Candidate(
            name=fields["package"],
            version=version,
            architecture=fields["architecture"],
            url=f"{uri}/{path}",
            sha256=Digest(fields["sha256"]),
            size=int(fields["size"]),
            fields=fields,
        )
    except KeyError as error:
        raise IntegrityError(f"the index lacks {error} of {name}", where=uri) from error
    except ValueError as error:
        raise IntegrityError(f"the index says nonsense about {name}: {error}", where=uri) from error


def _provides(candidate: Candidate, name: str) -> bool:
    return any(clause[0].name == name for clause in relations(candidate.fields.get("provides", "")))


def _rank(fields: Fields) -> tuple[int, str]:
    order = ("required", "important", "standard", "optional", "extra")
    priority = fields.get("priority", "extra")
    return order.index(priority) if priority in order else len(order), fields["package"]
