"""A real Podman with a storage of its own, as Docker's API and as a command."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]  # it would ask for more than every machine allows

[engine]
cgroup_manager = "cgroupfs"  # without systemd
"""


@dataclass(frozen=True)
class Podman:
    """Where it listens, and what calls it."""

    address: str
    command: tuple[str, ...]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `podman ARGUMENTS`."""
        return subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=False, timeout=600)


@contextlib.contextmanager
def running_podman() -> Iterator[Podman]:
    """A podman with an empty storage, at a path that is short enough for its socket."""
    if shutil.which("podman") is None:
        pytest.fail("podman is needed; on Debian and Ubuntu: apt-get install podman")
    with tempfile.TemporaryDirectory(prefix="podman-") as folder:
        settings = Path(folder, "containers.conf")
        settings.write_text(_SETTINGS, encoding="utf-8")
        places = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "overlay")
        podman = Podman(f"unix://{folder}/s", ("env", f"CONTAINERS_CONF={settings}", "podman", *places))
        command = [*podman.command, "system", "service", "-t", "0", podman.address]
        with Path(folder, "log").open("wb") as log:
            service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while not _listens(f"{folder}/s") and service.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            yield podman
        finally:
            service.terminate()
            service.wait()
            podman.run("unmount", "--all")
            if os.path.ismount(f"{folder}/root/overlay"):  # it stays mounted upon itself
                subprocess.run(["umount", f"{folder}/root/overlay"], check=True)


def _listens(path: str) -> bool:
    """Whether somebody takes connections at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
