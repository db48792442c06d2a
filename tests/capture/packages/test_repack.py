"""Installed files → wheel → installed files: nothing lost, nothing added, the same bytes each time."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.packages.repack import repack
from repro.errors import CaptureError
from tests.capture.packages.installed import Venv
from tests.capture.packages.projects import GRAND_TOUR, PLAIN, make, sdist

TOOLS = ("pip", "uv")


@pytest.fixture(scope="session")
def tour_sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tour")
    return sdist(make(folder / "tree", GRAND_TOUR), folder / "sdist")


@pytest.fixture(scope="session", params=TOOLS)
def toured(request: pytest.FixtureRequest, tour_sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    """An environment that holds the grand tour, built from its source distribution by pip or by uv."""
    venv = Venv(tmp_path_factory.mktemp("toured") / "laptop environment")
    venv.install(request.param, "--no-deps", tour_sdist)
    return venv


@pytest.fixture
def plain(tmp_path: Path) -> Venv:
    venv = Venv(tmp_path / "laptop")
    venv.pip(make(tmp_path / "plain", PLAIN))
    return venv


@pytest.mark.parametrize("tool", TOOLS)
def test_a_repacked_wheel_installs_to_the_same_files(toured: Venv, tool: str, tmp_path: Path) -> None:
    wheel = repack(*toured.distribution("grand-tour"), tmp_path / "out")

    fresh = Venv(tmp_path / "fresh")
    fresh.install(tool, "--no-deps", "--no-index", wheel)

    expected, actual = toured.files("grand-tour"), fresh.files("grand-tour")
    assert actual.keys() == expected.keys()
    assert {name for name, value in expected.items() if _settled(actual[name]) != _settled(value)} == set()
    kinds = ("tour/_fast.", "share/tour/thing.dat", "etc/tour/tour.conf", "/tour.h", "bin/tour-python", "bin/tour-main")
    assert all(any(kind in name for name in actual) for kind in kinds)


def _settled(file: tuple[bytes, bool]) -> tuple[bytes, bool]:
    """pip and uv write a script's first line differently when the path has spaces, and their launchers differ."""
    content, executable = file
    if executable and b"@PREFIX@" in content:
        content = b"" if b"sys.exit(main())" in content else content.split(b"@PREFIX@", 1)[1].split(b"\nimport", 1)[-1]
    return content, executable


def test_repacking_what_a_repacked_wheel_installed_gives_the_same_bytes(toured: Venv, tmp_path: Path) -> None:
    first = repack(*toured.distribution("grand-tour"), tmp_path / "first")
    for tool in TOOLS:
        fresh = Venv(tmp_path / tool)
        fresh.install(tool, "--no-deps", "--no-index", first)
        again = repack(*fresh.distribution("grand-tour"), tmp_path / f"{tool}-out")
        assert again.name == first.name
        assert again.read_bytes() == first.read_bytes()


def test_the_wheel_says_only_what_the_files_say(toured: Venv, tmp_path: Path) -> None:
    distribution, interpreter = toured.distribution("grand-tour")
    wheel = repack(distribution, interpreter, tmp_path)

    assert wheel.name == f"grand_tour-1.2+local.3-{distribution.tags[0]}.whl"
    with zipfile.ZipFile(wheel) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        assert list(infos)[-1].endswith(".dist-info/RECORD")
        assert {info.compress_type for info in infos.values()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in infos.values()} == {(1980, 1, 1, 0, 0, 0)}
        assert infos["tour/Größe.txt"].flag_bits & 0x800
        modes = {info.external_attr >> 16 for info in infos.values()}
        assert modes == {0o100644, 0o100755}
        scripts = {name.split("/")[-1]: archive.read(name) for name in infos if "/scripts/" in name}
        data = {name for name in infos if ".data/data/" in name}
        headers = [name for name in infos if ".data/headers/" in name]
    assert scripts == {
        "tour-python": b"#!python\nimport tour; tour.main()\n",
        "tour-env": b"#!/usr/bin/env bash\necho env\n",
        "tour-shell": b"#!/bin/sh\necho shell\n",
    }
    assert {name.split(".data/data/")[1] for name in data} == {"share/tour/thing.dat", "etc/tour/tour.conf"}
    assert [name.split(".data/headers/")[1] for name in headers] == ["tour.h"]
    traces = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
    assert not {name for name in infos if name.split("/")[-1] in traces or name.endswith(".pyc")}


def test_umask_and_bytecode_do_not_show(plain: Venv, tmp_path: Path) -> None:
    distribution, interpreter = plain.distribution("plain-thing")
    first = repack(distribution, interpreter, tmp_path / "first").read_bytes()
    module = distribution.location / "plain_thing" / "__init__.py"
    module.chmod(0o600)
    os.utime(module, (0, 0))
    cache = module.parent / "__pycache__" / "__init__.cpython-311.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"whatever")
    record = distribution.metadata / "RECORD"
    record.write_text(
        "\n".join(reversed(record.read_text().splitlines())) + "\nplain_thing/__pycache__/__init__.cpython-311.pyc,,\n"
    )

    assert repack(distribution, interpreter, tmp_path / "second").read_bytes() == first


def test_a_file_edited_by_hand_is_packed_as_it_is_and_named(plain: Venv, tmp_path: Path) -> None:
    distribution, interpreter = plain.distribution("plain-thing")
    (distribution.location / "plain_thing" / "data.csv").write_text("a,b\n1,3\n")
    warnings: list[str] = []

    wheel = repack(distribution, interpreter, tmp_path / "out", warnings.append)

    assert len(warnings) == 1
    assert "plain_thing/data.csv" in warnings[0]
    assert "__init__.py" not in warnings[0]
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("plain_thing/data.csv") == b"a,b\n1,3\n"


def test_an_untouched_install_gives_no_warning(toured: Venv, tmp_path: Path) -> None:
    warnings: list[str] = []
    repack(*toured.distribution("grand-tour"), tmp_path, warnings.append)
    assert warnings == []


def test_missing_files_are_all_named(plain: Venv, tmp_path: Path) -> None:
    distribution, interpreter = plain.distribution("plain-thing")
    for name in ("data.csv", "__init__.py"):
        (distribution.location / "plain_thing" / name).unlink()

    with pytest.raises(CaptureError, match="missing") as caught:
        repack(distribution, interpreter, tmp_path / "out")
    assert set(caught.value.problems) == {"plain_thing/data.csv", "plain_thing/__init__.py"}
    assert not (tmp_path / "out").exists()


def test_a_record_that_escapes_the_environment_is_refused(plain: Venv, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    distribution, interpreter = plain.distribution("plain-thing")
    with (distribution.metadata / "RECORD").open("a") as record:
        record.write("../../../../secret,,\n/etc/hostname,,\n")

    with pytest.raises(CaptureError, match="outside") as caught:
        repack(distribution, interpreter, tmp_path / "out")
    assert set(caught.value.problems) == {"../../../../secret", "/etc/hostname"}


def test_installs_without_a_record_are_refused_with_the_reason(plain: Venv, tmp_path: Path) -> None:
    distribution, interpreter = plain.distribution("plain-thing")
    cases = {
        "no RECORD": replace(distribution, record=False),
        "egg-info": replace(distribution, metadata=distribution.metadata.with_suffix(".egg-info")),
        "no WHEEL": replace(distribution, tags=()),
    }
    for reason, broken in cases.items():
        with pytest.raises(CaptureError, match=reason) as caught:
            repack(broken, interpreter, tmp_path)
        assert "plain-thing 2.0" in caught.value.what
        assert caught.value.fix
