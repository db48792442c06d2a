"""Libraries that wheels need and nothing in the image has."""

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from repro.capture.needs import Need, WheelAtHand, missing_libraries
from repro.debian.base import BaseView
from repro.digest import Digest
from repro.errors import IntegrityError
from tests.debian.forge import elf, view

FOLDER = "usr/lib/x86_64-linux-gnu"
BASE = view([FOLDER], {"lib": "usr/lib"}, {f"{FOLDER}/libz.so.1": b""})
EXT = "cpython-311-x86_64-linux-gnu.so"


def wheel(folder: Path, package: str, members: Mapping[str, bytes]) -> WheelAtHand:
    path = folder / f"{package}-1-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return WheelAtHand(package, Digest.of_file(path), path)


def needs(
    *wheels: WheelAtHand, base: BaseView = BASE, provided: Collection[str] = (), **imported: set[str]
) -> list[Need]:
    return list(missing_libraries(wheels, base, "linux/amd64", imported=imported, provided=provided))


def test_only_what_nobody_brings(tmp_path: Path) -> None:
    libraries = [
        "libgomp.so.1",
        "libc.so.6",
        "ld-linux-x86-64.so.2",
        "libpython3.11.so.1.0",
        "libz.so.1",
        "libown-1a2b.so.1",
    ]
    one = wheel(
        tmp_path,
        "one",
        {
            f"one/_ext.{EXT}": elf(needed=[*libraries, "libcudart.so.12", "libssl.so.3"]),
            "one.libs/libown-1a2b.so.1": elf("libown-1a2b.so.1"),
        },
    )
    other = wheel(tmp_path, "nvidia", {"nvidia/lib/libcudart.so.12": elf("libcudart.so.12")})
    found = needs(one, other, provided=["libssl.so.3"], one={"one", "one._ext"})
    assert found == [Need("libgomp.so.1", (f"one: one/_ext.{EXT}",), required=True)]


def test_parts_that_the_run_did_without_are_no_reason_for_packages(tmp_path: Path) -> None:
    one = wheel(
        tmp_path,
        "one",
        {
            f"one/used.{EXT}": elf(needed=["libused.so.1", "libdeep-aa.so.1"]),
            "one/abi.abi3.so": elf(needed=["libabi.so.1"]),
            f"one/spare.{EXT}": elf(needed=["libspare.so.1"]),
            "one/qt/plugins/platforms/libq.so": elf(needed=["libplugin.so.1"]),
            "one/lib/lib_loaded.so": elf(needed=["libloaded.so.1"]),
            "one.libs/libdeep-aa.so.1": elf("libdeep-aa.so.1", ["libdeep.so.1"]),
            "one.libs/libidle-bb.so.1": elf("libidle-bb.so.1", ["libidle.so.1"]),
        },
    )
    two = wheel(tmp_path, "two", {"two/lib/libtwo.so": elf(needed=["libtwo.so.1"])})
    found = {need.soname: need.required for need in needs(one, two, one={"one", "one.used", "one.abi"})}
    assert found == {
        "libused.so.1": True,
        "libabi.so.1": True,
        "libdeep.so.1": True,
        "libloaded.so.1": True,
        "libspare.so.1": False,
        "libplugin.so.1": False,
        "libidle.so.1": False,
        "libtwo.so.1": False,
    }


def test_modules_in_data_schemes_and_at_the_top(tmp_path: Path) -> None:
    one = wheel(
        tmp_path,
        "one",
        {f"one-1.data/platlib/one/_a.{EXT}": elf(needed=["liba.so.1"]), f"_top.{EXT}": elf(needed=["libb.so.1"])},
    )
    assert [need.required for need in needs(one, one={"one._a", "_top"})] == [True, True]


def test_files_for_other_machines_count_for_nothing(tmp_path: Path) -> None:
    one = wheel(tmp_path, "one", {"one/arm.so": elf(needed=["libx.so.1"], machine=183), "one/text.so": b"INPUT(x)"})
    assert needs(one, one={"one", "one.arm"}) == []


def test_wheels_are_read_once(tmp_path: Path) -> None:
    one = wheel(tmp_path, "one", {"one/a.so": elf(needed=["liba.so.1"])})
    first = missing_libraries([one], BASE, "linux/amd64", imported={"one": {"one"}}, cache=tmp_path / "cache")
    one.path.unlink()
    again = missing_libraries([one], BASE, "linux/amd64", imported={"one": {"one"}}, cache=tmp_path / "cache")
    assert first == again
    assert [need.soname for need in first] == ["liba.so.1"]


def test_a_damaged_note_is_made_again(tmp_path: Path) -> None:
    one = wheel(tmp_path, "one", {"one/a.so": elf(needed=["liba.so.1"])})
    cache = tmp_path / "cache"
    missing_libraries([one], BASE, "linux/amd64", imported={}, cache=cache)
    (note,) = (cache / "elf").iterdir()
    note.write_bytes(b'{"format": 1, "files": [1]}')
    assert missing_libraries([one], BASE, "linux/amd64", imported={}, cache=cache)[0].soname == "liba.so.1"


@pytest.mark.parametrize("data", [b"no zip", b""])
def test_what_is_no_wheel(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.whl"
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="not a readable wheel"):
        needs(WheelAtHand("bad", Digest.of(data), path))


def test_a_library_cut_off(tmp_path: Path) -> None:
    one = wheel(tmp_path, "one", {"one/a.so": elf(needed=["liba.so.1"])[:150]})
    with pytest.raises(IntegrityError, match=r"one/a\.so"):
        needs(one)
