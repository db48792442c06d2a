"""Exports of a lock of real packages, read by the tools whose formats they are."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import uv
from packaging.pylock import Pylock

from repro.cli import main
from repro.digest import Digest
from repro.errors import UsageError
from repro.export import pylock, requirements
from repro.lock import Lock, Package, PackageFile, render_lock
from repro.store import project_store
from tests.http.servers import download_wheels, publish, serve
from tests.lock.samples import plain_lock

BOTH = ("linux/amd64", "linux/arm64")
UV = uv.find_uv_bin()
SIX = "six-1.17.0-py2.py3-none-any.whl"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return download_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    return folder


def make_lock(root: Path, wheels: dict[str, bytes], url: str) -> Lock:
    """A lock of real wheels; six exists in the object store only."""
    store = project_store(root)
    packages: dict[str, Package] = {}
    for name, body in wheels.items():
        project, version = name.lower().split("-")[:2]
        targets = BOTH if name.endswith("any.whl") else BOTH[1:] if "aarch64" in name else BOTH[:1]
        local = name == SIX
        if local:
            store.offer_wheel(store.add_bytes(body), name)
        file = PackageFile(name, Digest.of(body), len(body), None if local else f"{url}/files/{name}", targets)
        files = (*(packages[project].files if project in packages else ()), file)
        origin, source = ("built", "six==1.17.0") if local else ("index", f"{url}/simple")
        packages[project] = Package(project, version, origin, source, files)  # type: ignore[arg-type]
    lock = plain_lock()
    return replace(
        lock,
        targets=BOTH,
        packages=tuple(packages.values()),
        python=replace(lock.python, version=".".join(map(str, sys.version_info[:3]))),
    )


def run(command: Sequence[str | Path], cwd: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a tool with nothing configured but what the test gives it."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(cwd.parent), "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    kept |= {
        "UV_CACHE_DIR": str(cwd.parent / "uv"),
        "NO_PROXY": "localhost",
        "XDG_CACHE_HOME": str(cwd.parent / "cache"),
    }
    return subprocess.run(list(map(str, command)), cwd=cwd, env=kept, capture_output=True, text=True, check=check)


def pip(*args: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", *args]


def empty_venv(root: Path) -> Path:
    run([UV, "venv", "--quiet", "--python", sys.executable, root.parent / "venv"], root)
    return root.parent / "venv" / "bin" / "python"


def test_requirements_read_as_pip_tools_writes_them(root: Path, wheels: dict[str, bytes]) -> None:
    lock = make_lock(root, wheels, "https://index.example.org")
    lines = requirements(lock, "linux/amd64").splitlines()
    six = Digest.of(wheels[SIX])
    assert lines[7:] == [
        "# index: https://index.example.org/simple",
        "iniconfig==2.0.0 \\",
        f"    --hash=sha256:{Digest.of(wheels['iniconfig-2.0.0-py3-none-any.whl']).hex}",
        "    # via index https://index.example.org/simple",
        "markupsafe==3.0.2 \\",
        f"    --hash=sha256:{next(Digest.of(body).hex for name, body in wheels.items() if 'x86_64' in name)}",
        "    # via index https://index.example.org/simple",
        f"./.repro/wheels/{six.short}/{SIX} \\",
        f"    --hash=sha256:{six.hex}",
        "    # via built six==1.17.0",
    ]
    with pytest.raises(UsageError, match="not for linux/s390x"):
        requirements(lock, "linux/s390x")


def test_pip_installs_the_requirements_by_hash_and_nothing_else(root: Path, wheels: dict[str, bytes]) -> None:
    with serve() as server:
        index = publish(server, wheels)
        (root / "requirements.txt").write_text(requirements(make_lock(root, wheels, server.url), "linux/amd64"))
        options = [
            "--dry-run",
            "--no-deps",
            "--require-hashes",
            "--index-url",
            index,
            "--platform",
            "manylinux_2_17_x86_64",
        ]
        options += ["--only-binary", ":all:", "--target", str(root / "t"), "-r", str(root / "requirements.txt")]
        said = run(pip("install", *options), root).stdout
        assert "Would install MarkupSafe-3.0.2 iniconfig-2.0.0 six-1.17.0" in said
        server.add(f"/files/{SIX}", wheels[SIX] + b"?")
        offered = next((root / ".repro" / "wheels").rglob("*.whl"))
        offered.unlink()
        offered.write_bytes(wheels[SIX] + b"?")
        refused = run(pip("install", *options), root, check=False)
        assert refused.returncode != 0
        assert "DO NOT MATCH THE HASHES" in refused.stderr


def test_a_wheel_of_this_project_wins_over_the_index_and_is_found_from_elsewhere(
    root: Path, wheels: dict[str, bytes]
) -> None:
    """The index has six 1.17.0 too, with other bytes; the file lies in a directory beside the project."""
    elsewhere = root.parent / "else where"
    elsewhere.mkdir()
    python = empty_venv(root)
    with serve() as server:
        (root / "repro.lock").write_bytes(render_lock(make_lock(root, wheels, server.url)))
        index = publish(server, {**wheels, SIX: wheels[SIX] + b"?"})
        for kind, name in (("requirements", "requirements.txt"), ("pylock", "pylock.toml")):
            arguments = ["export", "--format", kind, "-f", str(root / "repro.lock"), "-o", str(elsewhere / name)]
            assert main(arguments) == 0
        hashes = ["--no-deps", "--require-hashes", "--index-url", index, "-r", "requirements.txt"]
        dry = ["--python", python, "install", "--dry-run", "--ignore-installed"]
        for options in (hashes, ["-r", "pylock.toml"]):
            said = run(pip(*dry, *options), elsewhere).stdout
            assert "Would install MarkupSafe-3.0.2 iniconfig-2.0.0 six-1.17.0" in said
        run([UV, "pip", "sync", "--require-hashes", "--python", python, "--index-url", index, *hashes[-1:]], elsewhere)
        assert "six @ file://" in run([UV, "pip", "freeze", "--python", python], root).stdout


def test_uv_and_pip_tools_read_the_requirements_too(root: Path, wheels: dict[str, bytes]) -> None:
    python = empty_venv(root)
    with serve() as server:
        index = publish(server, wheels)
        path = root / "requirements.txt"
        path.write_text(requirements(make_lock(root, wheels, server.url), "linux/amd64"))
        sync = [UV, "pip", "sync", "--dry-run", "--require-hashes", "--python", python, "--index-url", index, path]
        said = run(sync, root).stderr
        assert {re.split(r"==| @ ", line)[0] for line in said.splitlines() if line.startswith(" + ")} == {
            " + iniconfig",
            " + markupsafe",
            " + six",
        }
        tools = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--index-url", index]
        again = run([*tools, "--output-file", "-", path], root).stdout
        assert set(re.findall(r"^(\w+)(?:==| @ )", again, re.MULTILINE)) == {"iniconfig", "markupsafe", "six"}
        assert f"sha256:{Digest.of(wheels[SIX]).hex}" in again


def test_a_pylock_is_valid_and_selects_the_right_file_for_each_target(root: Path, wheels: dict[str, bytes]) -> None:
    document = Pylock.from_dict(tomllib.loads(pylock(make_lock(root, wheels, "https://index.example.org"))))
    assert [str(marker) for marker in document.environments or ()] == [
        'sys_platform == "linux" and platform_machine == "x86_64"',
        'sys_platform == "linux" and platform_machine == "aarch64"',
    ]
    assert {
        wheel.filename: wheel.hashes["sha256"] for package in document.packages for wheel in package.wheels or ()
    } == {name: Digest.of(body).hex for name, body in wheels.items()}
    assert [package.index for package in document.packages] == ["https://index.example.org/simple"] * 2 + [None]


def test_a_package_of_one_target_only_carries_a_marker(root: Path, wheels: dict[str, bytes]) -> None:
    lock = make_lock(
        root, {name: body for name, body in wheels.items() if "aarch64" not in name}, "https://i.example.org"
    )
    document = Pylock.from_dict(tomllib.loads(pylock(lock)))
    markers = {package.name: str(package.marker) for package in document.packages if package.marker}
    assert markers == {"markupsafe": 'sys_platform == "linux" and platform_machine == "x86_64"'}


def test_uv_and_pip_install_from_the_pylock(root: Path, wheels: dict[str, bytes]) -> None:
    python = empty_venv(root)
    with serve() as server:
        publish(server, wheels)
        (root / "pylock.toml").write_text(pylock(make_lock(root, wheels, server.url)))
        run([UV, "pip", "sync", "--python", python, "pylock.toml"], root)
        listed = run([UV, "pip", "freeze", "--python", python], root).stdout.splitlines()
        assert [re.sub(r" @ .*", "==1.17.0", line) for line in listed] == [
            "iniconfig==2.0.0",
            "markupsafe==3.0.2",
            "six==1.17.0",
        ]
        said = run(
            pip("--python", python, "install", "--dry-run", "--ignore-installed", "-r", "pylock.toml"), root
        ).stdout
        assert "Would install MarkupSafe-3.0.2 iniconfig-2.0.0 six-1.17.0" in said


def test_an_export_without_packages_is_still_a_pylock() -> None:
    document = tomllib.loads(pylock(replace(plain_lock(), packages=())))
    assert document["packages"] == []
