"""Where credentials come from: configuration files and helper programs, as Docker and Podman leave them."""

import base64
import json
from pathlib import Path

import pytest

from repro.errors import InfrastructureError
from repro.registry.credentials import Credentials, find_credentials
from tests.engines.bubblewrap.conftest import as_nobody
from tests.registry.server import docker_config

HOST = "registry.example.org:5000"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/"])
def test_docker_login(tmp_path: Path, key: str) -> None:
    environ = docker_config(
        tmp_path, {"auths": {"other": {"auth": encoded("no:no")}, key: {"auth": encoded("me:a:b")}}}
    )
    assert find_credentials(HOST, environ) == Credentials("me", "a:b")
    assert find_credentials("registry.example.org", environ) is None


def test_docker_hub_is_filed_under_its_old_address(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": encoded("me:pass")}}})
    assert find_credentials("docker.io", environ) == Credentials("me", "pass")


def test_podman_login(tmp_path: Path) -> None:
    path = tmp_path / "containers" / "auth.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {HOST: {"auth": encoded("me:pass")}}}))
    assert find_credentials(HOST, {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}) == Credentials(
        "me", "pass"
    )
    assert find_credentials(HOST, {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(path)}) == Credentials("me", "pass")


@pytest.mark.parametrize("config", [{"credHelpers": {HOST: "tests"}}, {"credsStore": "tests", "auths": {HOST: {}}}])
def test_a_helper_is_asked_by_name(tmp_path: Path, config: object) -> None:
    helper = tmp_path / "docker-credential-tests"
    helper.write_text(
        f'#!/bin/sh\n[ "$1" = get ] && [ "$(cat)" = \'{HOST}\' ] || exit 1\n'
        'echo \'{"ServerURL": "x", "Username": "me", "Secret": "from the helper"}\'\n'
    )
    helper.chmod(0o755)
    environ = docker_config(tmp_path, config)
    assert find_credentials(HOST, environ) == Credentials("me", "from the helper")
    assert find_credentials("elsewhere", environ) is None


def test_a_helper_may_have_an_identity_token(tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-tests"
    helper.write_text('#!/bin/sh\necho \'{"Username": "<token>", "Secret": "refresh"}\'\n')
    helper.chmod(0o755)
    environ = docker_config(tmp_path, {"credHelpers": {HOST: "tests"}})
    assert find_credentials(HOST, environ) == Credentials("", "", "refresh")


def test_a_missing_helper_is_named(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {"credHelpers": {HOST: "nowhere"}})
    with pytest.raises(InfrastructureError, match="docker-credential-nowhere"):
        find_credentials(HOST, environ)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    environ = docker_config(tmp_path, {})
    path = Path(environ["DOCKER_CONFIG"], "config.json")
    path.write_text("{")
    with pytest.raises(InfrastructureError) as caught:
        find_credentials(HOST, environ)
    assert caught.value.where == str(path)


def test_a_home_of_somebody_else_has_no_credentials_for_us(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o000)
    assert as_nobody(lambda: find_credentials(HOST, {"HOME": str(home)})) is None


def test_nothing_configured(tmp_path: Path) -> None:
    assert find_credentials(HOST, {"HOME": str(tmp_path)}) is None
