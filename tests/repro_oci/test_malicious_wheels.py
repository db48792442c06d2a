"""Wheels that no well-meaning tool makes: each is refused with its own name and what is wrong with it."""

import contextlib
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repro_oci.wheel_member import METADATA_LIMIT
from repro_oci.wheels import wheel_entries

from repro.errors import IntegrityError
from tests.repro_oci.forge import DATA, INFO, NAME, WHEEL, Forge, patched, row

ENVIRONMENT = PurePosixPath("/opt/env")
CENTRAL = b"PK\x01\x02"
LOCAL = b"PK\x03\x04"


def problems(path: Path, prefix: PurePosixPath = ENVIRONMENT) -> list[str]:
    """What a wheel is refused for when it is listed."""
    with pytest.raises(IntegrityError) as raised:
        wheel_entries(path, prefix, ENVIRONMENT, "3.11")
    assert raised.value.where == path.name
    assert raised.value.fix
    return list(raised.value.problems or [raised.value.what])


def unreadable(path: Path, member: str) -> str:
    """Why the content of a member of a listed wheel is refused when it is read."""
    found = {entry.path: entry.body for entry in wheel_entries(path, ENVIRONMENT, ENVIRONMENT, "3.11")}
    body = found[f"opt/env/lib/python3.11/site-packages/{member}"]
    assert body is not None
    with pytest.raises(IntegrityError) as raised:
        list(body.plain())
    assert raised.value.where == f"{path.name}: {member}"
    return raised.value.what


def edited(path: Path, member: str, field: int, value: bytes, *, local: bool = False, central: bool = True) -> Path:
    """A wheel with a field of the headers of `member` overwritten; `field` counts in the central header."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo(member).header_offset
        directory = archive.start_dir
    if central:
        at = data.index(member.encode(), directory) - 46
        assert data[at : at + 4] == CENTRAL
        data[at + field : at + field + len(value)] = value
    if local:
        assert data[offset : offset + 4] == LOCAL
        data[offset + field - 2 : offset + field - 2 + len(value)] = value
    path.write_bytes(data)
    return path


PLAIN = b"good" * 10
RAW = zlib.compress(PLAIN, wbits=-15)
FLAGS, METHOD, CRC, STORED, SIZE, ATTRIBUTES, OFFSET = 8, 10, 16, 20, 24, 38, 42


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/etc/cron.d/evil", "is an absolute path"),
        ("//etc/evil", "is an absolute path"),
        ("../evil.py", "has an empty part, `.` or `..` in its path"),
        ("demo/../../evil.py", "has an empty part, `.` or `..` in its path"),
        ("demo/..", "has an empty part, `.` or `..` in its path"),
        ("./demo.py", "has an empty part, `.` or `..` in its path"),
        ("demo//evil.py", "has an empty part, `.` or `..` in its path"),
        (f"{DATA}/data/../../evil", "has an empty part, `.` or `..` in its path"),
        (f"{DATA}/scripts/../../evil", "has an empty part, `.` or `..` in its path"),
        ("demo\\..\\evil.py", "has a backslash"),
        ("C:evil.py", "has a drive letter"),
        ("c:/evil.py", "has a drive letter"),
        ("demo/new\nline.py", "has a control character"),
        ("demo/\x1b[2J.py", "has a control character"),
        ("demo/sep\u2028arator.py", "has a control character"),
        (".wh.demo", "would delete files of lower layers (.wh.)"),
        ("demo/.wh..wh..opq", "would delete files of lower layers (.wh.)"),
        (f"{DATA}/data/.wh.bin", "would delete files of lower layers (.wh.)"),
    ],
)
@pytest.mark.parametrize("prefix", [ENVIRONMENT, PurePosixPath("/opt/repro/site-packages")])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, said: str, prefix: PurePosixPath) -> None:
    assert f"{name!r} {said}" in problems(Forge({name: b"evil"}).write(tmp_path), prefix)


def test_directories_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}).write(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../evil/", b"")
    assert problems(path) == ["'../evil/' has an empty part, `.` or `..` in its path"]


def test_a_directory_with_content_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}).write(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demo/", b"hidden")
    assert problems(path) == ["'demo/' is a directory with content"]


def test_a_name_that_ends_early_for_some_readers_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.pyXXXX": b""}).write(tmp_path)
    data = path.read_bytes().replace(b"demo.pyXXXX", b"demo.py\0XXX")
    path.write_bytes(data)
    assert any("has another name to other readers: 'demo.py\\x00XXX'" in one for one in problems(path))


def test_names_in_an_unknown_encoding_are_refused(tmp_path: Path) -> None:
    path = Forge({"caf\xe9.py": b""}).write(tmp_path)
    flags = struct.pack("<H", 0)
    data = bytearray(path.read_bytes())
    for signature, at in ((CENTRAL, 8), (LOCAL, 6)):
        start = data.index("caf\xe9.py".encode(), data.index(CENTRAL) if signature == CENTRAL else 0)
        begin = data.rindex(signature, 0, start)
        data[begin + at : begin + at + 2] = flags
    path.write_bytes(data)
    assert "'caf├⌐.py' has a name that is not said to be UTF-8" in problems(path)


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = Forge({"caf\xe9.py": b""}).write(tmp_path)
    patched(path, "caf\xe9.py".encode(), b"caf\xff\xff.py", last=True)
    assert "not a wheel" in problems(path)[0]


def test_a_second_name_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}).write(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        item = zipfile.ZipInfo("other.py")
        item.extra = struct.pack("<HHBL", 0x7075, 5 + 4, 1, 0) + b"evil"
        archive.writestr(item, b"")
    assert any("'other.py' has a second name" in one for one in problems(path))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (stat.S_IFLNK, "is a symbolic link"),
        (stat.S_IFIFO, "is neither a file nor a directory"),
        (stat.S_IFCHR, "is neither a file nor a directory"),
        (stat.S_IFDIR, "is neither a file nor a directory"),
    ],
)
def test_only_files_are_taken(tmp_path: Path, kind: int, said: str) -> None:
    path = Forge({"demo/odd": b"/etc/passwd"}, {"demo/odd": kind | 0o777}).write(tmp_path)
    assert problems(path) == [f"'demo/odd' {said}"]


@pytest.mark.parametrize("flag", [0x1, 0x40, 0x2000])
def test_encrypted_members_are_refused(tmp_path: Path, flag: int) -> None:
    path = edited(Forge({"demo.py": b"x"}).write(tmp_path), "demo.py", FLAGS, struct.pack("<H", flag), local=True)
    assert problems(path) == ["'demo.py' is encrypted"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(tmp_path: Path, method: int) -> None:
    assert f"'demo.py' uses compression method {method}" in problems(
        Forge({"demo.py": b"x"}, method=method).write(tmp_path)
    )


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b"x"}).write(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("demo.py", b"x")
    assert problems(path) == ["'demo.py' is there 2 times"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("demo.py", f"{DATA}/purelib/demo.py"),
        (f"{DATA}/purelib/demo.py", f"{DATA}/platlib/demo.py"),
        (f"{DATA}/scripts/demo", f"{DATA}/data/bin/demo"),
        ("demo.py", f"{DATA}/data/lib/python3.11/site-packages/demo.py"),
    ],
)
def test_two_members_for_one_place_are_refused(tmp_path: Path, one: str, two: str) -> None:
    found = problems(Forge({one: b"x", two: b"x"}).write(tmp_path))
    assert found == [f"{two!r} goes to the same place as {one!r}"]


@pytest.mark.parametrize("inside", ["b", "b/c"])
def test_a_file_that_is_a_directory_too_is_refused(tmp_path: Path, inside: str) -> None:
    found = problems(Forge({"a": b"", f"a/{inside}": b""}).write(tmp_path))
    assert found == ["/opt/env/lib/python3.11/site-packages/a: would be a file and a directory"]


@pytest.mark.parametrize("name", ["bin", "lib", "lib/python3.11", "lib/python3.11/site-packages"])
def test_the_directories_of_the_environment_stay_directories(tmp_path: Path, name: str) -> None:
    assert f"/opt/env/{name}: would be a file and a directory" in problems(
        Forge({f"{DATA}/data/{name}": b""}).write(tmp_path)
    )


@pytest.mark.parametrize(
    "name", ["scripts/python", "scripts/python3", "data/pyvenv.cfg", "scripts/python3.11", "data/bin/python"]
)
def test_the_environment_itself_can_not_be_replaced(tmp_path: Path, name: str) -> None:
    found = problems(Forge({f"{DATA}/{name}": b"#!python"}).write(tmp_path))
    assert len(found) == 1
    assert found[0].endswith("belongs to the environment itself")


def test_an_entry_point_can_not_replace_the_interpreter(tmp_path: Path) -> None:
    path = Forge({f"{INFO}/entry_points.txt": b"[console_scripts]\npython = demo:main\n"}).write(tmp_path)
    assert problems(path) == ["/opt/env/bin/python: belongs to the environment itself"]


def test_an_entry_point_can_not_write_outside(tmp_path: Path) -> None:
    path = Forge({f"{INFO}/entry_points.txt": b"[console_scripts]\n../../evil = demo:main\n"}).write(tmp_path)
    assert problems(path) == ["entry point '../../evil' has a slash in its name"]


@pytest.mark.parametrize("name", [f"{DATA}/evil/x", f"{DATA}/scripts", f"{DATA}/Purelib/x.py"])
def test_unknown_kinds_of_files_are_refused(tmp_path: Path, name: str) -> None:
    assert problems(Forge({name: b""}).write(tmp_path)) == [f"{name!r} is in no known part of {DATA}"]


def test_several_data_directories_are_refused(tmp_path: Path) -> None:
    path = Forge({f"{DATA}/data/x": b"", "other-1.0.data/data/y": b""}).write(tmp_path)
    assert problems(path) == ["there are 2 .data directories 'demo-1.0.data' 'other-1.0.data'"]


def test_several_dist_info_directories_are_refused(tmp_path: Path) -> None:
    path = Forge({"other-1.0.dist-info/METADATA": b""}).write(tmp_path)
    assert problems(path)[0] == "there are 2 .dist-info directories 'demo-1.0.dist-info' 'other-1.0.dist-info'"


def test_no_dist_info_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", b"")
    assert problems(path) == ["there are no .dist-info directories"]


def test_the_dist_info_of_another_project_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}, info="other-1.0.dist-info").write(tmp_path)
    assert problems(path) == ["'other-1.0.dist-info' is of another project than the file name"]
    assert problems(path.rename(tmp_path / "other.whl")) == ["its file name is not a wheel's"]


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_missing_metadata_is_named(tmp_path: Path, name: str) -> None:
    path = Forge({"demo.py": b""}, leave_out=[f"{INFO}/{name}"]).write(tmp_path)
    assert f"there is no {INFO}/{name}" in problems(path)


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"1", b"one", b"1.0.0"])
def test_other_versions_of_the_format_are_refused(tmp_path: Path, version: bytes) -> None:
    path = Forge({f"{INFO}/WHEEL": WHEEL.replace(b"1.0", version)}).write(tmp_path)
    assert problems(path) == [f"its Wheel-Version is {version.decode()}; only 1.x is understood"]


@pytest.mark.parametrize("text", [b"Tag: py3-none-any\n", b"Wheel-Version:\n", b"\n"])
def test_a_wheel_without_version_is_refused(tmp_path: Path, text: bytes) -> None:
    path = Forge({f"{INFO}/WHEEL": text}).write(tmp_path)
    assert problems(path) == ["its Wheel-Version is none; only 1.x is understood"]


@pytest.mark.parametrize("name", ["WHEEL", "RECORD", "entry_points.txt"])
def test_metadata_that_is_not_utf8_is_refused(tmp_path: Path, name: str) -> None:
    assert f"'{INFO}/{name}' is not UTF-8" in problems(Forge({f"{INFO}/{name}": b"\xff"}).write(tmp_path))


@pytest.mark.parametrize("name", ["WHEEL", "RECORD", "entry_points.txt"])
def test_metadata_that_is_too_large_is_refused(tmp_path: Path, name: str) -> None:
    path = Forge({f"{INFO}/{name}": b" " * (METADATA_LIMIT + 1)}).write(tmp_path)
    assert any(f"{INFO}/{name}' has 16777217 bytes; more than 16777216 can't be read" in one for one in problems(path))


def test_a_script_to_be_rewritten_can_not_be_large(tmp_path: Path) -> None:
    path = Forge({f"{DATA}/scripts/run": b"#!python\n" + bytes(METADATA_LIMIT)}).write(tmp_path)
    assert problems(path) == [f"'{DATA}/scripts/run' has 16777225 bytes; more than 16777216 can't be read"]


def test_every_disagreement_with_record_is_named(tmp_path: Path) -> None:
    files = {"new.py": b"x", "longer.py": b"xx", f"{INFO}/METADATA": b"Name: demo\n", f"{INFO}/WHEEL": WHEEL}
    listed = {**files, "longer.py": b"x", "gone.py": b""}
    record = "".join(row(name, data) for name, data in listed.items() if name != "new.py")
    assert problems(Forge(files, record=record.encode()).write(tmp_path)) == [
        "'gone.py' is in RECORD, but not in the wheel",
        "'longer.py' has 2 bytes, RECORD says 1",
        "'new.py' is not in RECORD",
    ]


def test_an_empty_record_vouches_for_nothing(tmp_path: Path) -> None:
    found = problems(Forge({"demo.py": b"x"}, record=b"").write(tmp_path))
    assert found == [f"{name!r} is not in RECORD" for name in (f"{INFO}/METADATA", f"{INFO}/WHEEL", "demo.py")]


@pytest.mark.parametrize("record", [b"demo.py\n", b"a,b,c,d\n", b'"unclosed,,\n', b"\n\n"])
def test_a_record_that_can_not_be_read_is_refused(tmp_path: Path, record: bytes) -> None:
    assert any(
        "RECORD can't be read" in one for one in problems(Forge({"demo.py": b"x"}, record=record).write(tmp_path))
    )


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224"])
def test_weak_digests_are_refused(tmp_path: Path, algorithm: str) -> None:
    found = problems(Forge({"demo.py": b"x"}, algorithm=algorithm).write(tmp_path))
    assert f"'demo.py' has a digest in RECORD that is weaker than sha256, or unknown: {algorithm}" in found


def test_content_that_record_does_not_vouch_for_is_refused_when_read(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = Forge({"demo.py": b"evil"}, method=method).write(tmp_path)
        record = zipfile.ZipFile(path).read(f"{INFO}/RECORD").decode()
        other = record.replace(row("demo.py", b"evil"), row("demo.py", b"good"))
        path = Forge({"demo.py": b"evil"}, method=method, record=other.encode()).write(tmp_path)
        assert "its sha256 is" in unreadable(path, "demo.py")


def test_content_with_another_long_digest_is_refused_at_once(tmp_path: Path) -> None:
    files = {"demo.py": b"evil", f"{INFO}/METADATA": b"", f"{INFO}/WHEEL": WHEEL}
    record = "".join(row(name, b"good" if name == "demo.py" else data, "sha512") for name, data in files.items())
    path = Forge(files, record=record.encode()).write(tmp_path)
    assert problems(path) == ["'demo.py' has another sha512 than RECORD says"]


def test_a_wrong_crc_is_refused_when_read(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = Forge({"demo.py": b"good"}, method=method).write(tmp_path)
        assert "its CRC-32 is" in unreadable(edited(path, "demo.py", CRC, b"\1\2\3\4", local=True), "demo.py")


@pytest.mark.parametrize(("size", "said"), [(3, "more than 3 bytes"), (5, "4 bytes instead of 5")])
def test_a_wrong_size_is_refused_when_read(tmp_path: Path, size: int, said: str) -> None:
    files = {"demo.py": b"good", f"{INFO}/METADATA": b"", f"{INFO}/WHEEL": WHEEL}
    record = "".join(row(name, data) for name, data in files.items()).replace(
        row("demo.py", b"good"), row("demo.py", b"good").replace(",4\n", f",{size}\n")
    )
    path = Forge(files, record=record.encode()).write(tmp_path)
    assert said in unreadable(edited(path, "demo.py", SIZE, struct.pack("<I", size), local=True), "demo.py")


def test_a_bomb_is_stopped_at_the_size_it_declares(tmp_path: Path) -> None:
    files = {"bomb": bytes(64 << 20), f"{INFO}/METADATA": b"", f"{INFO}/WHEEL": WHEEL}
    record = "".join(row(name, b"" if name == "bomb" else data) for name, data in files.items())
    record = record.replace(row("bomb", b""), row("bomb", b"").replace(",0\n", ",1000\n"))
    path = Forge(files, record=record.encode()).write(tmp_path)
    assert "more than 1000 bytes" in unreadable(edited(path, "bomb", SIZE, struct.pack("<I", 1000), local=True), "bomb")


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (RAW[:-1], "its deflate stream doesn't end where it should"),
        (RAW + b"\0", "its deflate stream ends before its place does"),
        (RAW + RAW, "its deflate stream ends before its place does"),
        (b"\xff" + RAW, "its deflate stream is corrupt"),
        (b"", "its deflate stream doesn't end where it should"),
    ],
)
def test_a_stream_that_does_not_end_with_its_member_is_refused(tmp_path: Path, stream: bytes, said: str) -> None:
    files = {"demo.py": stream, f"{INFO}/METADATA": b"", f"{INFO}/WHEEL": WHEEL}
    record = "".join(row(name, PLAIN if name == "demo.py" else data) for name, data in files.items())
    path = Forge(files, method=zipfile.ZIP_STORED, record=record.encode()).write(tmp_path)
    edited(path, "demo.py", METHOD, struct.pack("<H", zipfile.ZIP_DEFLATED), local=True)
    edited(path, "demo.py", CRC, struct.pack("<I", zlib.crc32(PLAIN)), local=True)
    edited(path, "demo.py", SIZE, struct.pack("<I", len(PLAIN)), local=True)
    assert said in unreadable(path, "demo.py")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (METHOD, struct.pack("<H", zipfile.ZIP_STORED), "is encoded otherwise by its local header"),
        (FLAGS, struct.pack("<H", 1), "is encoded otherwise by its local header"),
        (CRC, b"\1\2\3\4", "has another size or CRC in its local header"),
        (STORED, b"\1\0\0\0", "has another size or CRC in its local header"),
        (SIZE, b"\1\0\0\0", "has another size or CRC in its local header"),
        (SIZE, b"\xff\xff\xff\xff", "has another size or CRC in its local header"),
        (28, struct.pack("<H", 6), "has another name in its local header"),
        (2, b"PK\0\0", "has no local header"),
    ],
)
def test_a_local_header_that_says_otherwise_is_refused(tmp_path: Path, field: int, value: bytes, said: str) -> None:
    path = Forge({"demo.py": b"x" * 100}).write(tmp_path)
    assert problems(edited(path, "demo.py", field, value, local=True, central=False)) == [f"'demo.py' {said}"]


def test_another_name_in_the_local_header_is_refused(tmp_path: Path) -> None:
    path = patched(Forge({"demo.py": b""}).write(tmp_path), b"demo.py", b"evil.py")
    assert problems(path) == ["'demo.py' has another name in its local header"]


def test_a_member_outside_the_archive_is_refused(tmp_path: Path) -> None:
    path = edited(Forge({"demo.py": b"x"}).write(tmp_path), "demo.py", OFFSET, struct.pack("<I", 1 << 30))
    assert problems(path) == ["'demo.py' has no local header"]


def test_members_made_of_the_same_bytes_are_refused(tmp_path: Path) -> None:
    """One kernel, many members (Fifield, 2019): the first one's data covers the header of the second."""
    path = Forge({"a.py": b"x" * 50, "b.py": b"y" * 50}, method=zipfile.ZIP_STORED).write(tmp_path)
    record = (
        zipfile.ZipFile(path)
        .read(f"{INFO}/RECORD")
        .replace(row("a.py", b"x" * 50).encode(), row("a.py", b"x" * 90).encode())
    )
    path = Forge({"a.py": b"x" * 50, "b.py": b"y" * 50}, method=zipfile.ZIP_STORED, record=record).write(tmp_path)
    edited(path, "a.py", STORED, struct.pack("<II", 90, 90), local=True)
    assert problems(path) == ["'b.py' overlaps 'a.py'"]


def test_a_member_made_of_the_directory_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b""}, method=zipfile.ZIP_STORED).write(tmp_path)
    with zipfile.ZipFile(path) as archive:
        last = archive.infolist()[-1]
    edited(path, last.filename, STORED, struct.pack("<II", last.file_size + 20, last.file_size + 20), local=True)
    assert f"the zip's directory overlaps {last.filename!r}" in problems(path)


def test_a_stored_member_of_two_sizes_is_refused(tmp_path: Path) -> None:
    path = Forge({"demo.py": b"xy"}, method=zipfile.ZIP_STORED).write(tmp_path)
    assert problems(edited(path, "demo.py", SIZE, struct.pack("<I", 1 << 30), local=True)) == [
        "'demo.py' is stored in 2 bytes, but has 1073741824"
    ]


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18])
def test_what_is_no_wheel_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    assert problems(path)[0].startswith(("not a wheel", "there are no .dist-info directories"))


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    files = {
        "../evil": b"",
        "link": b"/etc",
        "unlisted.py": b"",
        f"{DATA}/evil/x": b"",
        f"{INFO}/WHEEL": b"Wheel-Version: 3.0\n",
        f"{INFO}/entry_points.txt": b"[console_scripts]\na/b = demo:main\n",
    }
    path = Forge(files, {"link": stat.S_IFLNK | 0o777}, unlisted=["unlisted.py"]).write(tmp_path)
    assert problems(path) == [
        "'../evil' has an empty part, `.` or `..` in its path",
        "'link' is a symbolic link",
        "its Wheel-Version is 3.0; only 1.x is understood",
        "'unlisted.py' is not in RECORD",
        "entry point 'a/b' has a slash in its name",
        f"'{DATA}/evil/x' is in no known part of {DATA}",
    ]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    files = {"demo/a.py": b"a" * 300, f"{DATA}/scripts/run": b"#!python\n", "b": b""}
    return Forge(files).write(tmp_path_factory.mktemp("sound")).read_bytes()


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_damage_is_ever_anything_but_an_integrity_error(
    sound: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any few bytes changed: refused, or harmless (such as a time in a header)."""
    path = tmp_path_factory.mktemp("fuzz") / NAME
    wheel = bytearray(sound)
    for at in data.draw(st.lists(st.integers(0, len(wheel) - 1), min_size=1, max_size=4)):
        wheel[at] = data.draw(st.integers(0, 255))
    path.write_bytes(wheel[: data.draw(st.sampled_from([len(wheel), len(wheel), len(wheel) - 7]))])
    with contextlib.suppress(IntegrityError):
        for entry in wheel_entries(path, ENVIRONMENT, ENVIRONMENT, "3.11"):
            assert entry.body is not None
            list(entry.body.plain())
