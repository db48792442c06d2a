"""Which package a library is in."""

from collections.abc import Callable

import pytest

from repro.debian.contents import find_files, policy_names
from repro.debian.sources import apt_sources
from repro.http import Session
from repro.progress import Silent
from repro.store.objects import ObjectStore
from tests.debian.forge import Archive

LISTED = """\
usr/lib/x86_64-linux-gnu/libodd.so.1                      libs/libodd-impl1,libs/libodd-other1
usr/lib/x86_64-linux-gnu/libodd.so.1.2                    libs/libodd-impl1
usr/lib/games/libodd.so.1                                 universe/games/game
usr/share/a file with spaces/libodd.so.10                 x/y
"""


@pytest.mark.parametrize(
    ("soname", "names"),
    [
        ("libgomp.so.1", ("libgomp1",)),
        ("libGL.so.1", ("libgl1",)),
        ("libglib-2.0.so.0", ("libglib-2.0-0", "libglib2.0-0")),
        ("libgobject-2.0.so.0", ("libgobject-2.0-0", "libgobject2.0-0")),
        ("libstdc++.so.6", ("libstdc++6",)),
        ("libgcc_s.so.1", ("libgcc-s1",)),
        ("libpython3.11.so.1.0", ("libpython3.11-1.0",)),
        ("libfoo-1.2.so", ("libfoo-1.2", "libfoo1.2")),
        ("nothing", ()),
    ],
)
def test_names_by_policy(soname: str, names: tuple[str, ...]) -> None:
    assert policy_names(soname) == names


def test_the_archives_list_of_files(archive: Archive, cache: ObjectStore, sessions: Callable[[], Session]) -> None:
    archive.contents["amd64"] = LISTED + "usr/bin/x y/z\n" * 50_000
    archive.publish()
    found = find_files(
        ["libodd.so.1", "libnone.so.1"],
        apt_sources(archive.base()),
        "amd64",
        sessions=sessions,
        cache=cache,
        progress=Silent(),
    )
    assert found == {
        "libodd.so.1": (
            ("usr/lib/games/libodd.so.1", "game"),
            ("usr/lib/x86_64-linux-gnu/libodd.so.1", "libodd-impl1"),
            ("usr/lib/x86_64-linux-gnu/libodd.so.1", "libodd-other1"),
        )
    }
