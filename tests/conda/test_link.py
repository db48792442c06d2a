"""One package as entries: where its files go, what is left out, what is replaced, what is refused."""

import tarfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from repro.conda.link import link_entries
from repro.digest import Digest
from repro.errors import IntegrityError, ReproError, UsageError
from repro.lock import CondaPackage, CondaPatch
from repro.oci.entry import Entry
from repro.oci.tree import complete
from tests.conda.forged_packages import PLACEHOLDER, Forged, Item, entry, with_prefix

PREFIX = PurePosixPath("/opt/env")
SITE = "lib/python3.11/site-packages"
TEXT = Item("share/demo.txt", b"some text\n")
NOARCH = {"noarch": "python", "subdir": "noarch"}


def lock(path: Path, **changes: Any) -> CondaPackage:
    package = CondaPackage(
        name="demo",
        version="1.0",
        build="h0_0",
        target="linux/amd64",
        channel="conda-forge",
        subdir="linux-64",
        file=path.name,
        url=f"https://conda.anaconda.org/conda-forge/linux-64/{path.name}",
        sha256=Digest.of_file(path),
        size=path.stat().st_size,
    )
    return replace(package, **changes)


def linked(
    forged: Forged,
    folder: Path,
    *,
    site: str | None = SITE,
    patched: dict[Digest, Path] | None = None,
    prefix: PurePosixPath = PREFIX,
    **changes: Any,
) -> dict[str, Entry]:
    """Entries by path below the prefix, without the record."""
    path = forged.write(folder)
    package = lock(path, **changes)
    entries = link_entries(path, package, prefix=prefix, site_packages=site, patched=patched or {})
    assert [one.path for one in entries] == sorted(one.path for one in entries)
    assert {one.origin for one in entries} == {path.name}
    top = f"{prefix.relative_to('/')}/"
    found = {one.path.removeprefix(top): one for one in complete(entries) if one.path.startswith(f"{top}")}
    return {name: one for name, one in found.items() if not name.startswith("conda-meta")}


def files(found: dict[str, Entry]) -> dict[str, bytes]:
    return {path: b"".join(one.body.plain()) for path, one in found.items() if one.body is not None}


def refusal(forged: Forged, folder: Path, kind: type[ReproError] = IntegrityError, **changes: Any) -> str:
    with pytest.raises(kind) as caught:
        files(linked(forged, folder, **changes))
    return str(caught.value)


def test_modes_are_plain_and_only_the_owner_decides(tmp_path: Path) -> None:
    items = (Item("bin/a", b"1", 0o4775), Item("bin/b", b"2", 0o664), Item("bin/c", b"3", 0o611))
    assert {path: one.mode for path, one in linked(Forged(items), tmp_path).items() if one.kind == "file"} == {
        "bin/a": 0o755,
        "bin/b": 0o644,
        "bin/c": 0o644,
    }


def test_prefixes_are_replaced_in_texts_and_in_strings_of_binaries(tmp_path: Path) -> None:
    old = PLACEHOLDER.encode()
    text = Item("etc/demo.conf", b"a = " + old + b"\nb = " + old + b"/b\n")
    binary = Item("lib/demo.so", b"\x7fELF" + old + b"/lib:" + old + b"\0end\0", 0o755)
    found = linked(Forged((text, binary), (with_prefix(text), with_prefix(binary, "binary"))), tmp_path)
    lost = 2 * (len(old) - len("/opt/env"))
    assert files(found) == {
        "etc/demo.conf": b"a = /opt/env\nb = /opt/env/b\n",
        "lib/demo.so": b"\x7fELF/opt/env/lib:/opt/env" + bytes(lost) + b"\0end\0",
    }
    assert all(one.body.sha256 == Digest.of(files(found)[path]) for path, one in found.items() if one.body)


def test_a_binary_that_was_built_in_too_short_a_prefix_is_refused(tmp_path: Path) -> None:
    item = Item("lib/demo.so", b"/short\0")
    said = refusal(Forged((item,), (with_prefix(item, "binary", "/short"),)), tmp_path)
    assert "lib/demo.so" in said
    assert "in place of which /opt/env doesn't fit" in said


def test_what_a_prefix_is_replaced_in_is_checked_first(tmp_path: Path) -> None:
    item = Item("etc/demo.conf", PLACEHOLDER.encode())
    path = {**with_prefix(item), "sha256": "0" * 64}
    assert "etc/demo.conf: its sha256 is" in refusal(Forged((item,), (path,)), tmp_path)


def test_links_are_kept_as_they_are(tmp_path: Path) -> None:
    links = {"lib/a.so": "a.so.1", "lib/b": "../share", "lib/driver.so": "/usr/lib/driver.so", "lib/gone": "nothing"}
    found = linked(Forged(tuple(Item(p, kind=tarfile.SYMTYPE, target=t) for p, t in links.items())), tmp_path)
    assert {path: one.target for path, one in found.items() if one.kind == "symlink"} == links


def test_a_link_that_climbs_above_the_root_is_refused(tmp_path: Path) -> None:
    item = Item("lib/evil", kind=tarfile.SYMTYPE, target="../../../../etc/passwd")
    assert "leads out of the image" in refusal(Forged((item,)), tmp_path)


def test_a_file_below_a_link_is_refused(tmp_path: Path) -> None:
    items = (Item("lib/evil", kind=tarfile.SYMTYPE, target="/etc"), Item("lib/evil/passwd", b"root"))
    assert "is below opt/env/lib/evil" in refusal(Forged(items), tmp_path)


def test_files_that_are_one_stay_one_but_where_prefixes_differ(tmp_path: Path) -> None:
    old = PLACEHOLDER.encode()
    first, same = Item("bin/git", b"program", 0o755), Item("bin/a-git", b"", 0o755, tarfile.LNKTYPE, "bin/git")
    config, copy = Item("etc/one", old), Item("etc/two", b"", kind=tarfile.LNKTYPE, target="etc/one")
    paths = (
        entry(first),
        entry(same, sha256=Digest.of(b"program").hex),
        with_prefix(config),
        entry(copy, sha256=Digest.of(old).hex),
    )
    found = linked(Forged((first, same, config, copy), paths), tmp_path)
    assert {path: (one.kind, one.target) for path, one in found.items() if one.kind != "directory"} == {
        "bin/a-git": ("file", ""),
        "bin/git": ("hardlink", "opt/env/bin/a-git"),
        "etc/one": ("file", ""),
        "etc/two": ("file", ""),
    }
    assert files(found) == {"bin/a-git": b"program", "etc/one": b"/opt/env", "etc/two": old}


def test_empty_directories_are_made(tmp_path: Path) -> None:
    folder = Item("var/empty", kind=tarfile.DIRTYPE, mode=0o700)
    unlisted = Item("var/other", kind=tarfile.DIRTYPE)
    found = linked(Forged((folder, unlisted), (entry(folder, sha256=None),)), tmp_path)
    assert {path: (one.kind, one.mode) for path, one in found.items()} == {
        "var": ("directory", 0o755),
        "var/empty": ("directory", 0o755),
    }


@pytest.mark.parametrize("path", ["../../etc/cron.d", "/etc/cron.d", "var/../../../../x", "var//x"])
def test_an_empty_directory_outside_of_the_prefix_is_refused(tmp_path: Path, path: str) -> None:
    folder = entry(Item(path, kind=tarfile.DIRTYPE), sha256=None)
    assert "no path that a layer may hold" in refusal(Forged((TEXT,), (folder,)), tmp_path)


def test_files_of_noarch_python_go_where_the_environments_python_looks(tmp_path: Path) -> None:
    items = [Item("site-packages/demo.py", b"1"), Item("python-scripts/demo", b"2", 0o755), Item("share/x", b"3")]
    forged = Forged(tuple(items), index=NOARCH)
    assert files(linked(forged, tmp_path)).keys() == {f"{SITE}/demo.py", "bin/demo", "share/x"}
    threads = "lib/python3.13t/site-packages"
    assert f"{threads}/demo.py" in linked(forged, tmp_path, site=threads)


def test_entry_points_become_programs_of_the_images_python(tmp_path: Path) -> None:
    link = b'{"noarch": {"type": "python", "entry_points": ["demo = demo.cli:App.run", "other=demo:main"]}}'
    forged = Forged(
        (Item("site-packages/demo.py"), Item("python-scripts/demo", b"old")), index=NOARCH, info={"link.json": link}
    )
    found = linked(forged, tmp_path, without=("bin/other",))
    lines = b'import sys\n\nfrom demo.cli import App\n\nif __name__ == "__main__":\n    sys.exit(App.run())\n'
    assert files(found)["bin/demo"] == b"#!/opt/env/bin/python3.11\n" + lines
    assert found["bin/demo"].mode == 0o755
    assert "bin/other" not in found
    long = PurePosixPath("/" + "x" * 120)
    assert files(linked(forged, tmp_path, prefix=long))["bin/demo"].startswith(b"#!/bin/sh\n'''exec' /xxx")


@pytest.mark.parametrize(
    "text", ["demo", "demo = demo", "../demo = demo:main", ".demo = demo:main", "demo = demo:main; evil()", "= a:b"]
)
def test_an_entry_point_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    link = b'{"noarch": {"type": "python", "entry_points": ["%b"]}}' % text.encode()
    forged = Forged((TEXT,), index=NOARCH, info={"link.json": link})
    assert "no entry point" in refusal(forged, tmp_path)


def test_noarch_python_without_a_python_is_refused(tmp_path: Path) -> None:
    forged = Forged((Item("site-packages/demo.py"),), index=NOARCH)
    assert "for a Python that conda installed" in refusal(forged, tmp_path, UsageError, site=None)


def test_compiled_modules_beside_their_sources_stay_others_go(tmp_path: Path) -> None:
    items = (Item("lib/legacy.pyc", b"1"), Item("lib/__pycache__/demo.cpython-311.pyc", b"2"))
    assert files(linked(Forged(items), tmp_path)).keys() == {"lib/legacy.pyc"}


def test_paths_and_folders_that_the_laptop_lacks_are_left_out(tmp_path: Path) -> None:
    items = (TEXT, Item("share/more/a", b"1"), Item("share/more/b/c", b"2"), Item("share/moreover", b"3"))
    found = linked(Forged(items), tmp_path, without=("share/demo.txt", "share/more/"))
    assert files(found).keys() == {"share/moreover"}


def test_files_that_were_edited_are_as_on_the_laptop(tmp_path: Path) -> None:
    edit = tmp_path / "edit"
    edit.write_bytes(b"edited\n")
    patch = CondaPatch("share/demo.txt", Digest.of(b"edited\n"), 7, executable=True)
    path = Forged((TEXT,)).write(tmp_path)
    package = lock(path, patched=(patch,))
    entries = link_entries(path, package, prefix=PREFIX, site_packages=SITE, patched={patch.sha256: edit})
    assert [(one.path, one.mode) for one in entries][1] == ("opt/env/share/demo.txt", 0o755)
    assert entries[1].body is not None
    assert b"".join(entries[1].body.plain()) == b"edited\n"
    gone = lock(path, patched=(replace(patch, path="share/gone.txt"),))
    with pytest.raises(IntegrityError, match=r"share/gone\.txt"):
        link_entries(path, gone, prefix=PREFIX, site_packages=SITE, patched={patch.sha256: edit})


def test_another_package_than_the_lock_says_is_refused(tmp_path: Path) -> None:
    said = refusal(Forged((TEXT,)), tmp_path, build="h1_1")
    assert "this is demo=1.0=h0_0, not demo=1.0=h1_1" in said


def test_scripts_are_linked_only_where_the_lock_says_what_happens_with_them(tmp_path: Path) -> None:
    forged = Forged((Item("bin/.demo-post-link.sh", b"exit 1\n", 0o755),))
    said = refusal(forged, tmp_path, UsageError)
    assert "demo=1.0=h0_0 has scripts of its own" in said
    assert "bin/.demo-post-link.sh" in said
    for choice in ("skip", "run"):  # what running leaves is a layer of its own
        assert files(linked(forged, tmp_path, scripts=choice)).keys() == {"bin/.demo-post-link.sh"}
    early = Forged((Item("bin/.demo-pre-link.sh", b"exit 1\n", 0o755),))
    assert "runs before it is linked" in refusal(early, tmp_path, UsageError, scripts="run")


def test_scripts_of_noarch_python_packages_are_known_too(tmp_path: Path) -> None:
    forged = Forged((Item("python-scripts/.demo-post-link.sh", b"exit 1\n", 0o755),), index=NOARCH)
    assert "bin/.demo-post-link.sh" in refusal(forged, tmp_path, UsageError)
    assert files(linked(forged, tmp_path, scripts="run")).keys() == {"bin/.demo-post-link.sh"}


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    forged = Forged((Item("site-packages/demo.py", b"1"), Item(f"{SITE}/demo.py", b"2")), index=NOARCH)
    assert "go to the same place" in refusal(forged, tmp_path)


def test_the_same_entries_come_out_of_another_order(tmp_path: Path) -> None:
    items = (TEXT, Item("share/b", b"1"), Item("share/a", b"", kind=tarfile.LNKTYPE, target="share/b"))
    paths = tuple(entry(item, sha256=None) for item in items)
    one = linked(Forged(items, paths), tmp_path)
    other = linked(Forged((items[1], items[2], items[0]), paths[::-1]), tmp_path)
    assert files(one) == files(other)
    assert {path: (e.kind, e.target, e.mode) for path, e in one.items()} == {
        path: (e.kind, e.target, e.mode) for path, e in other.items()
    }
