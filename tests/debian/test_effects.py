"""The table of known scripts, and what is refused because nobody knows it."""

import hashlib
import importlib.resources
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.debian import effects
from repro.debian.layer import SystemLayer, system_layer
from repro.errors import CaptureError
from repro.store.objects import ObjectStore
from tests.debian.forge import Item, control, deb, stored, view

SCRIPT = b"#!/bin/sh\nrm -rf /\n"
DIGEST = hashlib.sha256(SCRIPT).hexdigest()

Layer = Callable[..., SystemLayer]


@pytest.fixture
def layer(tmp_path: Path, cache: ObjectStore) -> Layer:
    def made(*packages: tuple[str, bytes], skip: str = "", base: dict[str, bytes] | None = None) -> SystemLayer:
        debs = [stored(tmp_path, data, name, skip=name == skip) for name, data in packages]
        return system_layer(debs, view(files=base or {}), cache)

    return made


@pytest.mark.parametrize("name", ["preinst", "postinst", "config"])
def test_an_unknown_script_is_refused_by_name(layer: Layer, name: str) -> None:
    with pytest.raises(CaptureError, match="scripts are not known") as caught:
        layer(("x", deb(control("x"), files={name: SCRIPT})))
    assert caught.value.problems == (f"x 1.0-1: {name} (sha256 {DIGEST})",)
    assert "skip-scripts" in str(caught.value.fix)


def test_scripts_may_be_left_out_knowingly(layer: Layer) -> None:
    found = layer(("x", deb(control("x"), [Item("./a", b"a")], files={"postinst": SCRIPT})), skip="x")
    assert "a" in {entry.path for entry in found.entries}


def test_scripts_of_removal_are_nobodys_business(layer: Layer) -> None:
    layer(("x", deb(control("x"), files={"prerm": SCRIPT, "postrm": SCRIPT})))


def test_all_unknown_scripts_are_named_at_once(layer: Layer) -> None:
    with pytest.raises(CaptureError) as caught:
        layer(*((name, deb(control(name), files={"postinst": SCRIPT})) for name in ("x", "y")))
    assert len(caught.value.problems) == 2


def test_a_trigger_that_nobody_knows(layer: Layer) -> None:
    watching = ("x", deb(control("x"), files={"triggers": b"interest-noawait /usr/share/odd\n"}))
    told = ("y", deb(control("y"), [Item("./usr/share/odd/file", b"")]))
    layer(watching)
    with pytest.raises(CaptureError, match="not known") as caught:
        layer(watching, told)
    assert caught.value.problems == ("x would be told of /usr/share/odd/file",)
    layer(watching, told, skip="x")


def test_a_trigger_of_the_base(layer: Layer) -> None:
    told = ("y", deb(control("y"), [Item("./usr/share/odd/file", b"")]))
    with pytest.raises(CaptureError) as caught:
        layer(told, base={"var/lib/dpkg/triggers/File": b"/usr/share/odd there/noawait\n"})
    assert caught.value.problems == ("there would be told of /usr/share/odd/file",)


def test_known_triggers_say_what_stays_undone(layer: Layer) -> None:
    watching = ("x", deb(control("x"), files={"triggers": b"interest-noawait /usr/share/mime/packages\n"}))
    told = ("y", deb(control("y"), [Item("./usr/share/mime/packages/y.xml", b"")]))
    assert layer(watching).notes == ()
    assert "MIME database" in layer(watching, told).notes[0]


def test_every_entry_of_the_table_can_be_used() -> None:
    text = importlib.resources.files("repro.debian").joinpath("known-scripts.toml").read_text("utf-8")
    document = tomllib.loads(text)
    keys = {
        "name",
        "why",
        "scripts",
        "lacks",
        "certificates",
        "directories",
        "unless",
        "alternatives",
        "links",
        "files",
    }
    digests = [digest for item in document["package"] for digest in item["scripts"]]
    assert all(item.keys() <= keys and item["why"] for item in document["package"])
    assert all(item.keys() <= {"folder", "why", "lacks"} for item in document["trigger"])
    assert all(len(digest) == 64 for digest in digests)
    names = [item["name"] for item in document["package"]]
    assert names == sorted(names)
    assert len(digests) == len(set(digests))
    for architecture in ("amd64", "arm64"):
        known = effects._known(architecture)
        assert known.scripts.keys() == set(digests)
        paths = [
            path for effect in known.scripts.values() for path in (*effect.links, *effect.files, *effect.directories)
        ]
        assert not any(path.startswith("/") or "{" in path for path in paths)
