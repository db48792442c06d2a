"""What we put over a base is what dpkg leaves there, path by path, but for the differences that are listed here.

Packages come from Debian; dpkg and ldconfig run in containers without a network.
"""

import contextlib
import hashlib
import io
import itertools
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from repro.debian.base import BaseView, Kind, is_wanted
from repro.debian.fetch import fetch_debs
from repro.debian.index import load_index
from repro.debian.layer import SystemLayer, system_layer
from repro.debian.ldcache import parse_cache, render_cache
from repro.debian.libraries import loader_folders
from repro.debian.resolve import Request, choose
from repro.debian.sources import apt_sources
from repro.debian.tree import Tree
from repro.debian.version import version_key
from repro.engines import ImageInfo
from repro.http import Session
from repro.lock import SystemPackage
from repro.progress import Silent
from repro.store.cache import artifact_cache
from tests.conftest import BASE
from tests.debian.test_version import ASCENDING

pytestmark = pytest.mark.engine

ASKED = ["libgomp1", "libgl1", "libglib2.0-0", "libopenblas0-pthread", "libblas3", "ca-certificates", "tzdata"]
ASKED += ["fontconfig", "xz-utils", "unixodbc", "netbase", "graphviz", "libmariadb3"]
PURGE = "dpkg --purge --force-depends ca-certificates tzdata && rm -rf /etc/ssl/certs /etc/localtime /etc/timezone"

DPKG_ONLY = {
    r"var/lib/dpkg/(?!alternatives/).*": "dpkg's own list; packages are recorded in status.d instead",
    r"var/cache/debconf/.*": "answers to questions that nobody asks",
    r"var/log/.*": "logs with times",
    r"var/cache/ldconfig/aux-cache": "a cache of ldconfig's, full of inode numbers",
    r"var/cache/fontconfig/.*": "caches with times; programs make their own",
    r"etc/rc[0-9S]\.d/.*": "services of an init that no container runs",
    r"usr/share/mime/(?!packages).*": "the MIME database, said to be missing in a note",
    r"usr/local/share/fonts": "a folder of the group staff",
    r"usr/share/doc/.*": "links and empty folders below documentation that is left out",
    r"tmp/\.(X11|ICE)-unix": "made by a service when it starts",
}
OURS_ONLY = {r"var/lib/dpkg/status\.d(/.*)?": "packages as scanners read them"}


@dataclass(frozen=True)
class Node:
    kind: Kind
    mode: int
    owner: tuple[int, int]
    content: str = ""


@dataclass(frozen=True)
class Files:
    nodes: dict[str, Node]
    base: BaseView


@pytest.fixture(scope="module")
def client(base_image: ImageInfo) -> Any:
    return docker.from_env()


@pytest.fixture(scope="module")
def bare(client: Any) -> Iterator[str]:
    """The base image without some packages that it usually has."""
    with running(client, BASE) as container:
        execute(container, PURGE)
        image = container.commit()
    yield str(image.id)
    client.images.remove(image.id, force=True)


@pytest.fixture(scope="module")
def bare_files(client: Any, bare: str) -> Files:
    with running(client, bare) as container:
        return exported(container)


@pytest.fixture
def packages(bare_files: Files, sessions: Callable[[], Session], _debian: None) -> list[tuple[SystemPackage, Path]]:
    cache, base = artifact_cache(), bare_files.base
    index = load_index(apt_sources(base), "amd64", sessions=sessions, cache=cache, progress=Silent())
    choices = choose([Request(name, "asked") for name in ASKED], index, base, "amd64")
    found = [
        SystemPackage(
            one.candidate.name,
            one.candidate.version,
            one.candidate.architecture,
            "linux/amd64",
            one.candidate.url,
            one.candidate.sha256,
            one.candidate.size,
            one.reason,
        )
        for one in choices
    ]
    files = fetch_debs(found, stores=(), cache=cache, sessions=sessions, progress=Silent())
    return [(package, files[package.sha256]) for package in found]


def test_the_tree_is_dpkgs(
    client: Any, bare: str, bare_files: Files, packages: list[tuple[SystemPackage, Path]], tmp_path: Path
) -> None:
    layer = system_layer(packages, bare_files.base, artifact_cache())
    debs = tmp_path / "debs.tar"
    with tarfile.open(debs, "w") as archive:
        for package, path in packages:
            archive.add(path, f"debs/{package.name}.deb")
    with running(client, bare, debs) as by_dpkg:
        execute(by_dpkg, "dpkg --force-unsafe-io --install /debs/*.deb && rm -r /debs")
        theirs = exported(by_dpkg).nodes
    with running(client, bare, written(layer, tmp_path / "layer.tar")) as by_us:
        ours = exported(by_us).nodes
        works(by_us)
    before = bare_files.nodes
    assert unexplained(theirs.keys() - ours.keys(), DPKG_ONLY) == []
    assert unexplained(ours.keys() - theirs.keys(), OURS_ONLY) == []
    both = theirs.keys() & ours.keys()
    different = {path for path in both if theirs[path] != ours[path] and ours[path].kind != "directory"}
    assert unexplained({path for path in different if ours[path] == before.get(path)}, DPKG_ONLY) == []
    assert {path for path in different if ours[path] != before.get(path)} == set()
    assert len(both - before.keys()) > 900
    assert {"etc/ld.so.cache", "etc/ssl/certs/ca-certificates.crt", "etc/localtime", "etc/alternatives/lzma"} <= both


def works(container: Any) -> None:
    listed = execute(container, "/sbin/ldconfig -p")
    assert re.search(r"libgomp\.so\.1 \(libc6,x86-64\) => /lib/x86_64-linux-gnu/libgomp\.so\.1", listed)
    sonames = ["libgomp.so.1", "libGL.so.1", "libglib-2.0.so.0", "libblas.so.3", "libopenblas.so.0"]
    for soname in sonames:
        assert (
            execute(container, f"""python3 -c 'import ctypes; print(ctypes.CDLL("{soname}")._name)'""") == f"{soname}\n"
        )
    code = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 50)"
    assert execute(container, f"python3 -c '{code}'") == "True\n"
    assert execute(container, "echo 'digraph {a -> b}' | dot -Tplain | head -n 1").startswith("graph 1 ")
    assert "DejaVu Sans" in execute(container, "fc-match sans-serif")
    assert execute(container, "date +%Z; readlink -f /usr/bin/lzma") == "UTC\n/usr/bin/xz\n"


def test_the_bases_own_cache_is_written_back_byte_for_byte(bare_files: Files) -> None:
    data = bare_files.base.files["etc/ld.so.cache"]
    assert render_cache(parse_cache(data), loader_folders(Tree(bare_files.base), "amd64")) == data


def test_versions_compare_as_dpkg_compares_them(client: Any) -> None:
    extra = ["1.0-0", "1.", "0~", "00.1", "1:0", "1.0+b1", "1.0~-1", "9.10a9", "9.10a10", "1.0.", "2-1-1"]
    pairs = list(itertools.permutations(ASCENDING + extra, 2))
    script = "".join(f"dpkg --compare-versions {one} lt {other} && echo yes || echo no\n" for one, other in pairs)
    with running(client, BASE) as container:
        found = execute(container, script).split()
    assert [answer == "yes" for answer in found] == [version_key(one) < version_key(other) for one, other in pairs]


def unexplained(paths: Sequence[str] | set[str], known: dict[str, str]) -> list[str]:
    return sorted(path for path in paths if not any(re.fullmatch(pattern, path) for pattern in known))


def written(layer: SystemLayer, path: Path) -> Path:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for entry in sorted(layer.entries, key=lambda one: (one.kind == "hardlink", one.path)):
            info = tarfile.TarInfo(entry.path)
            info.mode = entry.mode
            kinds = {"directory": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}
            info.type, info.linkname = kinds.get(entry.kind, tarfile.REGTYPE), entry.target
            data = b"".join(entry.body.plain()) if entry.body else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@contextlib.contextmanager
def running(client: Any, image: str, archive: Path | None = None) -> Iterator[Any]:
    """A container that waits for commands, with an archive unpacked in it."""
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    container = client.containers.create(
        image, ["sleep", "900"], entrypoint="", user="0", network_mode="none", environment=environment
    )
    try:
        if archive is not None:
            with archive.open("rb") as stream:
                container.put_archive("/", stream)
        container.start()
        yield container
    finally:
        container.remove(force=True)


def execute(container: Any, command: str) -> str:
    code, output = container.exec_run(["sh", "-ec", command])
    assert code == 0, output.decode()[-3000:]
    return str(output.decode())


def exported(container: Any) -> Files:
    """Every path of a container, with what is needed to compare it."""
    nodes: dict[str, Node] = {}
    links: dict[str, str] = {}
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=_Stream(container.export(chunk_size=1 << 20)), mode="r|") as archive:  # type: ignore[arg-type]
        for member in archive:
            path = member.name.strip("/")
            nodes[path] = _node(archive, member, nodes, files)
            if member.issym():
                links[path] = member.linkname
    for path in ("dev", "proc", "sys", ".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab"):
        nodes = {each: node for each, node in nodes.items() if each != path and not each.startswith(f"{path}/")}
    kinds = {path: node.kind for path, node in nodes.items()}
    return Files(nodes, BaseView(kinds, {path: text for path, text in links.items() if path in kinds}, files))


def _node(archive: tarfile.TarFile, member: tarfile.TarInfo, nodes: dict[str, Node], files: dict[str, bytes]) -> Node:
    owner, mode = (member.uid, member.gid), member.mode & 0o7777
    if member.isdir():
        return Node("directory", mode, owner)
    if member.issym():
        return Node("symlink", 0o777, owner, member.linkname)
    if member.islnk():
        return nodes[member.linkname.strip("/")]
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    if is_wanted(member.name.strip("/")):
        files[member.name.strip("/")] = data
    return Node("file", mode, owner, hashlib.sha256(data).hexdigest())


class _Stream:
    """Blocks as a file to read from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._held = blocks, bytearray()

    def read(self, size: int) -> bytes:
        while len(self._held) < size and (block := next(self._blocks, b"")):
            self._held += block
        data = bytes(self._held[:size])
        del self._held[:size]
        return data
