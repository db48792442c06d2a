"""The runner's own packages: the pinned bytes, from the user's index where it has them."""

from pathlib import Path

import pytest

from repro.capture.packages.index import IndexClient
from repro.capture.packages.runner_packages import lock_runner
from repro.capture.packages.settings import PYPI, IndexSettings, load_settings
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.store import ObjectStore
from tests.http.servers import publish, serve

BOTH = ("linux/amd64", "linux/arm64")


def client(tmp_path: Path, settings: IndexSettings) -> IndexClient:
    return IndexClient(settings, cache=ObjectStore(tmp_path / "cache"), pages=tmp_path / "pages")


def pins(wheels: dict[str, bytes], **changes: str) -> dict[str, object]:
    """A PEP 751 document that pins `wheels` to another place."""
    projects: dict[str, list[dict[str, object]]] = {}
    for name, body in wheels.items():
        wheel = {"url": f"https://pinned.example.org/{name}", "hashes": {"sha256": Digest.of(body).hex}}
        projects.setdefault(name.partition("-")[0].lower(), []).append({**wheel, "size": len(body)})
    versions = {name.partition("-")[0].lower(): name.split("-")[1] for name in wheels}
    packages = [{"name": name, "version": versions[name], "wheels": found} for name, found in projects.items()]
    return {"lock-version": "1.0", "created-by": "a test", "packages": packages, **changes}


def test_a_mirror_with_the_same_bytes_is_preferred(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        url = publish(server, wheels)
        packages = lock_runner("3.11.7", BOTH, "2.36", client(tmp_path, IndexSettings(url)), document=pins(wheels))
    assert {(one.name, one.origin, one.source) for one in packages} == {
        ("iniconfig", "index", url),
        ("markupsafe", "index", url),
        ("six", "index", url),
    }
    assert {file.name: file.targets for package in packages for file in package.files if "none" in file.name} == {
        "iniconfig-2.0.0-py3-none-any.whl": BOTH,
        "six-1.17.0-py2.py3-none-any.whl": BOTH,
    }
    assert all(str(file.url).startswith(server.url) for package in packages for file in package.files)


@pytest.mark.parametrize("hashes", [True, False])
def test_other_bytes_and_absent_files_fall_back_to_the_pinned_address(
    tmp_path: Path, wheels: dict[str, bytes], hashes: bool
) -> None:
    other = {name: body + b"?" for name, body in wheels.items() if name.startswith("six")}
    with serve() as server:
        asking = client(tmp_path, IndexSettings(publish(server, other, hashes=hashes)))
        packages = lock_runner("3.11.7", BOTH, "2.36", asking, document=pins(wheels))
    for package in packages:
        assert package.source == PYPI
        for file in package.files:
            assert file.url == f"https://pinned.example.org/{file.name}"
            assert (file.sha256, file.size) == (Digest.of(wheels[file.name]), len(wheels[file.name]))


def test_what_ships_with_repro_is_found_on_the_real_index(tmp_path: Path) -> None:
    packages = lock_runner("3.11.7", BOTH, "2.36", client(tmp_path, load_settings()))
    names = {package.name for package in packages}
    assert {"nbclient", "nbformat", "jupyter-client"} <= names
    for package in packages:
        assert sorted(target for file in package.files for target in file.targets) == list(BOTH)
        assert all(str(file.url).startswith("https://") and file.size > 0 for file in package.files)


@pytest.mark.parametrize("version", ["3.9.18", "3.12.1", "3.13.0"])
def test_every_supported_python_has_a_full_set(tmp_path: Path, version: str) -> None:
    packages = lock_runner(version, BOTH, "2.36", client(tmp_path, load_settings()))
    assert {"nbclient", "nbformat", "jupyter-client", "pyzmq"} <= {package.name for package in packages}


def test_an_unsupported_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not support Python 3\.6\.1"):
        lock_runner("3.6.1", BOTH, "2.36", client(tmp_path, IndexSettings(None)))


def test_damaged_pins_are_named(tmp_path: Path, wheels: dict[str, bytes]) -> None:
    with pytest.raises(IntegrityError, match="damaged"):
        lock_runner(
            "3.11.7",
            BOTH,
            "2.36",
            client(tmp_path, IndexSettings(None)),
            document=pins(wheels, **{"lock-version": "2.0"}),
        )
