"""Machines for tests of scripts, made of a PATH: chosen programs, a user, an operating system."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
TOOLS = ["bash", "env", "timeout", "mktemp", "tail", "grep", "sed", "sleep", "flock", "setsid", "nohup", "mkdir", "rm"]
TOOLS += ["cat", "touch", "ln", "chmod", "cp", "sort", "head"]

APT_GET = """#!/bin/bash
echo "$*" >> "$MACHINE/apt.calls"
case $1 in
  update) if [ -e "$MACHINE/no-network" ]; then echo "E: Could not resolve 'deb.example.org'" >&2; exit 100; fi ;;
  install) for name in dockerd bwrap; do
    [ ! -e "$MACHINE/$name.package" ] || case " $* " in
      *" docker.io "*) [ $name != dockerd ] || cp "$MACHINE/dockerd.package" "$MACHINE/bin/dockerd" ;;
      *" bubblewrap "*) [ $name != bwrap ] || cp "$MACHINE/bwrap.package" "$MACHINE/bin/bwrap" ;;
    esac
  done ;;
esac
"""
BWRAP = """#!/bin/bash
if [ "$*" = --version ]; then echo "bubblewrap VERSION"; exit; fi
echo "$*" >> "$MACHINE/bwrap.calls"
[ ! -e "$MACHINE/no-namespaces" ] || { echo "bwrap: No permissions to create new namespace" >&2; exit 1; }
"""


def bwrap(version: str = "0.8.0") -> str:
    """A stand-in for bubblewrap."""
    return BWRAP.replace("VERSION", version)


class Machine:
    """Debian or Ubuntu, root, no engine, no bubblewrap; apt-get brings what is in `*.package`."""

    def __init__(self, root: Path, real_socket: str = "/nonexistent") -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        self.socket = root / "docker.sock"
        self.env = {
            "PATH": str(self.bin),
            "MACHINE": str(root),
            "HOME": str(root),
            "TMPDIR": str(root),
            "XDG_RUNTIME_DIR": str(root),
            "XDG_STATE_HOME": str(root / "state"),
            "REPRO_DOCKER_SOCKET": str(self.socket),
            "REPRO_ENGINE_WAIT": "240",
            "REAL_SOCKET": real_socket,
        }
        self.has(*TOOLS, "python3")
        self.user(0)
        self.system("Linux")
        self.program("apt-get", APT_GET)
        self.program("apt-cache", "#!/bin/bash\nexit 1\n")
        self.package("bwrap", bwrap())

    def has(self, *names: str) -> None:
        """Programs of the real machine."""
        for name in names:
            (self.bin / name).symlink_to(which(name) or pytest.fail(f"there is no {name} here"))

    def program(self, name: str, text: str) -> None:
        """A program of its own."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def package(self, name: str, text: str) -> None:
        """What apt-get would install."""
        path = self.root / f"{name}.package"
        path.write_text(text)
        path.chmod(0o755)

    def user(self, uid: int) -> None:
        """Who is working."""
        self.program("id", f"#!/bin/bash\necho {uid}\n")

    def system(self, name: str) -> None:
        """What `uname` says."""
        self.program("uname", f"#!/bin/bash\necho {name}\n")

    def start(self, script: str | Path, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start a script; its output and its errors come in one stream."""
        command = [self.bin / "bash", SCRIPTS / script, *arguments]
        return subprocess.Popen(
            command, env=self.env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, script: str | Path, *arguments: str, cwd: Path | None = None) -> tuple[int, str]:
        """Exit code and output of a script."""
        process = self.start(script, *arguments, cwd=cwd)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def calls(self, program: str) -> list[str]:
        """The arguments that a stand-in was called with, a line for each time."""
        path = self.root / f"{program}.calls"
        return path.read_text().splitlines() if path.exists() else []


def which(name: str) -> str | None:
    """Where a program is; python3 is the real one, for version managers put scripts of their own in its place."""
    return os.path.realpath(sys.executable) if name == "python3" else shutil.which(name)


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the machines here are made of Linux's tools")
needs_debian = pytest.mark.skipif(
    not Path("/etc/debian_version").exists(), reason="the scripts look at this machine's /etc/os-release"
)
