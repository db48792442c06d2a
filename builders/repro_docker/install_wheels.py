"""Runs inside the image's own Python while it is built: checks it, then lays the wheels out, a directory a layer.

Standard library only, but for the pinned wheel of pypa/installer, which is imported from its archive. Exits with 5
when something is not what the plan says (DESIGN: corrupt or tampered input); its last line of output says what.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import platform
import re
import stat
import subprocess
import sys
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
POINTS = "entry_points.txt"
MTIME = 315532800
"""1980-01-01, the earliest that a zip can say: one time for every file."""
GENERATED = re.compile(r"(?i)(\.exe|-script\.py|\.pya)\Z")
"""Ends of the names that setuptools once gave to launchers it put into wheels; pip leaves those files out."""
TRACES = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")
"""Files of a `.dist-info` that only installers write: a wheel's own are left out."""

_ASK = "import json, platform, sys; print(json.dumps([platform.python_version(), sys.prefix]))"


class PlanError(Exception):
    """Something is not what the plan says."""


class Claims:
    """Which wheel put which bytes where, so that two of them can't silently overwrite each other."""

    def __init__(self, environment: str) -> None:
        python = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.environment = environment
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


class Destination:
    """What pypa/installer writes to: files below `root` as if that were `/`, with plain modes.

    Kinds of files that `paths` lacks are left out; what would leave its place is refused (ValueError). `own` are the
    installer's files in the `.dist-info` directory.
    """

    def __init__(self, root: Path, paths: dict[str, str], source: Any, own: dict[str, bytes], claims: Claims) -> None:
        self._root, self._paths, self._wheel, self._own, self._claims = root, paths, source.file_name, own, claims
        self._info = source.dist_info_dir
        self._programs: dict[str, tuple[str, str]] = source.programs() if "scripts" in paths else {}
        self._interpreter = f"{claims.environment}/bin/python"
        self._traces = {f"{self._info}/{name}" for name in TRACES}
        self._rows: dict[str, str] = {}

    def write_file(self, scheme: str, path: Any, stream: BinaryIO, is_executable: bool) -> None:  # noqa: FBT001 - theirs
        """A file of the wheel; a script is always a program, unless an entry point makes it (as pip does)."""
        from installer.utils import fix_shebang  # noqa: PLC0415 - it comes with the plan

        name = os.fspath(path)
        if scheme not in self._paths or (scheme in ("purelib", "platlib") and name in self._traces):
            return
        if scheme != "scripts":
            self._write(scheme, name, stream, executable=is_executable)
        elif GENERATED.sub("", name.rpartition("/")[2]) not in self._programs:
            with fix_shebang(stream, self._interpreter) as fixed:
                self._write(scheme, name, fixed, executable=True)

    def finalize_installation(self, scheme: str, record_file_path: str, records: object) -> None:  # noqa: ARG002 - theirs
        """Write launchers, the installer's own files, and RECORD with what was really written."""
        for name, target in self._programs.items():
            self._write("scripts", name, io.BytesIO(launcher(self._interpreter, *target)), executable=True)
        for name, data in self._own.items():
            self._write(scheme, f"{self._info}/{name}", io.BytesIO(data), executable=False)
        record = record_file({**self._rows, record_file_path: ","})
        self._write(scheme, record_file_path, io.BytesIO(record), executable=False)

    def _write(self, scheme: str, name: str, stream: BinaryIO, *, executable: bool) -> None:
        place = os.path.normpath(os.path.join(self._paths[scheme], name))  # noqa: PTH118 - a path of the image
        if not place.startswith(f"{self._paths[scheme]}/"):
            raise ValueError(f"{name} leads out of {self._paths[scheme]}")
        target = self._root / place[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        hasher, size = hashlib.sha256(), 0
        with target.open("wb") as output:
            while block := stream.read(1 << 20):
                hasher.update(block)
                size += output.write(block)
        target.chmod(0o755 if executable else 0o644)
        self._claims.add(place, self._wheel, hasher.hexdigest())
        digest = base64.urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode()
        self._rows[os.path.relpath(place, self._paths["purelib"])] = f"sha256={digest},{size}"


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
        install_wheel(path, root, wheel["prefix"], plan["environment"], claims, requested=wheel["requested"])
    settle_times(root)


def install_wheel(
    path: Path, root: Path, prefix: str, environment: str, claims: Claims, *, requested: bool = False
) -> None:
    """Lay one wheel out below `root` as if that were `/`.

    `prefix` is the environment, whose schemes are a virtual environment's, or a plain directory that takes
    libraries only. `requested` says whether a person asked for it.
    """
    from installer import install  # noqa: PLC0415 - it comes with the plan
    from installer.exceptions import InstallerError  # noqa: PLC0415 - it comes with the plan

    own = {"INSTALLER": b"repro\n", **({"REQUESTED": b""} if requested else {})}
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_links(path.name, archive)
            source = wheel_source(archive)
            paths = schemes(prefix, environment, source.project)
            destination: Any = Destination(root, paths, source, own, claims)
            install(source, destination, {})
    except (InstallerError, ValueError, KeyError, AssertionError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise PlanError(f"{path.name} can't be installed: {error}") from error


def settle_times(root: Path) -> None:
    """Give everything one time, so that the same wheels make the same layer."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            os.utime(Path(folder, name), (MTIME, MTIME))
        os.utime(folder, (MTIME, MTIME))


def refuse_links(name: str, archive: zipfile.ZipFile) -> None:
    """No wheel may hold symbolic links (binary distribution format, PyPA)."""
    links = [item.filename for item in archive.infolist() if stat.S_ISLNK(item.external_attr >> 16)]
    if links:
        raise PlanError(f"{name} holds symbolic links: {', '.join(links)}")


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


def wheel_source(archive: zipfile.ZipFile) -> Any:
    """The wheel for pypa/installer, without what is never installed or is written anew."""
    from installer.sources import WheelFile  # noqa: PLC0415 - it comes with the plan

    class Source(WheelFile):
        file_name = Path(str(archive.filename)).name

        @property
        def data_dir(self) -> str:
            parts = (name.partition("/") for name in archive.namelist())
            found = sorted({top for top, slash, _ in parts if slash and top.endswith(".data")})
            if len(found) > 1:
                raise ValueError(f"it has several .data directories: {', '.join(found)}")
            return found[0] if found else super().data_dir

        @property
        def project(self) -> str:
            """The normalised name: what pip calls a directory of headers."""
            stem = self.dist_info_dir.removesuffix(".dist-info")
            return re.sub(r"[-_.]+", "-", stem.rpartition("-")[0] or stem).lower()

        @property
        def dist_info_filenames(self) -> list[str]:
            # entry points are hidden: `Destination` writes their launchers
            return [name for name in super().dist_info_filenames if name != POINTS]

        def programs(self) -> dict[str, tuple[str, str]]:
            """Module and attribute of each program that the wheel's entry points ask for."""
            return programs(self.read_dist_info(POINTS)) if POINTS in super().dist_info_filenames else {}

        def get_contents(self) -> Any:
            """Everything but bytecode, of which versions of pypa/installer think differently."""
            return (found for found in super().get_contents() if "/__pycache__/" not in f"/{found[0][0]}")

    return Source(archive)


def programs(text: str) -> dict[str, tuple[str, str]]:
    """What an `entry_points.txt` asks for, as pip understands it: the later of two wins, and graphical ones are later.

    Raises:
        ValueError: A name is no file name, or there is nothing to call.
    """
    groups: dict[str, dict[str, tuple[str, str]]] = {"console_scripts": {}, "gui_scripts": {}}
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line.strip("[]")
        elif line and not line.startswith("#") and group in groups:
            name, _, value = (part.strip() for part in line.partition("="))
            target = re.fullmatch(r"([\w.]+)\s*:\s*([\w.]+)\s*(?:\[.*\]\s*)?", value)
            if target is None or not name or "/" in name:
                raise ValueError(f"the entry point {line!r} can't be made a program")
            groups[group][name] = (target[1], target[2])
    return {**groups["console_scripts"], **groups["gui_scripts"]}


def launcher(interpreter: str, module: str, attribute: str) -> bytes:
    """A program for an entry point. The same text as the assembler's (repro_oci.launchers)."""
    name = attribute.partition(".")[0]
    code = f'import sys\n\nfrom {module} import {name}\n\nif __name__ == "__main__":\n    sys.exit({attribute}())\n'
    return f"#!{interpreter}\n{code}".encode()


def record_file(rows: dict[str, str]) -> bytes:
    """A RECORD. The same form as the assembler's (repro_oci.records)."""
    quoted = {path: '"' + path.replace('"', '""') + '"' if re.search(r'[,"]|\A | \Z', path) else path for path in rows}
    return "".join(f"{quoted[path]},{rows[path]}\n" for path in sorted(rows)).encode()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
