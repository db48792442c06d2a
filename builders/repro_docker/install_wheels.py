"""Runs inside the image's own Python while it is built: checks it, then lays the wheels out, a directory a layer.

Standard library only, but for the pinned wheel of pypa/installer, which is imported from its archive. Exits with 5
when something is not what the plan says (DESIGN: corrupt or tampered input); its last line of output says what.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
import subprocess
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

LAYERS = Path("/layers")
TAMPERED = 5
MARK = "repro: "
"""Begins the line that says why the exit code is `TAMPERED`."""
INSTALLING = "installing "
"""Begins the line that names the next wheel."""
MTIME = 315532800
"""1980-01-01, the earliest that a zip can say: one time for every file."""

_ASK = "import json, platform, sys; print(json.dumps([platform.python_version(), sys.prefix]))"


class PlanError(Exception):
    """Something is not what the plan says."""


class Claims:
    """Which wheel put which bytes where, so that two of them can't silently overwrite each other."""

    def __init__(self, environment: str) -> None:
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        own = ("pyvenv.cfg", "bin/python", "bin/python3", f"bin/{python}")
        self._owners: dict[str, tuple[str, str]] = {f"{environment}/{name}": ("the environment", "") for name in own}
        self._conflicts: list[str] = []

    def add(self, path: str, wheel: str, digest: str) -> None:
        """Note that `wheel` wrote bytes with this digest to `path`; the same bytes twice are no conflict."""
        owner, known = self._owners.setdefault(path, (wheel, digest))
        if owner != wheel and known != digest:
            self._conflicts.append(f"{path} comes from {owner} and, with other content, from {wheel}")

    def check(self) -> None:
        """Raise PlanError when two wheels disagreed about a file."""
        if self._conflicts:
            raise PlanError("two packages install the same file: " + "; ".join(self._conflicts))


def main(manifest: Path) -> int:
    """Do what the manifest says; returns the exit code."""
    os.umask(0o022)
    plan = json.loads(manifest.read_bytes())
    claims = Claims(plan["environment"])
    try:
        check_python(plan["python"], plan["environment"])
        sys.path.insert(0, str(checked_wheel(manifest.parent, plan["installer"])))
        for layer in plan["layers"]:
            install_layer(plan, layer, manifest.parent.parent, claims)
        claims.check()
    except PlanError as error:
        print(f"{MARK}{error}", flush=True)  # noqa: T201 - this is a program
        return TAMPERED
    return 0


def check_python(expected: str, environment: str) -> None:
    """Whether this interpreter, and the environment that points to it, have the expected version."""
    found, expected = platform.python_version().rstrip("+"), expected.rstrip("+")
    if found != expected:
        raise PlanError(f"the plan wants Python {expected}, but {sys.executable} in the base is Python {found}")
    python = Path(environment) / "bin" / "python"
    try:
        answer = subprocess.run([str(python), "-I", "-c", _ASK], stdout=subprocess.PIPE, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PlanError(f"the environment's interpreter {python} does not run: {error}") from error
    version, prefix = json.loads(answer)
    if version.rstrip("+") != expected or prefix != environment:
        raise PlanError(f"{python} is Python {version} of {prefix}, not Python {expected} of {environment}")


def checked_wheel(folder: Path, wheel: dict[str, Any]) -> Path:
    """The wheel's path, after its bytes were compared with its digest."""
    path = folder / str(wheel["file"])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel["sha256"]:
        raise PlanError(f"{wheel['file']} has sha256 {found}, the plan says {wheel['sha256']}")
    return path


def install_layer(plan: dict[str, Any], layer: dict[str, Any], context: Path, claims: Claims) -> None:
    """Lay the wheels of one layer out below `LAYERS`."""
    root = LAYERS / layer["name"]
    root.mkdir(parents=True)
    for wheel in layer["wheels"]:
        path = checked_wheel(context / "wheels" / layer["name"], wheel)
        print(f"{INSTALLING}{wheel['file']}", flush=True)  # noqa: T201 - this is a program
        install_wheel(path, root, wheel["prefix"], plan["environment"], claims)
    settle_times(root)


def install_wheel(path: Path, root: Path, prefix: str, environment: str, claims: Claims) -> None:
    """Lay one wheel out below `root` as if that were `/`.

    `prefix` is the environment, whose schemes are a virtual environment's, or a plain directory that takes
    libraries only.
    """
    from installer import install  # noqa: PLC0415 - it comes with the plan
    from installer.exceptions import InstallerError  # noqa: PLC0415 - it comes with the plan
    from installer.sources import WheelFile  # noqa: PLC0415 - it comes with the plan

    refuse_links(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # shipped __pycache__ is left out: that is what we want
        try:
            with WheelFile.open(path) as source:
                paths = schemes(prefix, environment, source.distribution)
                install(source, destination(root, paths, environment, path.name, claims), {"INSTALLER": b"repro\n"})
        except (InstallerError, ValueError, KeyError, AssertionError, OSError, zipfile.BadZipFile, zlib.error) as error:
            raise PlanError(f"{path.name} can't be installed: {error}") from error


def settle_times(root: Path) -> None:
    """Give everything one time, so that the same wheels make the same layer."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            os.utime(Path(folder, name), (MTIME, MTIME))
        os.utime(folder, (MTIME, MTIME))


def refuse_links(path: Path) -> None:
    """No wheel may hold symbolic links (binary distribution format, PyPA)."""
    try:
        with zipfile.ZipFile(path) as archive:
            links = [item.filename for item in archive.infolist() if stat.S_ISLNK(item.external_attr >> 16)]
    except zipfile.BadZipFile as error:
        raise PlanError(f"{path.name} is not a wheel: {error}") from error
    if links:
        raise PlanError(f"{path.name} holds symbolic links: {', '.join(links)}")


def schemes(prefix: str, environment: str, distribution: str) -> dict[str, str]:
    """Where each kind of file goes: as pip lays out a virtual environment, or one directory for libraries."""
    if prefix != environment:
        return {"purelib": prefix, "platlib": prefix}
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = f"{prefix}/lib/{minor}/site-packages"
    return {
        "purelib": library,
        "platlib": library,
        "headers": f"{prefix}/include/site/{minor}/{distribution}",
        "scripts": f"{prefix}/bin",
        "data": prefix,
    }


def destination(root: Path, paths: dict[str, str], environment: str, wheel: str, claims: Claims) -> Any:
    """A destination for pypa/installer that writes below `root` and leaves out kinds of files that `paths` lacks.

    Every file gets a plain mode; a path that leaves its place is refused (ValueError).
    """
    from installer.destinations import SchemeDictionaryDestination  # noqa: PLC0415 - it comes with the plan
    from installer.records import RecordEntry  # noqa: PLC0415 - it comes with the plan

    class Destination(SchemeDictionaryDestination):
        """See above."""

        def write_script(self, name: str, module: str, attr: str, section: Any) -> RecordEntry:
            """An entry point's launcher, in environments only."""
            if "scripts" not in paths:
                return RecordEntry(name, None, None)
            launchers.add(name)
            return super().write_script(name, module, attr, section)

        def write_file(self, scheme: Any, path: Any, stream: BinaryIO, is_executable: bool) -> RecordEntry:  # noqa: FBT001 - theirs
            """A file of the wheel, unless it is a script that its entry points already made (as pip does)."""
            if scheme not in paths or (scheme == "scripts" and os.fspath(path) in launchers):
                return RecordEntry(os.fspath(path), None, None)
            return super().write_file(scheme, path, stream, is_executable)

        def write_to_fs(self, scheme: Any, path: str, stream: BinaryIO, is_executable: bool) -> RecordEntry:  # noqa: FBT001 - theirs
            """Write, claim the path, and set the mode."""
            target = self._path_with_destdir(scheme, path)
            entry = super().write_to_fs(scheme, path, stream, is_executable)
            target.chmod(0o755 if is_executable else 0o644)
            claims.add(f"/{target.relative_to(root)}", wheel, entry.hash_.value if entry.hash_ else "")
            return entry

        def finalize_installation(self, scheme: Any, record_file_path: str, records: Any) -> None:
            """Write RECORD with what was really written."""
            written = [(where, record) for where, record in records if record.hash_ or record.path == record_file_path]
            super().finalize_installation(scheme, record_file_path, written)

    launchers: set[str] = set()
    return Destination(
        scheme_dict=paths,
        interpreter=f"{environment}/bin/python",
        script_kind="posix",
        destdir=str(root),
        overwrite_existing=True,
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
