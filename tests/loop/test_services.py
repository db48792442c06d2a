"""The loop where companies work: a base in a registry, and packages on a private index behind TLS and a login."""

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import trustme

from repro.engines import ImageInfo
from repro.errors import ExitCode
from repro.lock import parse_lock
from tests.conftest import BASE
from tests.loop import services
from tests.loop.conftest import CELLS, make_project, repro
from tests.registry.server import find_program

pytestmark = pytest.mark.engine

PYPROJECT = """
[project]
name = "acme-features"
version = "1.2"
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["acme_features"]
"""


@pytest.fixture
def registry(tmp_path: Path, base_image: ImageInfo) -> Iterator[str]:
    with services.registry(find_program(tmp_path)) as host:
        yield host


def test_a_base_from_a_registry_is_pinned_and_pulled_by_digest(
    tmp_path: Path, laptop_python: Path, registry: str
) -> None:
    name = f"{registry}/team/python:3.11"
    client = docker.from_env()
    client.images.get(BASE).tag(name)
    for line in client.images.push(name, stream=True, decode=True):
        assert "error" not in line, line
    client.images.remove(name)
    root = make_project(tmp_path / "p", laptop_python)
    (root / "repro.toml").write_text(f"[base]\nimage = '{name}'\n", encoding="utf-8")
    tag = "repro-test/from-registry:1"
    names = [tag]
    try:
        done = repro(root, "capture", "evaluate me.ipynb")
        assert done.code == 0, done
        base = parse_lock((root / "repro.lock").read_bytes()).base
        assert (base.reference, base.source) == (name, "registry")
        done = repro(root, "build", "-t", tag)
        assert done.code == 0, done
        done = repro(root, "verify", tag)
        assert done.code == 0, done
        below = client.images.get(BASE).attrs["RootFS"]["Layers"]
        assert client.images.get(tag).attrs["RootFS"]["Layers"][: len(below)] == below
        done = repro(root, "build", "--builder", "docker", "-t", tag)
        assert done.code == 0, done
        pinned = f"{registry}/team/python@{base.digest}"
        names.append(pinned)
        assert pinned in client.images.get(pinned).attrs["RepoDigests"]
    finally:
        for image in names:
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(image)  # by name: the base itself goes by another one
        client.close()


@pytest.fixture(scope="module")
def private_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("acme")
    (tree / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (tree / "acme_features.py").write_text("def shift(x):\n    return x + 1\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "uv", "build", "-q", "--wheel", "-o", tree / "dist", tree], check=True)
    (wheel,) = (tree / "dist").glob("*.whl")
    return wheel


@pytest.fixture
def private_index(tmp_path: Path, private_wheel: Path, base_image: ImageInfo) -> Iterator[tuple[str, Path]]:
    """The index's URL and the company's CA."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "company-ca.pem")
    certificate = authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    with services.package_index(certificate, {"acme-features": [private_wheel]}) as url:
        yield url, tmp_path / "company-ca.pem"


def test_a_private_index_with_login_and_own_ca(
    tmp_path: Path,
    laptop_python: Path,
    private_wheel: Path,
    private_index: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, authority = private_index
    root = make_project(tmp_path / "p", laptop_python, [*CELLS[:3], "import acme_features", CELLS[3]])
    environment = root / ".venv"
    environment.unlink()
    shutil.copytree(laptop_python.parent.parent, environment, symlinks=True)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps", "--python", python, private_wheel]
    subprocess.run(install, check=True)
    (next(environment.glob("lib/*/site-packages/acme_features-1.2.dist-info")) / "direct_url.json").unlink()
    with (root / "repro.toml").open("a", encoding="utf-8") as stream:
        stream.write(f"[index]\nextra = ['{url}']\n")
    bundle = tmp_path / "all-cas.pem"
    bundle.write_bytes(Path(_system_bundle()).read_bytes() + authority.read_bytes())
    tag = "repro-test/private-index:1"

    done = repro(root, "capture", "evaluate me.ipynb", "--ca-cert", bundle)
    assert done.code == ExitCode.INFRASTRUCTURE, done
    assert "401" in done.err or "login" in done.err.lower(), done

    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login anna password s3cret\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    done = repro(root, "capture", "evaluate me.ipynb")
    assert done.code == ExitCode.INFRASTRUCTURE, done
    assert "certificate" in done.err.lower(), done
    assert "--ca-cert" in done.err, done

    try:
        done = repro(root, "capture", "evaluate me.ipynb", "--ca-cert", bundle)
        assert done.code == 0, done
        text = (root / "repro.lock").read_text(encoding="utf-8")
        assert "s3cret" not in text
        assert "anna" not in text
        (package,) = (p for p in parse_lock(text.encode()).packages if p.name == "acme-features")
        assert package.source == url
        done = repro(root, "build", "-t", tag, "--ca-cert", bundle)
        assert done.code == 0, done
        done = repro(root, "verify", tag)
        assert done.code == 0, done
    finally:
        subprocess.run(["docker", "rmi", "-f", tag], check=False, capture_output=True)


def _system_bundle() -> str:
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.environ.get(name):
            return os.environ[name]
    found = ssl.get_default_verify_paths().cafile
    assert found
    return found
