"""conda's solver (py-rattler) over the repodata of channels: what a platform has, and which set of it fits together.

Which packages to ask for is `foreign`'s; where repodata come from is `repro.conda.repodata`'s.
"""

import asyncio
import importlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from repro.conda.names import NOARCH
from repro.digest import Digest
from repro.errors import UsageError

if TYPE_CHECKING:
    from rattler import RepoDataRecord, SparseRepoData

Repodata = Callable[[str, str], Path | None]
"""The repodata.json of a channel's URL and a subdir, as a local file; None where the channel has no such subdir."""

_PYTHON = re.compile(r"python\s*(?![\w.-])")
_GENERIC = "0"
"""The build string of virtual packages that have none of their own."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that packages come from.

    Attributes:
        label: What the lock and people call it, such as `conda-forge`.
        url: Its address without credentials, without a `/` at the end.
    """

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Published:
    """A package as a channel's repodata describe it (CEP 36, `info/index.json` and hashes).

    Attributes:
        name: Package name.
        version: Exact version.
        build: Build string.
        channel: Where it is.
        subdir: Its folder there.
        file: Name of the archive.
        url: Its address, without credentials.
        sha256: Digest of the archive; None in old repodata.
        md5: Its MD5 in hex.
        size: Its bytes.
        depends: Match specifications of what it needs.
        build_number: Which build of that version it is.
    """

    name: str
    version: str
    build: str
    channel: Channel
    subdir: str
    file: str
    url: str
    sha256: Digest | None
    md5: str | None
    size: int | None
    depends: tuple[str, ...]
    build_number: int = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why no set of packages fits.

    Attributes:
        message: The solver's explanation, a tree over several lines.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the solver is asked.

    Attributes:
        specs: Match specifications of what has to be there.
        constraints: Match specifications that hold for what is there, asked for or not.
        flexible: Whether a channel may give what one before it has in other versions; else the first channel that
            has a name is the only one for it (conda's strict priority).
        preferred: Addresses, or file names, of packages to take where they fit, from whatever channel.
    """

    specs: tuple[str, ...]
    constraints: tuple[str, ...]
    flexible: bool = False
    preferred: frozenset[str] = frozenset()

    def under(self, constraints: Iterable[str]) -> "Question":
        """The same question with further constraints."""
        return replace(self, constraints=(*self.constraints, *constraints))


def load_rattler() -> ModuleType:
    """py-rattler. Raises UsageError where it isn't installed."""
    try:
        import rattler  # noqa: PLC0415 - an extra, which other commands do without
    except ImportError as error:
        raise UsageError(
            "conda packages for another platform than this machine's need conda's solver, which isn't installed",
            fix="Install it beside repro (pip install 'repro[conda]'), or capture for this machine's own platform.",
        ) from error
    return rattler


def virtual_packages(target: str, glibc: str) -> dict[str, tuple[str, str]]:
    """What a target's machine and base bring: version and build by name (CEP 30). Images count on no GPU.

    Args:
        target: Such as `linux/amd64`.
        glibc: Version of the base image's C library.
    """
    machine = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}[target]
    return {
        "__unix": ("0", _GENERIC),
        "__linux": ("4.18", _GENERIC),  # the oldest kernel that runs today's engines: RHEL 8's
        "__glibc": (glibc, _GENERIC),
        "__archspec": ("1", machine),
    }


@dataclass(slots=True)
class Solver:
    """The packages that channels have for one subdir and `noarch`.

    Attributes:
        channels: In the order of their priority.
        subdir: Such as `linux-64`.
    """

    channels: Sequence[Channel]
    subdir: str
    _virtual: list[Any] = field(default_factory=list)
    _sparse: "list[tuple[Channel, SparseRepoData]]" = field(default_factory=list)
    _known: "dict[str, tuple[Published, ...]]" = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        channels: Sequence[Channel],
        subdir: str,
        repodata: Repodata,
        virtual: Mapping[str, tuple[str, str]],
    ) -> "Solver":
        """Read what the channels have.

        Args:
            channels: In the order of their priority.
            subdir: Such as `linux-64`.
            repodata: Gets the index of one channel and subdir.
            virtual: Version and build of what the platform itself brings, by name.

        Raises:
            UsageError: py-rattler isn't installed.
            InfrastructureError: A channel can't be reached.
        """
        rattler = load_rattler()
        made = cls(channels, subdir)
        for name, (version, build) in virtual.items():
            known = rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build)
            made._virtual.append(rattler.GenericVirtualPackage(*known))
        for channel in channels:
            for folder in (subdir, NOARCH):
                path = repodata(channel.url, folder)
                if path is not None:
                    made._sparse.append((channel, rattler.SparseRepoData(rattler.Channel(channel.url), folder, path)))
        return made

    def published(self, name: str) -> tuple[Published, ...]:
        """Every package of this name, in the channels' order."""
        if name not in self._known:
            found = [_published(one, channel) for channel, sparse in self._sparse for one in sparse.load_records(name)]
            self._known[name] = tuple(found)
        return self._known[name]

    def solve(self, question: Question) -> tuple[Published, ...] | Conflict:
        """The newest packages that answer a question, by name, or why there are none."""
        rattler = load_rattler()
        solver_error = importlib.import_module("rattler.exceptions").SolverError
        priority = rattler.ChannelPriority.Flexible if question.flexible else rattler.ChannelPriority.Strict
        solving = rattler.solve_with_sparse_repodata(
            specs=[rattler.MatchSpec(one) for one in question.specs],
            sparse_repodata=[sparse for _, sparse in self._sparse],
            constraints=[rattler.MatchSpec(one) for one in question.constraints],
            locked_packages=self._records(question.preferred),
            virtual_packages=self._virtual,
            channel_priority=priority,
        )
        try:
            records = asyncio.run(_awaited(solving))
        except solver_error as error:
            return Conflict(str(error).removeprefix("Cannot solve the request because of: ").strip())
        by_address = {rattler.Channel(channel.url).base_url: channel for channel in self.channels}
        found = [_published(one, by_address[one.channel]) for one in records]
        return tuple(sorted(found, key=lambda one: one.name))

    def _records(self, wanted: Collection[str]) -> "list[RepoDataRecord]":
        """The packages with these addresses or file names, the first channel's where several have one."""
        found: dict[str, RepoDataRecord] = {}
        for name in sorted({one.rpartition("/")[2].rsplit("-", 2)[0] for one in wanted}):
            for _, sparse in self._sparse:
                for one in sparse.load_records(name):
                    if one.url in wanted or one.file_name in wanted:
                        found.setdefault(one.file_name, one)
        return list(found.values())


async def _awaited(solving: Any) -> Any:
    return await solving


def _published(record: "RepoDataRecord", channel: Channel) -> Published:
    return Published(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        channel=channel,
        subdir=record.subdir,
        file=record.file_name,
        url=record.url,
        sha256=Digest(record.sha256.hex()) if record.sha256 else None,
        md5=record.md5.hex() if record.md5 else None,
        size=record.size,
        depends=tuple(record.depends),
        build_number=record.build_number,
    )


def runs_with(package: Published, python: str) -> bool:
    """Whether a package's own requirements let it run with a version of Python; those of others aren't looked at."""
    rattler = load_rattler()
    wanted = [rattler.MatchSpec(spec).version for spec in package.depends if _PYTHON.match(spec)]
    version = rattler.Version(python)
    return all(text is None or rattler.VersionSpec(text).matches(version) for text in wanted)


def nearest(version: str, others: Iterable[str]) -> list[str]:
    """Other versions, those that share most of their leading parts with this one first, then the closest in order."""
    order = load_rattler().Version
    parts = _parts(version)
    ranked = sorted({*others, version}, key=order)
    here = ranked.index(version)

    def distance(other: str) -> tuple[int, int, int]:
        shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(parts, _parts(other), strict=False))))
        steps = ranked.index(other) - here
        return -shared, abs(steps), -steps

    return sorted((one for one in ranked if one != version), key=distance)


def _parts(version: str) -> list[str]:
    return version.replace("_", ".").replace("-", ".").split(".")
