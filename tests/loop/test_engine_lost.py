"""The engine goes away in the middle of the work: a socket in front of the real one that can be cut."""

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest

from repro.engines import ImageInfo
from repro.engines.select import find_engine
from repro.errors import ExitCode
from tests.loop.conftest import Done, command, make_script, repro, repro_until

pytestmark = pytest.mark.engine


class Cuttable:
    """Passes everything on to the engine until it is cut."""

    def __init__(self, path: Path, engine: str) -> None:
        self.url = f"unix://{path}"
        self._engine = engine
        self._open: list[socket.socket] = []
        self._cut = False
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close every connection and take no new one."""
        with self._lock:
            self._cut = True
            self._close(self._listener, *self._open)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine)
                with self._lock:
                    self._open += [client, engine]
                    if self._cut:  # it came at the last moment
                        self._close(client, engine)
                for ends in ((client, engine), (engine, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    @staticmethod
    def _close(*sockets: socket.socket) -> None:
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def engine_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cuttable]:
    endpoint = urlsplit(find_engine().info().endpoint)
    if endpoint.scheme != "unix":
        pytest.fail("this test needs an engine on a Unix socket")
    cuttable = Cuttable(tmp_path_factory.mktemp("s") / "e.sock", endpoint.path)
    yield cuttable
    cuttable.cut()


@pytest.fixture
def tidy() -> Iterator[None]:
    """What the lost engine could not be asked to remove is removed here."""
    client = docker.from_env()
    before = {image.id for image in client.images.list(filters={"dangling": True})}
    yield
    for container in client.containers.list(all=True, filters={"label": "dev.repro.run"}):
        container.remove(force=True, v=True)
    for image in client.images.list(filters={"dangling": True}):
        if image.id not in before:
            with contextlib.suppress(docker.errors.APIError):
                client.images.remove(image.id, force=True)
    client.close()


def _cut_when(root: Path, seen: str, engine: Cuttable, *args: str) -> Done:
    return repro_until(root, seen, lambda _: engine.cut(), *args, env={"DOCKER_HOST": engine.url})


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("seen", ["sending the build context", "building the image: 40 %"])
def test_a_build_says_that_the_engine_is_gone(
    tmp_path: Path, bare_python: Path, base_image: ImageInfo, engine_socket: Cuttable, seen: str
) -> None:
    root = make_script(tmp_path / "p", bare_python)
    assert repro(root, "capture", "evaluate.py").code == 0
    options = ["--builder", "docker", "--no-cache", "-t", "repro-test/lost:1"]
    done = _cut_when(root, seen, engine_socket, "build", *options)
    assert done.code == ExitCode.INFRASTRUCTURE, done
    assert "engine" in done.out
    assert "Traceback" not in done.out
    assert find_engine().image("repro-test/lost:1") is None


@pytest.mark.usefixtures("tidy")
def test_a_verification_says_that_the_engine_is_gone(
    tmp_path: Path, bare_python: Path, base_image: ImageInfo, engine_socket: Cuttable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ON_LAPTOP", "1")
    lines = ["print('here we are', flush=True)", "time.sleep(0 if on_laptop else 300)"]
    root = make_script(tmp_path / "p", bare_python, *lines)
    assert repro(root, "capture", "evaluate.py").code == 0
    assert repro(root, "build", "-t", "repro-test/lost:2").code == 0
    try:
        done = _cut_when(root, "here we are", engine_socket, "verify", "repro-test/lost:2", "--report", "json=v.json")
        assert done.code == ExitCode.INFRASTRUCTURE, done
        assert "engine" in done.out
        assert "Traceback" not in done.out
        assert '"infrastructure-failed"' in (root / "v.json").read_text(encoding="utf-8")
    finally:
        subprocess.run(["docker", "rmi", "-f", "repro-test/lost:2"], check=False, capture_output=True)


def test_a_full_disk_during_capture_is_named_and_leaves_no_lock(tmp_path: Path, bare_python: Path) -> None:
    """A real file system with room for the project but not for the packed interpreter."""
    make_script(tmp_path / "p", bare_python)
    inner = " ".join(f"'{part}'" for part in command("capture", "evaluate.py"))
    script = f"""
mkdir -p {tmp_path}/small && mount -t tmpfs -o size=8m none {tmp_path}/small
cp -a {tmp_path}/p {tmp_path}/small/p && cd {tmp_path}/small/p && {inner}
code=$?; ls -A . .repro/objects/sha256 2>/dev/null; exit $code"""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *user, "sh", "-c", script], capture_output=True, text=True, check=False
    )
    result = Done(done.returncode, done.stdout, done.stderr)
    assert result.code == ExitCode.INFRASTRUCTURE, result
    assert "no space left" in result.err
    assert "repro.lock" not in result.out
