"""Where a package's files come to lie, and what may not be replaced."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro.debian.base import BaseView
from repro.debian.layer import SystemLayer, system_layer
from repro.debian.ldcache import FLAGS, Library, LoaderCache, parse_cache, render_cache
from repro.errors import CaptureError, UsageError
from repro.oci.entry import Entry
from repro.store.objects import ObjectStore
from tests.debian.forge import Item, control, deb, elf, stored, view

MERGED = {"lib": "usr/lib", "bin": "usr/bin", "sbin": "usr/sbin", "lib64": "/usr/lib64"}
MULTIARCH = "x86_64-linux-gnu"
CONF = {
    "etc/ld.so.conf": b"include /etc/ld.so.conf.d/*.conf\n",
    "etc/ld.so.conf.d/libc.conf": b"# x\n/usr/local/lib\n",
    f"etc/ld.so.conf.d/{MULTIARCH}.conf": f"/lib/{MULTIARCH}\n/usr/lib/{MULTIARCH}\n".encode(),
}
FOLDERS = [f"usr/lib/{MULTIARCH}", "usr/lib64", "usr/bin", "usr/sbin", "usr/local/lib", "var/lib/dpkg"]

Make = Callable[..., SystemLayer]


@pytest.fixture
def make(tmp_path: Path, cache: ObjectStore) -> Make:
    def made(*items: Item, base: BaseView | None = None, more: dict[str, list[Item]] | None = None) -> SystemLayer:
        packages = {"x": list(items), **(more or {})}
        debs = [stored(tmp_path, deb(control(name), each), name) for name, each in packages.items()]
        return system_layer(debs, base or view(FOLDERS, MERGED), cache)

    return made


def placed(layer: SystemLayer) -> dict[str, Entry]:
    return {entry.path: entry for entry in layer.entries if not entry.path.startswith("var/lib/dpkg/status.d")}


def test_no_packages_no_layer(cache: ObjectStore) -> None:
    assert system_layer([], view(), cache).entries == ()


def test_paths_go_where_the_links_of_the_base_lead(make: Make) -> None:
    items = [
        Item("./lib/"),
        Item(f"./lib/{MULTIARCH}/"),
        Item(f"./lib/{MULTIARCH}/a", b"a"),
        Item("./bin/tool", b"t", mode=0o755),
    ]
    found = placed(make(*items, Item("./lib64/ld", link="../lib/x"), Item("./bin/same", hard="./bin/tool")))
    assert list(found) == ["usr/bin/same", "usr/bin/tool", f"usr/lib/{MULTIARCH}/a", "usr/lib64/ld"]
    assert found["usr/bin/same"].target == "usr/bin/tool"
    assert found["usr/lib64/ld"].target == "../lib/x"


def test_a_base_without_merged_directories(make: Make) -> None:
    found = placed(make(Item("./lib/a", b"a"), base=view(["lib", "usr/lib"])))
    assert list(found) == ["lib/a"]


def test_directories_of_the_base_stay_as_they_are(make: Make) -> None:
    found = placed(make(Item("./usr/"), Item("./usr/bin/", mode=0o700), Item("./usr/new/", mode=0o2755)))
    assert {path: oct(entry.mode) for path, entry in found.items()} == {"usr/new": "0o2755"}


def test_documentation_is_left_out_but_for_licences(make: Make) -> None:
    left = [
        "man/man1/x.1.gz",
        "info/x.gz",
        "locale/de/x.mo",
        "lintian/overrides/x",
        "doc/x/changelog.gz",
        "doc/x/sub/copyright",
    ]
    kept = ["doc/x/copyright", "x/data"]
    found = placed(
        make(*(Item(f"./usr/share/{name}", b"x") for name in (*left, *kept)), Item("./usr/share/doc/y", link="x"))
    )
    assert list(found) == ["usr/share/doc/x/copyright", "usr/share/doc/y", "usr/share/x/data"]


def test_a_hard_link_to_documentation_becomes_the_file(make: Make) -> None:
    found = placed(make(Item("./usr/share/doc/x/big", b"big"), Item("./usr/share/x", hard="./usr/share/doc/x/big")))
    assert (found["usr/share/x"].kind, found["usr/share/x"].body.size) == ("file", 3)  # type: ignore[union-attr]


def test_scanners_find_every_package(make: Make) -> None:
    found = {entry.path: entry for entry in make(Item("./usr/a", b"a")).entries}
    listed = b"".join(found["var/lib/dpkg/status.d/x"].body.plain())  # type: ignore[union-attr]
    sums = b"".join(found["var/lib/dpkg/status.d/x.md5sums"].body.plain())  # type: ignore[union-attr]
    assert listed.decode() == control("x")
    assert sums == b"0cc175b9c0f1b6a831c399e269772661  usr/a\n"


@pytest.mark.parametrize(
    ("item", "files", "links"),
    [
        (Item("./usr/bin/tool", b"x"), {"usr/bin/tool": b"y"}, {}),
        (Item("./usr/bin/tool", b"x"), {}, {"usr/bin/tool": "other"}),
        (Item("./usr/bin/tool", link="a"), {}, {"usr/bin/tool": "other"}),
        (Item("./usr/bin/tool/"), {"usr/bin/tool": b"y"}, {}),
        (Item("./usr/lib", b"x"), {}, {}),
        (Item("./bin/tool", b"x"), {"usr/bin/tool": b"y"}, MERGED),
        (Item("./dangling/"), {}, {"dangling": "nowhere"}),
    ],
)
def test_nothing_of_the_base_is_replaced(
    make: Make, item: Item, files: dict[str, bytes], links: dict[str, str]
) -> None:
    with pytest.raises(CaptureError, match="would replace files") as caught:
        make(item, base=view(["usr/lib"], links, files))
    assert "which the base image has" in caught.value.problems[0]


def test_links_that_the_base_has_already(make: Make) -> None:
    base = view(["usr/share/doc/x"], {"usr/bin/a": "b"})
    assert placed(make(Item("./usr/bin/a", link="b"), Item("./usr/share/doc/x", link="y"), base=base)) == {}


def test_two_packages_with_one_path(make: Make) -> None:
    with pytest.raises(CaptureError) as caught:
        make(Item("./usr/a", b"1"), Item("./usr/b", b""), more={"y": [Item("./usr/a", b"1"), Item("./usr/b", b"")]})
    assert caught.value.problems == (
        "y_1.0-1_amd64.deb would replace /usr/a, which x_1.0-1_amd64.deb has",
        "y_1.0-1_amd64.deb would replace /usr/b, which x_1.0-1_amd64.deb has",
    )


def test_a_link_of_one_package_to_a_directory_leads_the_files_of_another(make: Make) -> None:
    found = placed(
        make(Item("./opt/real/"), Item("./opt/link", link="real"), more={"y": [Item("./opt/link/file", b"")]})
    )
    assert "opt/real/file" in found


def test_programs_that_change_the_user_are_told(make: Make) -> None:
    layer = make(Item("./usr/bin/su", b"su", mode=0o4755))
    assert placed(layer)["usr/bin/su"].mode == 0o4755
    assert layer.notes == ("/usr/bin/su of x_1.0-1_amd64.deb changes the user or group that runs it",)


def test_packages_of_two_targets(tmp_path: Path, cache: ObjectStore) -> None:
    package, path = stored(tmp_path, deb(control("x")), "x")
    with pytest.raises(UsageError, match="several targets"):
        system_layer([(package, path), (replace(package, target="linux/arm64"), path)], view(), cache)


def cache_of(layer: SystemLayer) -> list[tuple[str, str]]:
    body = placed(layer)["etc/ld.so.cache"].body
    assert body is not None
    return [(one.soname, one.path) for one in parse_cache(b"".join(body.plain())).libraries]


def test_new_libraries_enter_the_loaders_cache_with_their_links(make: Make) -> None:
    folder = f"./usr/lib/{MULTIARCH}"
    items = [
        Item(f"{folder}/liba.so.1.2", elf("liba.so.1")),
        Item(f"{folder}/liba.so.1", link="liba.so.1.2"),
        Item(f"{folder}/liba.so", link="liba.so.1"),
        Item(f"{folder}/libbare.so.3.1", elf("libbare.so.3")),
        Item(f"{folder}/libplugin.so", elf()),
        Item(f"{folder}/libforeign.so.1", elf("libforeign.so.1", machine=183)),
        Item(f"{folder}/libscript.so", b"INPUT(-la)"),
        Item(f"{folder}/sub/libhidden.so.1", elf("libhidden.so.1")),
        Item(f"{folder}/libold.so", link="libold.so.1"),
        Item("./opt/x/libopt.so.1", elf("libopt.so.1")),
        Item("./etc/ld.so.conf.d/x.conf", b"/opt/x\n"),
    ]
    old = Library("libold.so.1", f"/lib/{MULTIARCH}/libold.so.1", FLAGS["amd64"])
    files = {
        **CONF,
        f"usr/lib/{MULTIARCH}/libold.so.1": b"",
        "etc/ld.so.cache": render_cache(LoaderCache((old,), (), b"g"), []),
    }
    layer = make(*items, base=view(FOLDERS, MERGED, files))
    assert cache_of(layer) == [
        ("libplugin.so", f"/lib/{MULTIARCH}/libplugin.so"),
        ("libopt.so.1", "/opt/x/libopt.so.1"),
        ("libold.so.1", f"/lib/{MULTIARCH}/libold.so.1"),
        ("libold.so", f"/lib/{MULTIARCH}/libold.so"),
        ("libbare.so.3", f"/lib/{MULTIARCH}/libbare.so.3"),
        ("liba.so.1", f"/lib/{MULTIARCH}/liba.so.1"),
        ("liba.so", f"/lib/{MULTIARCH}/liba.so"),
    ]
    assert placed(layer)[f"usr/lib/{MULTIARCH}/libbare.so.3"].target == "libbare.so.3.1"


def test_a_base_without_a_cache_gets_one_of_what_is_new(make: Make) -> None:
    layer = make(Item(f"./lib/{MULTIARCH}/liba.so.1", elf("liba.so.1")))
    assert cache_of(layer) == [("liba.so.1", f"/lib/{MULTIARCH}/liba.so.1")]


def test_without_new_libraries_the_cache_stays(make: Make) -> None:
    assert "etc/ld.so.cache" not in placed(make(Item("./usr/share/x/data", b"")))


def test_the_same_layer_whatever_the_order_of_packages(tmp_path: Path, cache: ObjectStore) -> None:
    debs = [stored(tmp_path, deb(control(name), [Item("./opt/"), Item(f"./opt/{name}", b"")]), name) for name in "xyz"]
    assert system_layer(debs, view(), cache) == system_layer(debs[::-1], view(), cache)
