"""Sealed runs against the real engine."""

import io
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from docker.errors import NotFound

from repro.engines import DockerEngine, ImageInfo, RunOutcome, RunSpec, sealed
from repro.engines.model import Shown
from repro.engines.sealed import LABEL_RUN
from repro.errors import InfrastructureError, IntegrityError, UsageError
from tests.engines.seen import WAIT, Seen, hours_later

pytestmark = pytest.mark.engine

OUT = PurePosixPath("/out")


def ours(engine: DockerEngine, image: ImageInfo) -> list[str]:
    """Containers that a test here has made of the base image."""
    found = engine.client.api.containers(all=True, filters={"label": LABEL_RUN})
    return [item["Id"] for item in found if item["ImageID"] == image.id]


def volumes(engine: DockerEngine, container: str) -> list[str]:
    return [mount["Name"] for mount in engine.client.api.inspect_container(container)["Mounts"]]


def assert_gone(engine: DockerEngine, names: list[str]) -> None:
    assert names
    for name in names:
        with pytest.raises(NotFound):
            engine.client.api.inspect_volume(name)


@pytest.fixture(autouse=True)
def _nothing_left(engine: DockerEngine, base_image: ImageInfo) -> Iterator[None]:
    yield
    assert ours(engine, base_image) == []


@pytest.fixture
def python(engine: DockerEngine, base_image: ImageInfo) -> Iterator["Python"]:
    runner = Python(engine, base_image)
    yield runner
    for outcome in runner.outcomes:
        if outcome.collected is not None:
            shutil.rmtree(outcome.collected)


class Python:
    """Runs Python code in the base image."""

    def __init__(self, engine: DockerEngine, image: ImageInfo) -> None:
        self.engine = engine
        self.image = image
        self.outcomes: list[RunOutcome] = []

    def __call__(self, code: str, on_output: Callable[[str], None] | None = None, **settings: object) -> RunOutcome:
        path = self.image.labels["dev.repro.base.python-path"]
        spec = RunSpec(self.image.id, args=(path, "-c", code), **settings)  # type: ignore[arg-type]
        self.outcomes.append(self.engine.run(spec, on_output))
        return self.outcomes[-1]


def test_no_network_no_privileges_and_a_read_only_root(python: Python) -> None:
    outcome = python(
        "import os, socket\n"
        "print(sorted(os.listdir('/sys/class/net')), os.uname().nodename, os.getuid(), os.getgid())\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "print({status[k].strip() for k in ('CapEff', 'CapPrm', 'CapBnd')}, status['NoNewPrivs'].strip())\n"
        "def refused(path):\n"
        "    try: open(path, 'w')\n"
        "    except OSError as e: return e.errno\n"
        "print(refused('/opt/x'), refused('/etc/x'), refused('/home/repro/x'), refused('/tmp/x'))\n"
        "print(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize)\n"
        "try: socket.create_connection(('192.0.2.1', 80), 5)\n"
        "except OSError as e: print('refused', e.errno)\n"
        "print(os.read(0, 1))"
    )
    lines = outcome.log.splitlines()
    assert lines[0] == "['lo'] repro 10001 0"
    assert lines[1] == "{'0000000000000000'} 1"
    assert all(number in {"13", "30"} for number in lines[2].split()[:3])
    assert lines[2].endswith(" None")
    assert lines[3:] == [str(1 << 30), "refused 101", "b''"]
    assert (outcome.exit_code, outcome.timed_out, outcome.oom_killed) == (0, False, False)


def test_limits_reach_the_kernel(python: Python) -> None:
    settings = python.engine.client.api
    seen = {}

    def look(_line: str) -> None:
        (identity,) = ours(python.engine, python.image)
        seen.update(settings.inspect_container(identity)["HostConfig"])

    python("print('ready')", look, memory=256 << 20, pids=50)
    assert (seen["Memory"], seen["MemorySwap"], seen["PidsLimit"]) == (256 << 20, 256 << 20, 50)
    assert (seen["NetworkMode"], seen["ReadonlyRootfs"], seen["CapDrop"]) == ("none", True, ["ALL"])
    assert seen["SecurityOpt"] == ["no-new-privileges"]


@pytest.mark.parametrize("user", ["12345:0", "12345:54321"])
def test_any_user_can_write_to_tmp(python: Python, user: str) -> None:
    outcome = python("import os; open('/tmp/x', 'w'); print(os.getuid(), os.getgid())", user=user)
    assert outcome.log == user.replace(":", " ")


def test_exit_codes_and_variables_come_through(python: Python) -> None:
    outcome = python("import os, sys; sys.exit(int(os.environ['CODE']))", env={"CODE": "6"})
    assert outcome.exit_code == 6


def test_output_streams_line_by_line_across_borders(python: Python, tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen")
    code = WAIT + (
        "for byte in 'größe €\\r\\n'.encode(): os.write(1, bytes([byte])); time.sleep(0.01)\n"
        "seen(1); os.write(2, b'bad \\xff byte\\n')\n"
        "seen(2); os.write(1, b'x' * 200000 + b'\\nno newline')"
    )
    outcome = python(code, seen, shown=seen.shown, timeout=300)
    assert seen.lines[:2] == ["größe €", "bad \ufffd byte"]
    assert "".join(seen.lines[2:]) == "x" * 200000 + "no newline"
    assert outcome.log == "\n".join(seen.lines)


def test_time_runs_out(python: Python, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print('begun', flush=True)\nimport time\ntime.sleep(600)"
    outcome = python(code, hours_later(monkeypatch), timeout=3600)
    assert (outcome.timed_out, outcome.exit_code, outcome.log) == (True, None, "begun")
    assert outcome.seconds >= 3600


def test_time_runs_out_after_output_was_closed(python: Python) -> None:
    outcome = python("import os, time\nos.close(1); os.close(2); time.sleep(600)", timeout=2)
    assert (outcome.timed_out, outcome.exit_code) == (True, None)


def test_memory_runs_out(python: Python, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_OOM_LOOKS", 600)  # as long as the kernel's word may take where all are busy
    outcome = python("x = bytearray(500 << 20)", memory=64 << 20)
    assert outcome.oom_killed
    assert outcome.exit_code == 137


def test_results_are_collected_even_from_a_failed_run(python: Python) -> None:
    outcome = python(
        "import os, sys\n"
        "os.makedirs('/tmp/o'); print(oct(os.stat('/tmp').st_mode))\n"
        "os.makedirs('/out/sub dir'); open('/out/sub dir/é.txt', 'w').write('1')\n"
        "os.symlink('/etc/passwd', '/out/link'); sys.exit(3)",
        writable=(OUT,),
        collect=OUT,
        user="0:0",
    )
    assert outcome.exit_code == 3, outcome.log
    assert outcome.collected is not None
    found = {str(path.relative_to(outcome.collected)): path for path in outcome.collected.rglob("*") if path.is_file()}
    assert list(found) == ["sub dir/é.txt"]
    assert found["sub dir/é.txt"].read_text() == "1"


def test_storage_goes_with_the_container(engine: DockerEngine, base_image: ImageInfo) -> None:
    names: list[str] = []

    def look(_line: str) -> None:
        names.extend(volumes(engine, ours(engine, base_image)[0]))

    engine.run(RunSpec(base_image.id, ("sh", "-c", "echo ready; sleep 2"), writable=(OUT,)), look)
    assert_gone(engine, names)


def test_a_command_that_does_not_exist(engine: DockerEngine, base_image: ImageInfo) -> None:
    outcome = engine.run(RunSpec(base_image.id, ("no-such-program",)))
    assert outcome.exit_code == 127
    assert "no-such-program" in outcome.log


def test_an_error_in_the_callback_ends_the_run(engine: DockerEngine, base_image: ImageInfo) -> None:
    def explode(_line: str) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        engine.run(RunSpec(base_image.id, ("sh", "-c", "echo one; sleep 600")), explode)


def test_ctrl_c_removes_everything(engine: DockerEngine, base_image: ImageInfo, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from pathlib import PurePosixPath\n"
        "from repro.engines import RunSpec, find_engine\n"
        f"spec = RunSpec({base_image.id!r}, ('sh', '-c', 'echo ready; sleep 600'), writable=(PurePosixPath('/out'),))\n"
        "find_engine().run(spec, lambda line: print(line, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        (identity,) = ours(engine, base_image)
        names = volumes(engine, identity)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert_gone(engine, names)


def test_files_are_read_without_running_anything(engine: DockerEngine, base_image: ImageInfo) -> None:
    release = engine.read_files(base_image.id, PurePosixPath("/etc/os-release"))
    assert list(release) == [""]
    assert b"VERSION_ID=" in release[""]
    assert "passwd" in engine.read_files(base_image.id, PurePosixPath("/etc"))
    with pytest.raises(UsageError, match="no such path"):
        engine.read_files(base_image.id, PurePosixPath("/no/such"))


def test_images_are_found_by_any_name(engine: DockerEngine, base_image: ImageInfo) -> None:
    found = engine.image(base_image.tags[0])
    assert found is not None
    assert found.id == base_image.id
    assert engine.image(base_image.id) == found
    assert engine.image(base_image.id.removeprefix("sha256:")[:12]) == found
    assert engine.image("repro-no-such-image:1") is None
    assert engine.image("Not A Reference!") is None
    assert base_image.id in {image.id for image in engine.images_with_label("dev.repro.base.python")}
    assert engine.images_with_label("dev.repro.no.such.label") == []


def test_an_unknown_image_can_not_run(engine: DockerEngine) -> None:
    with pytest.raises(InfrastructureError, match="create a container"):
        engine.run(RunSpec("sha256:" + "0" * 64, ("true",)))


def test_the_images_own_arguments_never_apply(engine: DockerEngine, base_image: ImageInfo) -> None:
    """CMD belongs to no plan: it could steer a genuine entry point."""
    path = base_image.labels["dev.repro.base.python-path"]
    dockerfile = f'FROM {base_image.id}\nENTRYPOINT ["{path}", "-c", "import sys; print(sys.argv)"]\nCMD ["--evil"]\n'
    made, _ = engine.client.images.build(fileobj=io.BytesIO(dockerfile.encode()), rm=True)
    try:
        found = engine.image(made.id)
        assert found is not None
        assert found.cmd == ("--evil",)
        assert engine.run(RunSpec(made.id)).log == "['-c']"
        assert engine.run(RunSpec(made.id, ("mine",))).log == "['-c', 'mine']"
    finally:
        engine.client.api.remove_image(made.id)


def test_an_image_that_says_nothing_to_run_is_refused(engine: DockerEngine, base_image: ImageInfo) -> None:
    assert base_image.cmd
    assert not base_image.entrypoint
    with pytest.raises(IntegrityError, match="entry point"):
        engine.run(RunSpec(base_image.id))


def test_files_of_this_machine_are_seen_read_only_and_nothing_beside_them(python: Python, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    for name in ("whole/a.csv", "single.csv", "beside.csv"):
        (tmp_path / name).write_text(name)
    tmp_path.chmod(0o755)
    shown = Shown(PurePosixPath("/srv"), {"data/whole": tmp_path / "whole", "data/b c.csv": tmp_path / "single.csv"})
    outcome = python(
        "import glob, os\n"
        "print(sorted(p for p in glob.glob('/srv/**', recursive=True) if os.path.isfile(p)))\n"
        "print(open('/srv/data/b c.csv').read())\n"
        "def refused(path):\n"
        "    try: open(path, 'w')\n"
        "    except OSError as e: return e.errno\n"
        "names = ('new', 'data/new', 'data/b c.csv', 'data/whole/new')\n"
        "print({refused('/srv/' + name) for name in names} <= {13, 30})",
        shown=shown,
    )
    assert outcome.log.splitlines() == ["['/srv/data/b c.csv', '/srv/data/whole/a.csv']", "single.csv", "True"]


def test_files_that_the_engine_can_not_see_are_not_made_up(engine: DockerEngine, base_image: ImageInfo) -> None:
    shown = Shown(PurePosixPath("/srv"), {"data": Path("/gone/data")})
    with pytest.raises(InfrastructureError, match="bind source path does not exist") as caught:
        engine.run(RunSpec(base_image.id, args=("true",), shown=shown))
    assert "--engine bubblewrap" in (caught.value.fix or "")
