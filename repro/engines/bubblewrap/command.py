"""From a run to bwrap's arguments. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.engines.bubblewrap.inside import Identity
from repro.engines.model import Shown

HOSTNAME = "repro"
SHARED_MEMORY = 1 << 30
HOSTS = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH where an image sets none, as Docker has it."""

READ_ONLY_PROC = ("bus", "fs", "irq", "sys", "sysrq-trigger")
"""Below /proc, as in Docker. bwrap leaves writable what the file modes would let the user write to: for root, all."""

HIDDEN_PROC = ("acpi", "asound", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats")
"""Below /proc, as in Docker."""

SYSTEM = ("/sys/devices/system", "/sys/kernel/mm")
"""What numerical libraries ask of the machine: processors, caches, memory nodes and pages."""


@dataclass(frozen=True, slots=True)
class Handles:
    """Open files that bwrap reads or writes: numbers of file descriptors.

    Attributes:
        status: Where it says which process is the sandbox's first, and how the command ended.
        block: It waits until something can be read here.
        seccomp: The filter, or None.
        hosts: Content of /etc/hosts.
        hostname: Content of /etc/hostname.
    """

    status: int
    block: int
    seccomp: int | None
    hosts: int
    hostname: int


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Everything that a run sees.

    Attributes:
        root: Directory that is its root, read-only.
        mounts: Its writable directories → directories on this machine.
        readable: More of this machine: path in the sandbox → path here, read-only.
        proc: What is below /proc on this machine: name → whether it is a directory.
        identity: Who its processes are.
        environ: Their whole environment.
        directory: Their working directory.
        bound: Names in /etc that are the machine's and can be mounted there.
        shown: What else of this machine is there, read-only, or None.
    """

    root: Path
    mounts: Mapping[str, Path]
    readable: Mapping[str, Path]
    proc: Mapping[str, bool]
    identity: Identity
    environ: Mapping[str, str]
    directory: str
    bound: Sequence[str]
    shown: Shown | None = None


def arguments(sandbox: Sandbox, handles: Handles) -> list[str]:
    """Arguments of bwrap (bwrap(1)) before the command."""
    return [
        *_seal(handles),
        *("--uid", str(sandbox.identity.uid), "--gid", str(sandbox.identity.gid)),
        *("--ro-bind", str(sandbox.root), "/"),
        *_proc(sandbox.proc),
        *_devices(),
        *_system(sandbox.readable),
        *("--perms", "1777", "--tmpfs", "/tmp"),  # noqa: S108 - the sandbox's own
        *_etc(sandbox.bound, handles),
        *_shown(sandbox.shown),
        *(word for place, here in sandbox.mounts.items() for word in ("--bind", str(here), place)),
        "--clearenv",
        *(word for name, value in sandbox.environ.items() for word in ("--setenv", name, value)),
        *("--chdir", sandbox.directory),
    ]


def environment(image: Iterable[str], more: Mapping[str, str], home: str) -> dict[str, str]:
    """Variables of a run: what Docker adds, the image's, the caller's; later ones win."""
    own = dict(item.partition("=")[::2] for item in image)
    return {"PATH": SEARCH, "HOSTNAME": HOSTNAME, "HOME": home} | own | dict(more)


def _seal(handles: Handles) -> list[str]:
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", HOSTNAME),
        *("--json-status-fd", str(handles.status), "--block-fd", str(handles.block)),
        *(() if handles.seccomp is None else ("--seccomp", str(handles.seccomp))),
    ]


def _proc(found: Mapping[str, bool]) -> list[str]:
    words = ["--proc", "/proc"]
    for name in READ_ONLY_PROC:
        if name in found:
            words += ["--ro-bind", f"/proc/{name}", f"/proc/{name}"]
    for name in HIDDEN_PROC:
        if found.get(name):
            words += ["--tmpfs", f"/proc/{name}", "--remount-ro", f"/proc/{name}"]
        elif name in found:
            words += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    return words


def _devices() -> list[str]:
    return [
        *("--dev", "/dev"),
        *("--perms", "1777", "--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm"),  # noqa: S108 - the sandbox's own
        *("--remount-ro", "/dev"),
    ]


def _system(readable: Mapping[str, Path]) -> list[str]:
    binds = (word for place, here in readable.items() for word in ("--ro-bind", str(here), place))
    return ["--tmpfs", "/sys", *binds, "--remount-ro", "/sys"]


def _shown(shown: Shown | None) -> list[str]:
    """Over an empty directory, because nothing can be mounted where the image has no path."""
    if shown is None:
        return []
    binds = (word for place, here in shown.places() for word in ("--ro-bind", str(here), str(place)))
    return ["--perms", "0755", "--tmpfs", str(shown.at), *binds, "--remount-ro", str(shown.at)]


def _etc(bound: Sequence[str], handles: Handles) -> list[str]:
    files = {"hosts": handles.hosts, "hostname": handles.hostname}
    binds = [("--ro-bind-data", str(files[name]), f"/etc/{name}") for name in bound if name in files]
    return [word for bind in binds for word in bind]
