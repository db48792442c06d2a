"""The client against a real registry: open, with a password, with tokens, damaged, and gone."""

import json
from pathlib import Path

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError
from repro.registry import NotFoundError, Registry, parse_name
from tests.registry import server
from tests.registry.server import RunningRegistry

AMD64, ARM64 = "linux/amd64", "linux/arm64"
BOTH = {AMD64: ("PYTHON_VERSION=3.11.7", "EMPTY=", "ODD=a=b"), ARM64: ("PYTHON_VERSION=3.11.8",)}


def anonymous(tmp_path: Path) -> Registry:
    return Registry(environ={"HOME": str(tmp_path)})


def test_a_tag_becomes_the_digest_of_its_index(open_registry: RunningRegistry, tmp_path: Path) -> None:
    digest = server.push(open_registry.host, "team/base:1", BOTH)
    name = parse_name(f"{open_registry.host}/team/base:1")
    image = anonymous(tmp_path).resolve(name, AMD64)
    assert image.digest == digest
    assert str(image.name) == f"{open_registry.host}/team/base:1@{digest}"
    assert image.env == {"PYTHON_VERSION": "3.11.7", "EMPTY": "", "ODD": "a=b"}
    assert image.labels == {"of": AMD64}
    other = anonymous(tmp_path).resolve(name, ARM64)
    assert (other.digest, other.env) == (digest, {"PYTHON_VERSION": "3.11.8"})


def test_a_single_manifest_and_a_digest_resolve_too(open_registry: RunningRegistry, tmp_path: Path) -> None:
    digest = server.push(open_registry.host, "base:1", {AMD64: ("A=1",)}, index=False)
    for text in ("base:1", f"base@{digest}", f"base:moved@{digest}"):
        image = anonymous(tmp_path).resolve(parse_name(f"{open_registry.host}/{text}"), AMD64)
        assert (image.digest, image.env) == (digest, {"A": "1"})


@pytest.mark.parametrize("index", [True, False])
def test_another_platform_is_not_found(open_registry: RunningRegistry, tmp_path: Path, index: bool) -> None:
    server.push(open_registry.host, "base:1", {ARM64: ()}, index=index)
    with pytest.raises(NotFoundError, match="not for linux/amd64, only for linux/arm64"):
        anonymous(tmp_path).resolve(parse_name(f"{open_registry.host}/base:1"), AMD64)


def test_what_is_not_there(open_registry: RunningRegistry, tmp_path: Path) -> None:
    server.push(open_registry.host, "base:1", {AMD64: ()})
    for text in ("base:2", "nothing:1", f"base@{Digest.of(b'')}"):
        with pytest.raises(NotFoundError, match="there is no image"):
            anonymous(tmp_path).resolve(parse_name(f"{open_registry.host}/{text}"), AMD64)


def test_a_changed_blob_is_found_out(open_registry: RunningRegistry, tmp_path: Path) -> None:
    index = server.push(open_registry.host, "base:1", {AMD64: ("PYTHON_VERSION=3.11.7",)})
    manifest = Digest.parse(json.loads(open_registry.blob(index).read_bytes())["manifests"][0]["digest"])
    config = Digest.parse(json.loads(open_registry.blob(manifest).read_bytes())["config"]["digest"])
    for digest in (config, manifest, index):
        path = open_registry.blob(digest)
        sound = path.read_bytes()
        path.write_bytes(sound.replace(b'": ', b'" :', 1))
        assert path.read_bytes() != sound
        for text in ("base:1", f"base@{index}"):
            with pytest.raises(IntegrityError, match="something else than it names"):
                anonymous(tmp_path).resolve(parse_name(f"{open_registry.host}/{text}"), AMD64)
        path.write_bytes(sound)
    assert anonymous(tmp_path).resolve(parse_name(f"{open_registry.host}/base:1"), AMD64).digest == index


def test_a_password(tmp_path: Path) -> None:
    with server.with_password(tmp_path) as registry:
        digest = server.push(registry.host, "private:1", {AMD64: ()}, login=True)
        name = parse_name(f"{registry.host}/private:1")
        right = Registry(environ=server.login(tmp_path, registry.host))
        assert right.resolve(name, AMD64).digest == digest
        wrong = Registry(environ=server.login(tmp_path, registry.host, password="guess"))
        with pytest.raises(NotFoundError, match="with the credentials that are configured") as caught:
            wrong.resolve(name, AMD64)
        assert caught.value.fix is not None
        assert f"docker login {registry.host}" in caught.value.fix
        with pytest.raises(NotFoundError, match="without credentials"):
            anonymous(tmp_path / "nobody").resolve(name, AMD64)


def test_tokens(tmp_path: Path) -> None:
    """As at Docker Hub: 401 with a Bearer challenge, a token from another server, the token at the registry."""
    with server.with_tokens(tmp_path) as (registry, asked):
        name = parse_name(f"{registry.host}/private:1")
        right = Registry(environ=server.login(tmp_path, registry.host))
        with pytest.raises(NotFoundError, match="there is no image"):  # let in, but nothing was ever pushed
            right.resolve(name, AMD64)
        assert asked == ["repository:private:pull"]
        token = {"auths": {registry.host: {"auth": "", "identitytoken": server.REFRESH_TOKEN}}}
        refreshed = Registry(environ=server.docker_config(tmp_path, token))
        with pytest.raises(NotFoundError, match="there is no image"):
            refreshed.resolve(name, AMD64)
        with pytest.raises(NotFoundError, match="without credentials"):
            anonymous(tmp_path / "nobody").resolve(name, AMD64)


def test_nobody_there(tmp_path: Path) -> None:
    with server.running(tmp_path) as registry:
        host = registry.host
    with pytest.raises(InfrastructureError, match=host):
        anonymous(tmp_path).resolve(parse_name(f"{host}/base:1"), AMD64)
    with pytest.raises(InfrastructureError, match=r"no-such-host\.invalid"):
        anonymous(tmp_path).resolve(parse_name("no-such-host.invalid/base:1"), AMD64)
