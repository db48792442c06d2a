"""Small packages, each for one thing that a package can do to an environment."""

from tests.conda_channel.package import PLACEHOLDER, CondaPackage, Member, build_string

DEMO_VERSION = "1.2.0"


def _native(name: str, version: str, *members: Member, depends: tuple[str, ...] = ()) -> CondaPackage:
    build = build_string("", {"name": name, "version": version})
    return CondaPackage(name, version, build, "linux-64", depends=depends, members=members)


def libdemo() -> CondaPackage:
    """The prefix in a binary and in texts, a link, a script, variables set on activation."""
    prefix = PLACEHOLDER.encode()
    binary = b"\x7fDEMO\0" + prefix + b"\0" + b"version 1.2\0" + prefix + b"/share/libdemo/data.txt\0end\0"
    script = (
        f"#!{PLACEHOLDER}/bin/python\n"
        "import pathlib, sys\n"
        "binary = pathlib.Path(__file__).parents[1].joinpath('lib/libdemo.bin').read_bytes()\n"
        "texts = [text.decode() for text in binary.split(b'\\0') if text]\n"
        "sys.stdout.write(pathlib.Path(texts[3]).read_text())\n"
    )
    return _native(
        "libdemo",
        DEMO_VERSION,
        Member("bin/libdemo-show", script.encode(), executable=True),
        Member("etc/conda/activate.d/libdemo.sh", b"export LIBDEMO_DATA=$CONDA_PREFIX/share/libdemo\n"),
        Member("etc/conda/deactivate.d/libdemo.sh", b"unset LIBDEMO_DATA\n"),
        Member("etc/libdemo.conf", f"data = {PLACEHOLDER}/share/libdemo\n".encode()),
        Member("lib/libdemo.bin", binary),
        Member("lib/libdemo.bin.1", kind="softlink", target="libdemo.bin"),
        Member("share/libdemo/data.txt", b"data of libdemo\n"),
        depends=("__glibc >=2.17,<3.0.a0",),
    )


def postlinked() -> CondaPackage:
    """Wants a script of its own to run after it is linked."""
    script = f"#!/bin/sh\ntouch {PLACEHOLDER}/postlinked-was-here\n"
    return _native("postlinked", "0.1", Member("bin/.postlinked-post-link.sh", script.encode(), executable=True))


def clashing() -> list[CondaPackage]:
    """Two packages that bring the same path with different contents."""
    both = [("clash-one", b"one\n"), ("clash-two", b"two\n")]
    return [_native(name, "1.0", Member("share/clash/settings.txt", text)) for name, text in both]


def empty_directory() -> CondaPackage:
    """Lists an empty directory, which formats allow and py-rattler 0.28 can't link."""
    return _native("emptydir", "1.0", Member("var/emptydir", kind="directory"), Member("share/emptydir", b"1\n"))


def old_format() -> CondaPackage:
    """To be written as .tar.bz2."""
    return _native("bz2demo", "0.5", Member("share/bz2demo/note.txt", f"{PLACEHOLDER}\n".encode()))


def private() -> CondaPackage:
    """A team's own module."""
    metadata = b"Metadata-Version: 2.1\nName: ourlib\nVersion: 1.0\n"
    members = [
        Member("site-packages/ourlib.py", b"def answer():\n    return 42\n"),
        Member("site-packages/ourlib-1.0.dist-info/METADATA", metadata),
    ]
    return CondaPackage("ourlib", "1.0", "py_0", "noarch", depends=["python"], noarch="python", members=members)
