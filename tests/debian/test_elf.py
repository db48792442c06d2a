"""The dynamic section, from streams that can only be read forwards with effort."""

import io
import sys
import zipfile
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from repro.debian.elf import read_dynamic
from repro.errors import IntegrityError
from tests.debian.forge import elf


def test_what_the_loader_reads() -> None:
    found = read_dynamic(
        io.BytesIO(elf("liba.so.1", ["libb.so.2", "libc.so.6"], runpath="$ORIGIN/../x.libs:/y")), "here"
    )
    assert found is not None
    assert (found.soname, found.needed, found.folders) == (
        "liba.so.1",
        ("libb.so.2", "libc.so.6"),
        ("$ORIGIN/../x.libs", "/y"),
    )
    assert found.runs_on("amd64")
    assert not found.runs_on("arm64")


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"INPUT(-lfoo)", b"!<arch>\n"])
def test_what_is_no_elf_file(data: bytes) -> None:
    assert read_dynamic(io.BytesIO(data), "here") is None


@pytest.mark.parametrize("size", [4, 40, 64, 100, 200, 300])
def test_damaged_files(size: int) -> None:
    with pytest.raises(IntegrityError, match="not a readable ELF file"):
        read_dynamic(io.BytesIO(elf("liba.so.1", ["libb.so.2"] * 8)[:size]), "here")


def test_real_extension_modules_agree_with_pyelftools(wheels: dict[str, Path]) -> None:
    checked = 0
    for path in wheels.values():
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if ".so" in info.filename and checked < 40:
                    data = archive.read(info)
                    with archive.open(info) as stream:
                        found = read_dynamic(stream, info.filename)  # type: ignore[arg-type]
                    section = ELFFile(io.BytesIO(data)).get_section_by_name(".dynamic")
                    needed = tuple(tag.needed for tag in section.iter_tags() if tag.entry.d_tag == "DT_NEEDED")
                    assert found is not None
                    assert found.needed == needed
                    checked += 1
    assert checked or sys.platform != "linux"
