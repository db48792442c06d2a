"""What a lock says of a package that conda, mamba or pixi installed: its value, its table, and its text."""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from repro.digest import Digest
from repro.lock.table import Table
from repro.lock.toml import inline, table

Scripts = Literal["skip", "run"]

_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_VERSION = re.compile(r"[0-9A-Za-z_.!+~]+")
_BUILD = re.compile(r"[0-9A-Za-z_.+]+")
_SUBDIR = re.compile(r"noarch|linux-(?:64|aarch64)")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class CondaPatch:
    """A file of a package that was edited by hand on the laptop, as it is there.

    Attributes:
        path: Relative to the environment's prefix.
        sha256: Digest of its content in the object store, the image's prefix in place of the laptop's.
        size: Bytes of that.
        executable: Whether its owner may execute it.
    """

    path: str
    sha256: Digest
    size: int
    executable: bool = False


@dataclass(frozen=True, slots=True)
class CondaPackage:
    """One conda package of one target's image (conda's package specification, info/index.json).

    Attributes:
        name: Package name.
        version: Exact version.
        build: Build string, such as `py311h64a7726_0`.
        target: Platform whose image it enters.
        channel: Canonical name, such as `conda-forge`, or URL without credentials; `file` for local ones.
        subdir: `linux-64`, `linux-aarch64` or `noarch`.
        file: Name of the archive.
        url: Where that is published, without credentials; None when it only exists in the object store.
        sha256: Digest of the archive.
        size: Its bytes.
        md5: MD5 of the archive as the channel states it, in hex, for tools that want it.
        depends: Match specifications of what it needs, as its author wrote them.
        requested: Whether somebody asked for it, rather than another package.
        captured: Version and build that the laptop had, where the target has others; "" where it had no such package.
        without: Paths below the prefix that it brings and that aren't linked, because the laptop no longer has
            them or has another package's there; one that ends in `/` stands for all that is below it.
        patched: Files that were edited by hand.
        scripts: What happens to its post-link script; None where it has none.
    """

    name: str
    version: str
    build: str
    target: str
    channel: str
    subdir: str
    file: str
    url: str | None
    sha256: Digest
    size: int
    md5: str | None = None
    depends: tuple[str, ...] = ()
    requested: bool = False
    captured: str | None = None
    without: tuple[str, ...] = ()
    patched: tuple[CondaPatch, ...] = ()
    scripts: Scripts | None = None

    @property
    def label(self) -> str:
        """Name, version and build, as conda's tools write them."""
        return f"{self.name}={self.version}={self.build}"


def read_conda(data: Table) -> CondaPackage:
    """A table of `[[conda]]` (docs/formats/lock.md). Faults gather in it."""
    return CondaPackage(
        name=data.matching("name", _NAME, "the name of a conda package"),
        version=data.matching("version", _VERSION, "the version of a conda package"),
        build=data.matching("build", _BUILD, "a build string"),
        target=data.target("target"),
        channel=data.text("channel"),
        subdir=data.matching("subdir", _SUBDIR, "linux-64, linux-aarch64 or noarch"),
        file=data.file_name("file"),
        url=data.optional_text("url"),
        sha256=data.sha256("sha256"),
        size=data.size("size"),
        md5=data.matching("md5", _MD5, "32 lower-case hex digits") if data.has("md5") else None,
        depends=data.texts("depends", required=False),
        requested=data.flag("requested", default=False),
        captured=data.any_text("captured") if data.has("captured") else None,
        without=_without(data),
        patched=tuple(_patch(one) for one in data.tables("patched")),
        scripts=data.optional_choice("scripts", ("skip", "run")),
    )


def _without(data: Table) -> tuple[str, ...]:
    paths = data.texts("without", required=False)
    for index, path in enumerate(paths):
        plain = path.removesuffix("/")
        if not plain or plain.startswith(("/", "../")) or "\0" in plain or posixpath.normpath(plain) != plain:
            data.fault(f"without[{index}]", f"must be a relative path inside the environment, not {path!r}")
    return paths


def _patch(data: Table) -> CondaPatch:
    return CondaPatch(
        path=data.path("path"),
        sha256=data.sha256("sha256"),
        size=data.size("size"),
        executable=data.flag("executable", default=False),
    )


def conda_in_order(packages: Iterable[CondaPackage]) -> tuple[CondaPackage, ...]:
    """The same packages with every collection in its canonical order, but for `depends`, which is its author's."""
    return tuple(
        replace(
            package,
            without=tuple(sorted(package.without)),
            patched=tuple(sorted(package.patched, key=lambda one: one.path)),
        )
        for package in sorted(packages, key=lambda package: (package.target, package.name))
    )


def render_conda(package: CondaPackage) -> str:
    """The package's table in canonical form."""
    head = table(
        "[conda]",
        {
            "name": package.name,
            "version": package.version,
            "build": package.build,
            "target": package.target,
            "channel": package.channel,
            "subdir": package.subdir,
            "file": package.file,
            "url": package.url,
            "sha256": package.sha256.hex,
            "size": package.size,
            "md5": package.md5,
            "depends": package.depends or None,
            "requested": package.requested or None,
            "captured": package.captured,
            "without": package.without or None,
            "scripts": package.scripts,
        },
    )
    lines = "".join(f"  {_render_patch(one)},\n" for one in package.patched)
    return f"{head}patched = [\n{lines}]\n" if lines else head


def _render_patch(patch: CondaPatch) -> str:
    return inline(
        {
            "path": patch.path,
            "sha256": patch.sha256.hex,
            "size": patch.size,
            "executable": patch.executable or None,
        }
    )
