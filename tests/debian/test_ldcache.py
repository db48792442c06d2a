"""The loader's cache: what is read is written again, byte for byte as ldconfig orders it."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.debian.ldcache import FLAGS, Library, LoaderCache, parse_cache, render_cache
from repro.errors import IntegrityError

AMD64 = FLAGS["amd64"]
FOLDERS = ["/usr/local/lib", "/lib/x86_64-linux-gnu"]


def library(name: str, folder: str = FOLDERS[1], hwcap: int = 0) -> Library:
    return Library(name, f"{folder}/{name}", AMD64, hwcap)


def test_the_order_is_ldconfigs() -> None:
    names = ["liba.so", "liba.so.1", "liba.so.10", "liba.so.9", "libz.so.1", "liba-b.so.1", "libA.so.1", "lib9.so"]
    cache = LoaderCache(tuple(map(library, names)))
    ordered = [one.soname for one in parse_cache(render_cache(cache, FOLDERS)).libraries]
    assert ordered == [
        "lib9.so",
        "libz.so.1",
        "liba.so.10",
        "liba.so.9",
        "liba.so.1",
        "liba.so",
        "liba-b.so.1",
        "libA.so.1",
    ]


def test_one_soname_in_several_directories_and_variants() -> None:
    found = (
        library("liba.so.1"),
        library("liba.so.1", FOLDERS[0]),
        library("liba.so.1", FOLDERS[1] + "/glibc-hwcaps/v3", 1),
    )
    cache = LoaderCache(found, ("x86-64-v3",), b"ldconfig")
    read = parse_cache(render_cache(cache, FOLDERS))
    assert [one.path.rpartition("/")[0] for one in read.libraries] == [
        "/lib/x86_64-linux-gnu/glibc-hwcaps/v3",
        "/usr/local/lib",
        "/lib/x86_64-linux-gnu",
    ]
    assert (read.hwcaps, read.generator) == (("x86-64-v3",), b"ldconfig")


def test_strings_share_their_ends() -> None:
    data = render_cache(LoaderCache((library("liba.so.1"),)), FOLDERS)
    assert data.count(b"liba.so.1") == 1


def test_a_cache_with_the_old_format_in_front() -> None:
    plain = render_cache(LoaderCache((library("liba.so.1"),), (), b"g"), FOLDERS)
    old = b"ld.so-1.7.0\0" + struct.pack("<I", 3) + bytes(36)
    assert parse_cache(old + bytes(-len(old) % 8) + plain) == parse_cache(plain)


@pytest.mark.parametrize(
    "data", [b"", b"glibc-ld.so.cache1.0" + bytes(100), b"glibc-ld.so.cache1.1" + b"\xff" * 60, b"ld.so-1.7.0\0"]
)
def test_damaged_caches(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="loader's cache is damaged"):
        parse_cache(data)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.from_regex(r"lib[a-z0-9+.-]{1,8}\.so(\.[0-9]{1,3}){0,2}", fullmatch=True), unique=True, max_size=12),
    st.binary(max_size=9),
)
def test_what_is_written_is_read_again(names: list[str], generator: bytes) -> None:
    cache = LoaderCache(tuple(map(library, names)), (), generator)
    once = render_cache(cache, FOLDERS)
    read = parse_cache(once)
    assert set(read.libraries) == set(cache.libraries)
    assert read.generator == generator
    assert render_cache(read, FOLDERS) == once
    assert render_cache(LoaderCache(cache.libraries[::-1], (), generator), FOLDERS) == once
