"""The interpreter that runs the tests as a conda package: relocatable, with the libraries that it needs."""

import os
import platform
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from repro.capture.pack import write_pack
from repro.capture.prefix import find_installation
from repro.capture.probe import probe
from repro.progress import Silent
from tests.conda_channel.compiled import MINOR, SITE_PACKAGES, with_compiled
from tests.conda_channel.package import PLACEHOLDER, CondaPackage, Member, build_string

VERSION = platform.python_version()
_PACKED = "opt/python/"
_LEFT_OUT = ("ensurepip", "idlelib", "lib2to3", "tkinter", "turtledemo")


def python_package() -> CondaPackage:
    """CPython as conda-forge builds it, as far as its files' places and its record go."""
    return CondaPackage(
        "python",
        VERSION,
        build_string("", {"python": VERSION}, suffix="_cpython"),
        "linux-64",
        depends=["__glibc >=2.17,<3.0.a0", "libdemo >=1.2,<2.0a0"],
        constrains=[f"python_abi {MINOR}.* *_cp{MINOR.replace('.', '')}"],
        members=with_compiled([*_files(), *_additions()]),
        further={"license": "Python-2.0", "python_site_packages_path": SITE_PACKAGES},
    )


def _files() -> Iterator[Member]:
    skipped = tuple(f"lib/python{MINOR}/{name}/" for name in _LEFT_OUT)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "python.tar"
        seen = probe(Path(sys.executable), cwd=Path(scratch), env=dict(os.environ))
        write_pack(find_installation(seen), path, Path.home(), os.environ, Silent().start("packing"))
        with tarfile.open(path) as archive:
            for entry in archive:
                place = entry.name.removeprefix(_PACKED)
                if not entry.isdir() and not place.startswith(skipped):
                    yield _member(archive, entry, place)


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo, place: str) -> Member:
    if entry.issym():
        return Member(place, kind="softlink", target=entry.linkname)
    stream = archive.extractfile(entry)
    assert stream is not None
    data = stream.read()
    if b"\0" not in data:
        data = data.replace(b"/opt/python", PLACEHOLDER.encode())
    return Member(place, data, executable=bool(entry.mode & 0o100))


def _additions() -> Iterator[Member]:
    """What a packed Python lacks and conda's has: scripts, a pkg-config file, the note in site-packages."""
    yield Member("bin/python3.1", kind="softlink", target=f"python{MINOR}")
    script = f"#!{PLACEHOLDER}/bin/python{MINOR}\nimport pydoc\nif __name__ == '__main__':\n    pydoc.cli()\n"
    yield Member(f"bin/pydoc{MINOR}", script.encode(), executable=True)
    yield Member("bin/pydoc3", kind="softlink", target=f"pydoc{MINOR}")
    facts = f"prefix={PLACEHOLDER}\nlibdir=${{prefix}}/lib\n\nName: Python\nDescription: Python\nVersion: {MINOR}\n"
    yield Member(f"lib/pkgconfig/python-{MINOR}.pc", facts.encode())
    yield Member(f"{SITE_PACKAGES}/README.txt", b"This directory exists so that 3rd party packages can be installed.\n")
