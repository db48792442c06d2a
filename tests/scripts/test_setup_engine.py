"""scripts/setup-engine, each of its branches on a machine made of a PATH; dockerd is a stand-in, the engine is real."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.engines import Engine

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup-engine"
TOOLS = ["bash", "env", "timeout", "mktemp", "tail", "grep", "sed", "sleep", "flock", "setsid", "nohup", "mkdir", "rm"]
TOOLS += ["cat", "touch", "ln", "chmod", "cp"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the machines here are made of Linux's tools")

DOCKERD = """#!/bin/bash
echo "started $*" >> "$MACHINE/dockerd.calls"
case " $* " in *" --storage-driver=vfs "*) ;; *) if [ -e "$MACHINE/broken-storage" ]; then
  echo "failed to start daemon: error initializing graphdriver: driver not supported" >&2; exit 1
fi ;; esac
if [ -e "$MACHINE/broken" ]; then echo "failed to start daemon: no reason at all" >&2; exit 1; fi
ln -s "$REAL_SOCKET" "$REPRO_DOCKER_SOCKET"
exec sleep 300
"""
APT_GET = """#!/bin/bash
echo "$*" >> "$MACHINE/apt.calls"
case $1 in
  update) if [ -e "$MACHINE/no-network" ]; then echo "E: Could not resolve 'deb.example.org'" >&2; exit 100; fi ;;
  install) cp "$MACHINE/dockerd.package" "$MACHINE/bin/dockerd" ;;
esac
"""


def _which(name: str) -> str | None:
    """Where a program is; python3 is the real one, for version managers put scripts of their own in its place."""
    return os.path.realpath(sys.executable) if name == "python3" else shutil.which(name)


class Machine:
    """A PATH with chosen programs, a user, an operating system and a place for Docker's socket."""

    def __init__(self, root: Path, real_socket: str) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        self.socket = root / "docker.sock"
        self.env = {
            "PATH": str(self.bin),
            "MACHINE": str(root),
            "HOME": str(root),
            "TMPDIR": str(root),
            "XDG_STATE_HOME": str(root / "state"),
            "REPRO_DOCKER_SOCKET": str(self.socket),
            "REPRO_ENGINE_WAIT": "20",
            "REAL_SOCKET": real_socket,
        }
        self.has(*TOOLS, "python3")
        self.user(0)
        self.system("Linux")
        self.program("apt-get", APT_GET)
        self.program("apt-cache", "#!/bin/bash\nexit 1\n")
        (root / "dockerd.package").write_text(DOCKERD)
        (root / "dockerd.package").chmod(0o755)

    def has(self, *names: str) -> None:
        for name in names:
            (self.bin / name).symlink_to(_which(name) or pytest.fail(f"there is no {name} here"))

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def user(self, uid: int) -> None:
        self.program("id", f"#!/bin/bash\necho {uid}\n")

    def system(self, name: str) -> None:
        self.program("uname", f"#!/bin/bash\necho {name}\n")

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", SCRIPT], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self) -> tuple[int, str]:
        process = self.start()
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def calls(self, program: str) -> list[str]:
        path = self.root / f"{program}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def stop(self) -> None:
        path = self.root / "state" / "repro-dockerd.pid"
        if path.exists():
            os.kill(int(path.read_text()), signal.SIGTERM)


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """Debian or Ubuntu, root, no engine; whoever uses it starts none."""
    return Machine(tmp_path, "/nonexistent")


@pytest.fixture
def machine(tmp_path: Path, engine: Engine) -> Iterator[Machine]:
    """The same, and dockerd would bring the real engine's socket."""
    endpoint = engine.info().endpoint
    if not endpoint.startswith("unix://"):
        pytest.skip(f"the engine here has no socket but {endpoint}")
    made = Machine(tmp_path, endpoint.removeprefix("unix://"))
    yield made
    made.stop()


needs_debian = pytest.mark.skipif(
    not Path("/etc/debian_version").exists(), reason="the script looks at this machine's /etc/os-release"
)


def test_a_docker_host_that_is_dead_is_not_replaced(bare: Machine) -> None:
    bare.env["DOCKER_HOST"] = f"unix://{bare.root}/dead.sock"
    code, output = bare.run()
    assert code == 4
    assert f"DOCKER_HOST=unix://{bare.root}/dead.sock does not answer" in output
    assert bare.calls("apt") == []


def test_macos(bare: Machine) -> None:
    bare.system("Darwin")
    code, output = bare.run()
    assert code == 4
    assert "Docker Desktop" in output
    assert "colima" in output


def test_another_linux(bare: Machine) -> None:
    (bare.bin / "apt-get").unlink()
    code, output = bare.run()
    assert code == 4
    assert "https://docs.docker.com/engine/install/" in output
    assert "https://podman.io" in output


@needs_debian
def test_debian_without_root(bare: Machine) -> None:
    bare.user(1000)
    code, output = bare.run()
    assert code == 4
    assert f"sudo {SCRIPT}" in output
    assert bare.calls("apt") == []


@needs_debian
def test_a_dead_archive(bare: Machine) -> None:
    (bare.root / "no-network").touch()
    code, output = bare.run()
    assert code == 4
    assert "Could not resolve 'deb.example.org'" in output
    assert "apt-get update failed" in output


@needs_debian
def test_a_dockerd_that_fails_shows_why(bare: Machine) -> None:
    (bare.root / "broken").touch()
    code, output = bare.run()
    assert code == 4
    assert "no reason at all" in output
    assert len(bare.calls("dockerd")) == 1
    assert not (bare.root / "state" / "repro-dockerd.pid").exists()


def test_arguments_are_refused(bare: Machine) -> None:
    done = subprocess.run(["bash", SCRIPT, "--now"], env=bare.env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: scripts/setup-engine" in done.stdout


@pytest.mark.engine
@needs_debian
def test_docker_is_installed_and_started_once(machine: Machine) -> None:
    code, output = machine.run()
    assert code == 0, output
    assert "installing docker.io" in output
    assert "starting dockerd" in output
    installs = [call for call in machine.calls("apt") if call.startswith("install")]
    assert installs == ["install -y -qq --no-install-recommends docker.io iptables"]
    assert machine.calls("dockerd") == [f"started --host unix://{machine.socket}"]
    code, output = machine.run()
    assert (code, output.splitlines()[0]) == (0, f"setup-engine: using the Docker engine at {machine.socket}")
    assert len(machine.calls("dockerd")) == 1


@pytest.mark.engine
@needs_debian
def test_twice_at_once(machine: Machine) -> None:
    processes = [machine.start(), machine.start()]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert len(machine.calls("dockerd")) == 1
    assert len([call for call in machine.calls("apt") if call.startswith("install")]) == 1


@pytest.mark.engine
@needs_debian
def test_a_storage_driver_that_fails_is_replaced_by_vfs(machine: Machine) -> None:
    (machine.root / "broken-storage").touch()
    code, output = machine.run()
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
    if _which(asker) is None:
        pytest.skip(f"there is no {asker} here")
    machine.has(asker)
    machine.user(1000)
    machine.socket.symlink_to(machine.env["REAL_SOCKET"])
    code, output = machine.run()
    assert code == 0, output
    assert f"using the Docker engine at {machine.socket}" in output
    machine.env["DOCKER_HOST"] = f"unix://{machine.socket}"
    code, output = machine.run()
    assert (code, f"DOCKER_HOST=unix://{machine.socket}" in output) == (0, True)


@pytest.mark.engine
def test_podmans_socket(machine: Machine) -> None:
    podman = machine.root / "run" / "podman" / "podman.sock"
    podman.parent.mkdir(parents=True)
    podman.symlink_to(machine.env["REAL_SOCKET"])
    machine.env["XDG_RUNTIME_DIR"] = str(machine.root / "run")
    code, output = machine.run()
    assert code == 0, output
    assert f"using Podman at {podman}" in output


@pytest.mark.engine
def test_a_socket_that_nobody_serves_is_passed_over(bare: Machine) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bare.socket))
    bare.user(1000)
    code, _ = bare.run()
    assert code == 4
