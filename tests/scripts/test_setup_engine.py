"""scripts/setup-engine, each of its branches on a machine made of a PATH; dockerd is a stand-in, the engine is real."""

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.engines import Engine
from tests.scripts.machines import Machine, bwrap, needs_debian, needs_linux, which

SCRIPT = "setup-engine"
pytestmark = needs_linux

DOCKERD = """#!/bin/bash
echo "started $*" >> "$MACHINE/dockerd.calls"
case " $* " in *" --storage-driver=vfs "*) ;; *) if [ -e "$MACHINE/broken-storage" ]; then
  echo "failed to start daemon: error initializing graphdriver: driver not supported" >&2; exit 1
fi ;; esac
if [ -e "$MACHINE/broken" ]; then echo "failed to start daemon: no reason at all" >&2; exit 1; fi
ln -s "$REAL_SOCKET" "$REPRO_DOCKER_SOCKET"
exec sleep 300
"""


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """Debian or Ubuntu, root, no engine; whoever uses it starts none."""
    made = Machine(tmp_path)
    made.package("dockerd", DOCKERD)
    return made


@pytest.fixture
def machine(tmp_path: Path, engine: Engine) -> Iterator[Machine]:
    """The same, and dockerd would bring the real engine's socket."""
    endpoint = engine.info().endpoint
    if not endpoint.startswith("unix://"):
        pytest.skip(f"the engine here has no socket but {endpoint}")
    made = Machine(tmp_path, endpoint.removeprefix("unix://"))
    made.package("dockerd", DOCKERD)
    yield made
    started = tmp_path / "state" / "repro-dockerd.pid"
    if started.exists():
        os.kill(int(started.read_text()), signal.SIGTERM)


def test_a_docker_host_that_is_dead_is_not_replaced(bare: Machine) -> None:
    bare.env["DOCKER_HOST"] = f"unix://{bare.root}/dead.sock"
    code, output = bare.run(SCRIPT)
    assert code == 4
    assert f"DOCKER_HOST=unix://{bare.root}/dead.sock does not answer" in output
    assert bare.calls("apt") == []


def test_macos(bare: Machine) -> None:
    bare.system("Darwin")
    code, output = bare.run(SCRIPT)
    assert code == 4
    assert "Docker Desktop" in output
    assert "colima" in output


def test_another_linux(bare: Machine) -> None:
    (bare.bin / "apt-get").unlink()
    code, output = bare.run(SCRIPT)
    assert code == 4
    assert "https://docs.docker.com/engine/install/" in output
    assert "https://podman.io" in output


@needs_debian
def test_debian_without_root(bare: Machine) -> None:
    bare.user(1000)
    code, output = bare.run(SCRIPT)
    assert code == 4
    assert f"/scripts/{SCRIPT}" in output.partition("sudo ")[2]
    assert bare.calls("apt") == []


@needs_debian
def test_a_dead_archive(bare: Machine) -> None:
    (bare.root / "no-network").touch()
    code, output = bare.run(SCRIPT)
    assert code == 4
    assert "Could not resolve 'deb.example.org'" in output
    assert "apt-get update failed" in output


@needs_debian
def test_a_dockerd_that_fails_shows_why(bare: Machine) -> None:
    (bare.root / "broken").touch()
    code, output = bare.run(SCRIPT)
    assert code == 4
    assert "no reason at all" in output
    assert len(bare.calls("dockerd")) == 1
    assert not (bare.root / "state" / "repro-dockerd.pid").exists()


@pytest.mark.parametrize("arguments", [("--now",), ("--find", "--or-bubblewrap")])
def test_arguments_are_refused(bare: Machine, arguments: tuple[str, ...]) -> None:
    code, output = bare.run(SCRIPT, *arguments)
    assert code == 2
    assert "usage: scripts/setup-engine" in output


def test_finding_changes_nothing(bare: Machine) -> None:
    code, output = bare.run(SCRIPT, "--find")
    assert (code, output) == (4, "setup-engine: no container engine answers\n")
    assert bare.calls("apt") == []


@pytest.mark.parametrize("uid", [0, 1000])
def test_bubblewrap_will_do_where_it_works(bare: Machine, uid: int) -> None:
    bare.user(uid)
    bare.program("bwrap", bwrap())
    code, output = bare.run(SCRIPT, "--or-bubblewrap")
    assert (code, output) == (0, "setup-engine: no container engine answers; using bubblewrap, which needs none\n")
    assert bare.calls("apt") == []


@needs_debian
def test_bubblewrap_is_installed_rather_than_docker(bare: Machine) -> None:
    code, output = bare.run(SCRIPT, "--or-bubblewrap")
    assert code == 0, output
    assert "using bubblewrap" in output
    assert bare.calls("apt") == ["update -qq", "install -y -qq --no-install-recommends bubblewrap"]
    assert bare.calls("dockerd") == []


@needs_debian
def test_who_may_not_install_bubblewrap_is_told_to(bare: Machine) -> None:
    bare.user(1000)
    code, output = bare.run(SCRIPT, "--or-bubblewrap")
    assert code == 4
    assert "sudo apt-get install bubblewrap" in output


def test_bubblewrap_does_not_replace_an_engine_that_is_named(bare: Machine) -> None:
    bare.program("bwrap", bwrap())
    bare.env["DOCKER_HOST"] = f"unix://{bare.root}/dead.sock"
    code, output = bare.run(SCRIPT, "--or-bubblewrap")
    assert code == 4
    assert "does not answer" in output


@needs_debian
@pytest.mark.parametrize("why", ["no namespaces", "too old", "set-user-ID"])
def test_bubblewrap_that_repro_can_not_use_does_not_do(bare: Machine, why: str) -> None:
    bare.user(1000)
    bare.program("bwrap", bwrap("0.6.1" if why == "too old" else "0.11.0"))
    if why == "no namespaces":
        (bare.root / "no-namespaces").touch()
    if why == "set-user-ID":
        (bare.bin / "bwrap").chmod(0o755 | stat.S_ISUID)
    code, output = bare.run(SCRIPT, "--or-bubblewrap")
    assert code == 4
    assert "installing one takes root" in output


@pytest.mark.engine
@needs_debian
def test_docker_is_installed_and_started_once(machine: Machine) -> None:
    code, output = machine.run(SCRIPT)
    assert code == 0, output
    assert "installing docker.io" in output
    assert "starting dockerd" in output
    installs = [call for call in machine.calls("apt") if call.startswith("install")]
    assert installs == ["install -y -qq --no-install-recommends docker.io iptables"]
    assert machine.calls("dockerd") == [f"started --host unix://{machine.socket}"]
    code, output = machine.run(SCRIPT)
    assert (code, output.splitlines()[0]) == (0, f"setup-engine: using the Docker engine at {machine.socket}")
    assert len(machine.calls("dockerd")) == 1


@pytest.mark.engine
@needs_debian
def test_docker_is_installed_where_bubblewrap_does_not_work(machine: Machine) -> None:
    (machine.root / "no-namespaces").touch()
    code, output = machine.run(SCRIPT, "--or-bubblewrap")
    assert code == 0, output
    assert "bubblewrap does not work here" in output
    assert f"using the Docker engine at {machine.socket}" in output
    code, output = machine.run(SCRIPT, "--or-bubblewrap")
    assert (code, output.splitlines()[0]) == (0, f"setup-engine: using the Docker engine at {machine.socket}")


@pytest.mark.engine
@needs_debian
def test_twice_at_once(machine: Machine) -> None:
    processes = [machine.start(SCRIPT), machine.start(SCRIPT)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert len(machine.calls("dockerd")) == 1
    assert len([call for call in machine.calls("apt") if call.startswith("install")]) == 1


@pytest.mark.engine
@needs_debian
def test_a_storage_driver_that_fails_is_replaced_by_vfs(machine: Machine) -> None:
    (machine.root / "broken-storage").touch()
    code, output = machine.run(SCRIPT)
    assert code == 0, output
    assert "starting it with vfs" in output
    assert machine.calls("dockerd") == [
        f"started --host unix://{machine.socket}",
        f"started --storage-driver=vfs --host unix://{machine.socket}",
    ]


@pytest.mark.engine
@pytest.mark.parametrize("asker", ["curl", "python3", "perl"])
def test_an_engine_that_answers_is_used_as_it_is(machine: Machine, asker: str) -> None:
    """A new machine may have any one of these to ask with."""
    (machine.bin / "python3").unlink()
    if which(asker) is None:
        pytest.skip(f"there is no {asker} here")
    machine.has(asker)
    machine.user(1000)
    machine.socket.symlink_to(machine.env["REAL_SOCKET"])
    code, output = machine.run(SCRIPT)
    assert code == 0, output
    assert f"using the Docker engine at {machine.socket}" in output
    machine.env["DOCKER_HOST"] = f"unix://{machine.socket}"
    code, output = machine.run(SCRIPT)
    assert (code, f"DOCKER_HOST=unix://{machine.socket}" in output) == (0, True)


@pytest.mark.engine
def test_podmans_socket(machine: Machine) -> None:
    podman = machine.root / "run" / "podman" / "podman.sock"
    podman.parent.mkdir(parents=True)
    podman.symlink_to(machine.env["REAL_SOCKET"])
    machine.env["XDG_RUNTIME_DIR"] = str(machine.root / "run")
    code, output = machine.run(SCRIPT)
    assert code == 0, output
    assert f"using Podman at {podman}" in output


@pytest.mark.engine
def test_a_socket_that_nobody_serves_is_passed_over(bare: Machine) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bare.socket))
    bare.user(1000)
    code, _ = bare.run(SCRIPT)
    assert code == 4
