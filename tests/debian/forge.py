"""Packages and archives as nobody should make them, and some as everybody does."""

import gzip
import hashlib
import io
import lzma
import struct
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pysequoia import SignatureMode, Tsk, sign

from repro.debian.base import BaseView, Kind
from repro.digest import Digest
from repro.lock import SystemPackage
from tests.http.servers import Server

KEY = Tsk.generate("An archive <archive@example.org>")
OTHER_KEY = Tsk.generate("Somebody else <else@example.org>")
KEYRING = bytes(KEY.extract_certificate())


@dataclass
class Item:
    """One member of a tar; `data` makes it a file, `link` a symbolic link, `hard` a hard link, none a directory."""

    name: str
    data: bytes | None = None
    link: str | None = None
    hard: str | None = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    type: bytes | None = None
    pax: dict[str, str] = field(default_factory=dict)


def tar(items: Iterable[Item]) -> bytes:
    stream, items = io.BytesIO(), list(items)
    form = tarfile.PAX_FORMAT if any(item.pax for item in items) else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for item in items:
            info = tarfile.TarInfo(item.name)
            info.mode, info.uid, info.gid, info.pax_headers = item.mode, item.uid, item.gid, item.pax
            if item.data is not None:
                info.size = len(item.data)
            elif item.link is not None:
                info.type, info.linkname = tarfile.SYMTYPE, item.link
            elif item.hard is not None:
                info.type, info.linkname = tarfile.LNKTYPE, item.hard
            else:
                info.type, info.mode = tarfile.DIRTYPE, item.mode | 0o111
            info.type = item.type or info.type
            archive.addfile(info, io.BytesIO(item.data or b""))
    return stream.getvalue()


def ar(members: Iterable[tuple[str, bytes]]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


def control(name: str, version: str = "1.0-1", architecture: str = "amd64", **fields: str) -> str:
    lines = {"Package": name, "Version": version, "Architecture": architecture, "Maintainer": "x", "Description": "x"}
    lines |= {key.replace("_", "-").capitalize(): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def deb(
    text: str, items: Iterable[Item] = (), *, files: Mapping[str, bytes] | None = None, md5sums: bool = True
) -> bytes:
    """A .deb with the control file `text`, unpacking `items`; `files` are more of its control archive."""
    items = [Item("./"), *items]
    inside = [Item("./control", text.encode()), *(Item(f"./{name}", data) for name, data in (files or {}).items())]
    if md5sums:
        listed = [(hashlib.md5(one.data).hexdigest(), one.name.removeprefix("./")) for one in items if one.data]
        inside.append(Item("./md5sums", "".join(f"{digest}  {name}\n" for digest, name in listed).encode()))
    return packed(tar(inside), tar(items))


def packed(control_tar: bytes, data_tar: bytes) -> bytes:
    members = [
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", gzip.compress(control_tar, mtime=0)),
        ("data.tar.xz", lzma.compress(data_tar)),
    ]
    return ar(members)


def stored(folder: Path, data: bytes, name: str, *, skip: bool = False, **fields: str) -> tuple[SystemPackage, Path]:
    """A .deb on disk with what a lock would say of it."""
    path = folder / f"{Digest.of(data).hex}.deb"
    path.write_bytes(data)
    version, architecture = fields.get("version", "1.0-1"), fields.get("architecture", "amd64")
    url = f"http://deb.example/{name}.deb"
    package = SystemPackage(
        name, version, architecture, "linux/amd64", url, Digest.of(data), len(data), "asked", skip_scripts=skip
    )
    return package, path


def view(
    paths: Iterable[str] = (), links: Mapping[str, str] | None = None, files: Mapping[str, bytes] | None = None
) -> BaseView:
    """A base with these directories, links and files, and the directories above them."""
    links, files = links or {}, files or {}
    kinds: dict[str, Kind] = dict.fromkeys(paths, "directory")
    kinds |= dict.fromkeys(links, "symlink")
    kinds |= dict.fromkeys(files, "file")
    for path in tuple(kinds):
        parts = path.split("/")
        for end in range(1, len(parts)):
            kinds.setdefault("/".join(parts[:end]), "directory")
    return BaseView(kinds, links, files)


def status(*packages: str) -> bytes:
    """dpkg's status file with these control files."""
    return "\n".join(text + "Status: install ok installed\n" for text in packages).encode()


class Archive:
    """A Debian archive on a server, with one suite; `publish` after changes."""

    def __init__(self, server: Server, suite: str = "bookworm", root: str = "/debian") -> None:
        self.server, self.suite, self.root = server, suite, root
        self.paragraphs: dict[str, list[str]] = {"amd64": [], "arm64": []}
        self.contents: dict[str, str] = {}
        self.key = KEY
        self.valid: timedelta | None = timedelta(days=7)
        self.by_hash = True
        self.text = ""

    @property
    def url(self) -> str:
        return self.server.url + self.root

    def add(self, text: str, data: bytes | None = None) -> SystemPackage:
        """Offer a package; without `data` there is a .deb of nothing."""
        fields = dict(line.split(": ", 1) for line in text.splitlines())
        data = deb(text) if data is None else data
        name, architecture = fields["Package"], fields["Architecture"]
        path = f"pool/main/{name}_{fields['Version'].replace(':', '%3a')}_{architecture}.deb"
        self.server.add(f"{self.root}/{path}", data)
        paragraph = f"{text}Filename: {path}\nSize: {len(data)}\nSHA256: {Digest.of(data).hex}\n"
        for each in self.paragraphs if architecture == "all" else (architecture,):
            self.paragraphs[each].append(paragraph)
        target = f"linux/{'amd64' if architecture == 'all' else architecture}"
        url = f"{self.url}/{path}"
        return SystemPackage(name, fields["Version"], architecture, target, url, Digest.of(data), len(data), "asked")

    def publish(self, **changes: str) -> None:
        indexes = {
            f"main/binary-{name}/Packages.xz": lzma.compress("\n".join(items).encode())
            for name, items in self.paragraphs.items()
        }
        indexes |= {
            f"main/Contents-{name}.gz": gzip.compress(text.encode(), mtime=0) for name, text in self.contents.items()
        }
        for path, data in indexes.items():
            place = f"{path.rpartition('/')[0]}/by-hash/SHA256/{Digest.of(data).hex}" if self.by_hash else path
            self.server.add(f"{self.root}/dists/{self.suite}/{place}", data)
        self.text = self.release(indexes, **changes)
        self.offer(self.signed(self.text))

    def offer(self, release: bytes) -> None:
        """Make this the suite's release file."""
        self.server.add(f"{self.root}/dists/{self.suite}/InRelease", release)

    def release(self, indexes: Mapping[str, bytes], **changes: str) -> str:
        now = datetime.now(UTC)
        fields = {"Suite": self.suite, "Codename": self.suite, "Date": f"{now:%a, %d %b %Y %H:%M:%S} UTC"}
        if self.valid is not None:
            fields["Valid-Until"] = f"{now + self.valid:%a, %d %b %Y %H:%M:%S} UTC"
        fields |= {"Architectures": "amd64 arm64", "Acquire-By-Hash": "yes" if self.by_hash else "no", **changes}
        listed = "".join(f" {Digest.of(data).hex} {len(data)} {path}\n" for path, data in indexes.items())
        return "".join(f"{name}: {value}\n" for name, value in fields.items()) + f"SHA256:\n{listed}"

    def signed(self, text: str) -> bytes:
        return sign(self.key.signer(), text.encode(), mode=SignatureMode.CLEAR)

    def base(self, *installed: str, files: Mapping[str, bytes] | None = None) -> BaseView:
        """A base whose apt knows only this archive."""
        listed = f"deb [signed-by=/usr/share/keyrings/ours.gpg] {self.url} {self.suite} main\n"
        contents = {
            "etc/os-release": b'ID=debian\nVERSION_CODENAME="bookworm"\n',
            "etc/apt/sources.list": listed.encode(),
            "usr/share/keyrings/ours.gpg": KEYRING,
            "var/lib/dpkg/status": status(control("base-files"), *installed),
        }
        return view(files={**contents, **(files or {})})


def elf(soname: str = "", needed: Iterable[str] = (), machine: int = 62, runpath: str = "") -> bytes:
    """The least that the loader takes for a shared library: headers, a string table and a dynamic section."""
    strings, tags = b"\0", []
    for tag, text in [
        *((1, name) for name in needed),
        *((14, soname),) * bool(soname),
        *((29, runpath),) * bool(runpath),
    ]:
        tags.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    place = 64 + 2 * 56
    dynamic_at = place + len(strings) + -len(strings) % 8
    tags += [(5, place), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    size = dynamic_at + len(dynamic)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    section = struct.pack("<IIQQQQQQ", 2, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    return header + load + section + strings.ljust(dynamic_at - place, b"\0") + dynamic
