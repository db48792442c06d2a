"""Where the image's Python comes from: the base, when it has exactly this version, or a packed copy of the laptop's."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repro.capture.model import Interpreter
from repro.capture.pack import write_pack
from repro.capture.prefix import find_installation
from repro.digest import Digest
from repro.errors import UsageError
from repro.lock import Base, PackedPython, Python
from repro.progress import Progress
from repro.store import ObjectStore

_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_OTHER_BASE = "Choose a base image that has Python {version}: [base] image in repro.toml (docs/how-to/base-images.md)."


@dataclass(frozen=True, slots=True)
class PackedInterpreter:
    """A packed interpreter on disk, and what the lock says of it."""

    path: Path
    packed: PackedPython


def choose_interpreter(
    interpreter: Interpreter,
    base: Base,
    *,
    supply: Literal["auto", "base", "pack"],
    allow_patch_drift: bool,
    targets: Sequence[str],
    store: ObjectStore,
    progress: Progress,
) -> Python:
    """Decide what supplies the captured Python, and pack the laptop's own into `store` when that is it.

    Conda's own is a package like its others: nothing is packed then, and any base will do.

    Args:
        interpreter: The captured one.
        base: The image that everything is put on.
        supply: What repro.toml asks for.
        allow_patch_drift: Whether the base's Python may stand in when the laptop's can't be packed for it.
        targets: Platforms that the image is for.
        store: Where a packed copy goes.
        progress: Told about a packing, and about a base that stands in.

    Returns:
        The choice; a base whose version differs is returned as it is (`refuse_other_python`).

    Raises:
        UsageError: Packing was asked for or is the only way, and it is impossible here.
    """
    if interpreter.conda is not None:
        return _conda_python(interpreter, supply)
    from_base = Python(interpreter.implementation, interpreter.version, "base")
    if supply == "base" or (supply == "auto" and base.python == interpreter.version):
        return from_base
    obstacle = _obstacle(interpreter, targets)
    if obstacle is not None:
        if supply == "auto":
            return from_base
        raise _impossible(interpreter, obstacle)
    with tempfile.TemporaryDirectory(prefix="repro-python-") as scratch:
        made = pack_interpreter(interpreter, Path(scratch), progress)
        if _older(base.glibc, made.packed.glibc):
            reason = f"it needs glibc {made.packed.glibc}, and {base.reference} has {base.glibc}"
            if supply == "auto" and allow_patch_drift and _same_minor(base.python, interpreter.version):
                progress.warn(f"Python {interpreter.version} can't be packed: {reason}; Python {base.python} stands in")
                return from_base
            raise _impossible(interpreter, reason)
        store.add_file(made.path)
    return Python(interpreter.implementation, interpreter.version, "packed", made.packed)


def refuse_other_python(
    python: Python,
    base: Base,
    interpreter: Interpreter,
    *,
    supply: Literal["auto", "base", "pack"],
    allow_patch_drift: bool,
    targets: Sequence[str],
) -> None:
    """Refuse a base that is to supply the captured Python and has another: before the run, not at the build.

    `python` is what `choose_interpreter` chose; the others are what it chose from.

    Raises:
        UsageError: The base can't supply it; the message says why the laptop's isn't packed either.
    """
    if python.supply == "conda":
        return
    version, same_minor = interpreter.version, _same_minor(base.python, interpreter.version)
    if python.packed is not None or base.python == version or (allow_patch_drift and same_minor):
        return
    obstacle = None if supply == "base" else _obstacle(interpreter, targets)
    why = f"can't be packed: {obstacle}" if obstacle else "isn't packed, because repro.toml has [python] supply = base"
    cures = [_OTHER_BASE.format(version=version)]
    if same_minor:
        cures.append(f"Let {base.python} stand in: allow-patch-drift = true under [python] in repro.toml.")
    own = platform_of(interpreter)
    if _obstacle(interpreter, (own,)) is None:
        cures.append(
            f"Capture for {own} alone, where the laptop's is packed (--platform {own})."
            if obstacle
            else "Take `supply` out of repro.toml, so that the laptop's is packed."
        )
    raise UsageError(
        f"the base has {f'Python {base.python}' if base.python else 'no Python'}, the laptop {version}, which {why}",
        where=base.reference,
        fix="\n  - ".join(["Do one of these, then capture again:", *cures]),
    )


def pack_interpreter(
    interpreter: Interpreter, directory: Path, progress: Progress, environ: Mapping[str, str] = os.environ
) -> PackedInterpreter:
    """Write the laptop's interpreter, as it lies behind the environment, as a plain tar into `directory`.

    Unpacked at `/` it gives `opt/python/` with the program, the standard library and the shared libraries that they
    need beyond glibc's. The same installation gives the same bytes. Nothing of the installation is changed.

    Args:
        interpreter: The captured one, a virtual environment's or not.
        directory: Existing directory for the tar, named after its content.
        progress: Gets a task counted in files.
        environ: LD_LIBRARY_PATH, as the kernel would see it.

    Raises:
        UsageError: This interpreter can't be packed: not Linux, not glibc, not CPython, or not complete.
        InfrastructureError: patchelf is missing, a library that it needs can't be found, or the disk refuses.
    """
    target = platform_of(interpreter)
    obstacle = _obstacle(interpreter, (target,))
    if obstacle is not None:
        raise _impossible(interpreter, obstacle)
    installation = find_installation(interpreter)
    name = f"{interpreter.implementation}-{interpreter.version}-{target.replace('/', '-')}.tar"
    path = directory / name
    task = progress.start(f"Packing Python {interpreter.version} from {installation.prefix}", unit="items")
    glibc = write_pack(installation, path, Path.home(), environ, task)
    size = path.stat().st_size
    packed = PackedPython(name, Digest.of_file(path), size, ".".join(map(str, glibc)), target)
    task.finish(f"Packed Python {interpreter.version}: {size / 1e6:.0f} MB, runs on glibc {packed.glibc} or newer")
    return PackedInterpreter(path, packed)


def platform_of(interpreter: Interpreter) -> str:
    """The platform that the interpreter runs on, as OCI writes it: `linux/amd64`."""
    return f"{interpreter.system.lower()}/{_MACHINES.get(interpreter.machine, interpreter.machine)}"


def _conda_python(interpreter: Interpreter, supply: Literal["auto", "base", "pack"]) -> Python:
    if supply != "auto":
        raise UsageError(
            f"repro.toml has [python] supply = {supply}, and the environment's Python is a package of conda's, with "
            "which the others go",
            where=str(interpreter.prefix),
            fix="Take `supply` out of repro.toml.",
        )
    return Python(interpreter.implementation, interpreter.version, "conda")


def _obstacle(interpreter: Interpreter, targets: Sequence[str]) -> str | None:
    """Why it can't be packed for these targets, whatever the base is."""
    if interpreter.system != "Linux":
        return f"packing takes Linux, and this is {interpreter.system}"
    if interpreter.implementation != "cpython":
        return f"packing takes CPython, and this is {interpreter.implementation}"
    if interpreter.glibc is None:
        return "it is not linked with glibc"
    others = [target for target in targets if target != platform_of(interpreter)]
    if others:
        return f"the image is also for {', '.join(others)}, where the laptop's interpreter doesn't run"
    return None


def _impossible(interpreter: Interpreter, reason: str) -> UsageError:
    return UsageError(
        f"the laptop's Python {interpreter.version} can't be packed: {reason}",
        where=str(interpreter.base_prefix),
        fix=_OTHER_BASE.format(version=interpreter.version),
    )


def _older(available: str, needed: str) -> bool:
    return _numbers(available) < _numbers(needed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _same_minor(one: str | None, other: str) -> bool:
    return one is not None and one.split(".")[:2] == other.split(".")[:2]
