"""Wheels as layer entries: where files go, with what mode and bytes, and how contents are read."""

import gc
import hashlib
import os
import random
import stat
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest
from repro_oci.wheel_member import ZipMember
from repro_oci.wheels import wheel_entries

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.oci.entry import Deflated, Entry
from tests.repro_oci.forge import DATA, FILE, INFO, NAME, PROGRAM, WHEEL, Forge

ENVIRONMENT = PurePosixPath("/opt/env")
RUNNER = PurePosixPath("/opt/repro/site-packages")
NOISE = random.Random(0)
SITE = "opt/env/lib/python3.11/site-packages"


def entries(path: Path, prefix: PurePosixPath = ENVIRONMENT, *, requested: bool = False) -> dict[str, Entry]:
    return {entry.path: entry for entry in wheel_entries(path, prefix, ENVIRONMENT, "3.11", requested=requested)}


def content(entry: Entry) -> bytes:
    assert entry.body is not None
    data = b"".join(entry.body.plain())
    assert len(data) == entry.body.size
    assert entry.body.sha256 == Digest.of(data)
    return data


def test_every_kind_of_file_goes_where_pip_puts_it(tmp_path: Path) -> None:
    files = {
        "demo/__init__.py": b"",
        "demo/tool": b"\x7fELF",
        "demo/__pycache__/__init__.cpython-311.pyc": b"stale",
        f"{DATA}/scripts/run": b"#!pythonw -x\nprint(1)\n",
        f"{DATA}/scripts/plain": b"#!/bin/sh\n",
        f"{DATA}/data/share/demo.txt": b"data",
        f"{DATA}/headers/sub/demo.h": b"int x;",
        f"{DATA}/platlib/_demo.so": b"binary",
        f"{DATA}/purelib/more.py": b"more",
        f"{INFO}/entry_points.txt": b"[console_scripts]\ndemo = demo:main\n",
        f"{INFO}/licenses/LICENSE": b"free",
    }
    modes = {"demo/tool": PROGRAM, "demo/__init__.py": stat.S_IFREG | 0o666}
    found = entries(Forge(files, modes).write(tmp_path), requested=True)
    programs = {"opt/env/bin/demo", "opt/env/bin/run", "opt/env/bin/plain", f"{SITE}/demo/tool"}
    assert set(found) == programs | {
        "opt/env/share/demo.txt",
        "opt/env/include/site/python3.11/demo/sub/demo.h",
        f"{SITE}/_demo.so",
        f"{SITE}/more.py",
        f"{SITE}/demo/__init__.py",
        *(f"{SITE}/{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER", "REQUESTED")),
        *(f"{SITE}/{INFO}/{name}" for name in ("entry_points.txt", "licenses/LICENSE")),
    }
    assert list(found) == sorted(found)
    assert {path for path, entry in found.items() if entry.mode == 0o755} == programs
    assert {entry.mode for entry in found.values()} == {0o755, 0o644}
    assert {(entry.kind, entry.target, entry.origin) for entry in found.values()} == {("file", "", NAME)}
    assert content(found["opt/env/bin/run"]) == b"#!/opt/env/bin/python\nprint(1)\n"
    assert content(found["opt/env/bin/plain"]) == b"#!/bin/sh\n"
    assert content(found[f"{SITE}/{INFO}/INSTALLER"]) == b"repro\n"
    assert content(found[f"{SITE}/{INFO}/REQUESTED"]) == b""


def test_record_lists_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "demo.py": b"x",
        "demo,1.txt": b"",
        "demo/__pycache__/demo.pyc": b"",
        f"{DATA}/scripts/run": b"#!python\n",
        f"{INFO}/direct_url.json": b"{}",
        f"{INFO}/INSTALLER": b"pip\n",
        f"{INFO}/REQUESTED": b"",
    }
    found = entries(Forge(files).write(tmp_path))
    lines = content(found[f"{SITE}/{INFO}/RECORD"]).decode().splitlines()
    assert [line.rpartition(",sha256=")[0] or line for line in lines] == [
        "../../../bin/run",
        '"demo,1.txt"',
        f"{INFO}/INSTALLER",
        f"{INFO}/METADATA",
        f"{INFO}/RECORD,,",
        f"{INFO}/WHEEL",
        "demo.py",
    ]
    assert len(found) == len(lines)


def test_requested_is_only_there_when_somebody_asked(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}).write(tmp_path)
    assert set(entries(path, requested=True)) - set(entries(path)) == {f"{SITE}/{INFO}/REQUESTED"}


def test_a_plain_directory_takes_libraries_only(tmp_path: Path) -> None:
    files = {
        "demo.py": b"",
        f"{DATA}/scripts/run": b"#!python\n",
        f"{DATA}/data/x": b"",
        f"{DATA}/headers/x.h": b"",
        f"{DATA}/platlib/lib.so": b"",
        f"{INFO}/entry_points.txt": b"[console_scripts]\ndemo = demo:main\n",
    }
    found = entries(Forge(files).write(tmp_path), RUNNER)
    top = "opt/repro/site-packages"
    info = ("METADATA", "WHEEL", "RECORD", "INSTALLER", "entry_points.txt")
    assert set(found) == {f"{top}/demo.py", f"{top}/lib.so", *(f"{top}/{INFO}/{name}" for name in info)}
    assert b"bin" not in content(found[f"{top}/{INFO}/RECORD"])


def test_names_come_from_the_archive(tmp_path: Path) -> None:
    info, data = "Demo.Pkg-1.0+x.dist-info", "demo_pkg-1.0.data"
    files = {f"{data}/headers/d.h": b"", f"{data}/data/share/d": b""}
    found = entries(Forge(files, info=info).write(tmp_path, "demo_pkg-1.0-py3-none-any.whl"))
    assert "opt/env/include/site/python3.11/demo-pkg/d.h" in found
    assert "opt/env/share/d" in found
    assert f"{SITE}/{info}/RECORD" in found


def test_a_wheel_may_lie_under_any_name(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}).write(tmp_path).rename(tmp_path / "0a1b")
    found = wheel_entries(path, ENVIRONMENT, ENVIRONMENT, "3.11", name=NAME)
    assert {entry.origin for entry in found} == {NAME}
    assert {entry.origin for entry in wheel_entries(path, ENVIRONMENT, ENVIRONMENT, "3.11")} == {"0a1b"}


def test_a_launcher_wins_over_files_in_its_place(tmp_path: Path) -> None:
    files = {
        f"{DATA}/scripts/demo": b"#!python\nold\n",
        f"{DATA}/scripts/demo.exe": b"MZ",
        f"{DATA}/scripts/demo-script.py": b"#!python\nold\n",
        f"{DATA}/scripts/other.exe": b"MZ",
        f"{DATA}/data/bin/window": b"old",
        f"{INFO}/entry_points.txt": b"[gui_scripts]\nwindow = demo:gui\n[console_scripts]\ndemo = demo:main\n",
    }
    found = entries(Forge(files).write(tmp_path))
    programs = {path for path in found if path.startswith("opt/env/bin/")}
    assert programs == {"opt/env/bin/demo", "opt/env/bin/window", "opt/env/bin/other.exe"}
    assert b"from demo import main" in content(found["opt/env/bin/demo"])
    assert b"from demo import gui" in content(found["opt/env/bin/window"])


@pytest.mark.parametrize("name", ["RECORD.jws", "RECORD.p7s"])
def test_signatures_of_record_are_kept(tmp_path: Path, name: str) -> None:
    files = {"demo.py": b"", f"{INFO}/{name}": b"signed"}
    found = entries(Forge(files, unlisted=[f"{INFO}/{name}"]).write(tmp_path))
    assert content(found[f"{SITE}/{INFO}/{name}"]) == b"signed"
    assert f"{INFO}/{name},sha256=".encode() in content(found[f"{SITE}/{INFO}/RECORD"])


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_longer_digests_give_the_same_tree(tmp_path: Path, algorithm: str, method: int) -> None:
    files = {"demo.py": b"x" * 100, f"{DATA}/scripts/run": b"#!python\n"}
    expected = {path: content(entry) for path, entry in entries(Forge(files).write(tmp_path)).items()}
    found = entries(Forge(files, algorithm=algorithm, method=method).write(tmp_path))
    assert {path: content(entry) for path, entry in found.items()} == expected


@pytest.mark.parametrize(
    ("mode", "executable"),
    [
        (FILE, False),
        (PROGRAM, True),
        (stat.S_IFREG | 0o645, True),
        (stat.S_IFREG | 0o654, True),
        (stat.S_IFREG, False),
        (0o755, False),
        (0, False),
    ],
)
def test_modes_are_read_as_pip_reads_them(tmp_path: Path, mode: int, executable: bool) -> None:
    found = entries(Forge({"tool": b""}, {"tool": mode}).write(tmp_path))
    assert found[f"{SITE}/tool"].mode == (0o755 if executable else 0o644)


def test_directories_of_the_archive_leave_no_trace(tmp_path: Path) -> None:
    plain = Forge({"demo/a.py": b""}).write(tmp_path)
    expected = set(entries(plain))
    with zipfile.ZipFile(plain, "a") as archive:
        archive.mkdir("demo")
        archive.mkdir("empty")
    assert set(entries(plain)) == expected


def test_deflate_streams_are_given_as_they_are(tmp_path: Path) -> None:
    data = NOISE.randbytes(5000) + b"a" * 3_000_000
    path = Forge({"demo.bin": data}).write(tmp_path)
    body = entries(path)[f"{SITE}/demo.bin"].body
    assert isinstance(body, ZipMember)
    with zipfile.ZipFile(path) as archive:
        item = archive.getinfo("demo.bin")
    assert body.deflated == Deflated(item.compress_size, zlib.crc32(data))
    for _ in range(2):
        streams, contents = zip(*body.pairs(), strict=True)
        assert b"".join(contents) == data
        assert zlib.decompress(b"".join(streams), -15) == data
        assert max(map(len, contents)) <= 1 << 20


def test_stored_members_have_no_stream(tmp_path: Path) -> None:
    data = NOISE.randbytes(700_000)
    body = entries(Forge({"demo.bin": data, "e": b""}, method=zipfile.ZIP_STORED).write(tmp_path))[
        f"{SITE}/demo.bin"
    ].body
    assert isinstance(body, ZipMember)
    assert body.deflated is None
    assert b"".join(body.plain()) == data
    with pytest.raises(TypeError):
        body.pairs()


def damaged(folder: Path, method: int, *, record: bytes | None = None) -> ZipMember:
    """A member whose last byte is another than when the wheel was listed."""
    content = NOISE.randbytes(600_000)
    path = Forge({"demo.bin": content}, method=method, record=record).write(folder)
    body = entries(path)[f"{SITE}/demo.bin"].body
    assert isinstance(body, ZipMember)
    data = bytearray(path.read_bytes())
    data[body.member.offset + body.member.stored - 10] ^= 1
    path.write_bytes(data)
    return body


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_is_named_before_its_end(tmp_path: Path, method: int) -> None:
    body = damaged(tmp_path, method)
    blocks: list[bytes] = []
    with pytest.raises(IntegrityError) as raised:
        blocks.extend(body.plain())
    assert raised.value.where == f"{NAME}: demo.bin"
    assert "damaged" in raised.value.what
    assert sum(map(len, blocks)) < body.size


def test_a_wheel_that_was_cut_after_listing_is_named(tmp_path: Path) -> None:
    path = Forge({"a.bin": NOISE.randbytes(600_000)}, method=zipfile.ZIP_STORED).write(tmp_path)
    body = entries(path)[f"{SITE}/a.bin"].body
    assert body is not None
    path.write_bytes(path.read_bytes()[:300_000])
    with pytest.raises(IntegrityError, match="bytes are missing"):
        list(body.plain())


def test_a_wheel_that_is_gone_is_named(tmp_path: Path) -> None:
    path = Forge({"demo.py": b"x"}).write(tmp_path)
    body = entries(path)[f"{SITE}/demo.py"].body
    assert body is not None
    path.unlink()
    with pytest.raises(InfrastructureError, match=NAME):
        list(body.plain())
    with pytest.raises(InfrastructureError, match=NAME):
        entries(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts handles as Linux shows them")
def test_one_handle_serves_a_wheel_and_goes_with_it(tmp_path: Path) -> None:
    def handles() -> int:
        return sum(1 for link in Path("/proc/self/fd").iterdir() if os.path.realpath(link) == str(path))

    path = Forge({f"m{number}.py": b"x" for number in range(500)}).write(tmp_path)
    found = entries(path)
    assert handles() == 0
    reading = [iter(entry.body.plain()) for entry in found.values() if entry.body]
    assert all(next(blocks, b"") is not None for blocks in reading)
    assert handles() == 1
    del reading
    found.clear()
    gc.collect()
    assert handles() == 0


def test_several_threads_may_read_one_wheel(tmp_path: Path) -> None:
    files = {f"m{number}.bin": NOISE.randbytes(50_000) for number in range(40)}
    found = entries(Forge(files).write(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        read = dict(zip(files, pool.map(lambda name: content(found[f"{SITE}/{name}"]), files), strict=True))
    assert read == files


def test_large_scripts_are_not_read_to_find_their_first_line(tmp_path: Path) -> None:
    binary = b"\x7fELF" + bytes(20 << 20)
    found = entries(Forge({f"{DATA}/scripts/tool": binary}).write(tmp_path))
    assert isinstance(found["opt/env/bin/tool"].body, ZipMember)
    assert hashlib.sha256(content(found["opt/env/bin/tool"])).digest() == hashlib.sha256(binary).digest()


def test_platforms_without_pread_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Forge({"demo.py": b"x" * 1000}).write(tmp_path)
    expected = {name: content(entry) for name, entry in entries(path).items()}
    monkeypatch.delattr(os, "pread", raising=False)
    assert {name: content(entry) for name, entry in entries(path).items()} == expected


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.9"])
def test_any_minor_version_of_the_format_is_read(tmp_path: Path, version: str) -> None:
    entries(Forge({f"{INFO}/WHEEL": WHEEL.replace(b"1.0", version.encode())}).write(tmp_path))


@pytest.mark.parametrize("streamed", [False, True])
def test_zip64_fields_and_data_descriptors_are_understood(tmp_path: Path, streamed: bool) -> None:
    path = Forge({"demo.py": b"x"}).write(tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {item.filename: archive.read(item) for item in archive.infolist()}
    with path.open("wb") as stream, zipfile.ZipFile(Pipe(stream) if streamed else stream, "w") as archive:
        for name, data in files.items():
            item = zipfile.ZipInfo(name)
            item.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(item, "w", force_zip64=True) as member:
                member.write(data)
    assert content(entries(path)[f"{SITE}/demo.py"]) == b"x"


class Pipe:
    """A stream that can't go back, so that sizes follow the data."""

    def __init__(self, stream) -> None:
        self.write, self.flush = stream.write, stream.flush


def test_the_result_depends_on_nothing_but_its_input(tmp_path: Path) -> None:
    files = {f"demo/{letter}.py": letter.encode() for letter in "hgfedcba"}
    one = Forge(files).write(tmp_path)
    digests = {path: content(entry) for path, entry in entries(one).items()}
    other = tmp_path / "other"
    other.mkdir()
    two = Forge(dict(sorted(files.items())), method=zipfile.ZIP_STORED).write(other)
    assert {path: content(entry) for path, entry in entries(two).items()} == digests
