"""The image's own interpreter as a command of the building machine: taken out of layers, without a container or root.

What it runs on is its own too: a base's interpreter is started by the base's loader with the base's libraries.
"""

import contextlib
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from repro.digest import Digest
from repro.errors import InfrastructureError, ReproError
from repro.oci import tar
from repro.oci.entry import Entry
from repro.oci.folders import remove_tree
from repro.oci.shelf import Shelf
from repro.oci.tree import complete
from repro.oci.unpack import TREE, merge_layers, unpack_layer
from repro.plan import layout
from repro.process import run
from repro_oci.interpreter_files import LIBRARIES, MULTIARCH, pick

FORMAT = 1
"""Version of what is taken out; part of the name under which it is kept."""

_MACHINES = {"x86_64": "EM_X86_64", "AMD64": "EM_X86_64", "aarch64": "EM_AARCH64", "arm64": "EM_AARCH64"}
_TARGETS = {"linux/amd64": "EM_X86_64", "linux/arm64": "EM_AARCH64"}
_MOST_LINKS = 40
_PATIENCE = 60.0  # seconds for an interpreter to start
_PROBE = "import sys; sys.stdout.write(open('/proc/self/maps').read())"
COMPILE_NOTHING = '`repro build --pyc none` compiles nothing, as does bytecode = "none" under [image] at capture.'
"""The way out where modules can't be compiled."""
_FIX = f"Build on Linux with the image's own architecture. {COMPILE_NOTHING}"


class CannotCompileError(InfrastructureError):
    """The image's interpreter can't run on this machine."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start an interpreter.

    Attributes:
        argv: The program, and arguments before the interpreter's own.
        env: Its whole environment.
        hold: While the context that it gives lasts, nobody removes the program; one that was removed comes back.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    hold: Callable[[], contextlib.AbstractContextManager[object]] = field(
        default=contextlib.nullcontext, repr=False, compare=False
    )


def can_compile(target: str) -> bool:
    """Whether programs for `target`, such as `linux/arm64`, run here."""
    here = platform.machine()
    return sys.platform == "linux" and _TARGETS.get(target) == _MACHINES.get(here, here)


def check_machine(target: str) -> None:
    """Raise CannotCompileError when programs for `target`, such as `linux/arm64`, don't run here."""
    if not can_compile(target):
        raise CannotCompileError(
            f"bytecode for {target} can't be compiled on {sys.platform} {platform.machine()}: "
            "the image's own Python has to run",
            fix=_FIX,
        )


def packed_python(tar: Path, digest: Digest, minor: str, cache: Path) -> Command:
    """A packed interpreter, unpacked below `cache` once.

    Args:
        tar: The plain tar with `opt/python/…`, already checked.
        digest: Its sha256.
        minor: `3.11`.
        cache: The user's cache directory.

    Raises:
        CannotCompileError: It doesn't run on this machine.
        IntegrityError: The tar can't be unpacked safely.
        InfrastructureError: The disk refuses.
    """
    _check_linux()

    def make(place: Path) -> None:
        with tar.open("rb") as stream:
            unpack_layer(stream, place, f"the packed Python {minor}")
        _prove(_packed_command(place / TREE, minor), None)

    return _kept(cache, f"packed {FORMAT} {digest}", make, lambda tree: _packed_command(tree, minor))


def linked_python(entries: Callable[[], Iterable[Entry]], key: str, minor: str, cache: Path) -> Command:
    """An interpreter that is a linked conda package, unpacked below `cache` once.

    Args:
        entries: Gives what it puts into its layer.
        key: What identifies that.
        minor: `3.11`.
        cache: The user's cache directory.

    Raises as `packed_python` does.
    """
    _check_linux()
    where = f"conda's Python {minor}"

    def make(place: Path) -> None:
        with tempfile.TemporaryFile(dir=place) as stream:
            for block in tar.stream(complete(entries())):
                stream.write(block)
            stream.seek(0)
            unpack_layer(stream, place, where)
        _prove(_home_command(place / TREE, layout.ENVIRONMENT, minor, where), None)

    name = f"conda {FORMAT} {key}"
    return _kept(cache, name, make, lambda tree: _home_command(tree, layout.ENVIRONMENT, minor, where))


def base_python(layers: Callable[[], Iterable[BinaryIO]], key: str, python: PurePosixPath, cache: Path) -> Command:
    """The interpreter of a base image, taken out of its layers below `cache` once.

    Args:
        layers: Opens the plain tars of the base's layers, base first; they are read to their ends and closed.
        key: What identifies the base: the digest of its configuration.
        python: The interpreter's path in the base.
        cache: The user's cache directory.

    Raises:
        CannotCompileError: It doesn't run on this machine, or only with libraries that the base has elsewhere.
        IntegrityError: A layer is damaged or can't be unpacked safely.
        InfrastructureError: A layer can't be had, or the disk refuses.
    """
    _check_linux()

    def make(place: Path) -> None:
        folders = list(_taken_out(layers(), python, place))
        (place / TREE).mkdir()
        merge_layers(folders, place / TREE)
        for folder in folders:
            remove_tree(folder)
        _prove(_base_command(place / TREE, python), place / TREE)

    return _kept(cache, f"base {FORMAT} {key} {python}", make, lambda tree: _base_command(tree, python))


def _kept(cache: Path, name: str, make: Callable[[Path], None], command: Callable[[Path], Command]) -> Command:
    """A tree on the shelf as a command."""
    shelf, digest = Shelf(cache / "pythons"), Digest.of(name.encode())
    with shelf.hold(digest, make) as place:
        return replace(command(place / TREE), hold=lambda: shelf.hold(digest, make))


def _taken_out(layers: Iterable[BinaryIO], python: PurePosixPath, place: Path) -> Iterator[Path]:
    for number, stream in enumerate(layers):
        folder = place / f"layer-{number}"
        folder.mkdir()
        with stream, pick(stream, python, folder, f"layer {number} of the base") as picked:
            unpack_layer(picked, folder, f"layer {number} of the base")
        yield folder


def _packed_command(root: Path, minor: str) -> Command:
    return _home_command(root, layout.PYTHON, minor, f"the packed Python {minor}")


def _home_command(root: Path, prefix: PurePosixPath, minor: str, what: str) -> Command:
    """The interpreter below a prefix of its own, which needs nothing but what is there."""
    home = root / prefix.relative_to("/")
    program = home / "bin" / f"python{minor}"
    _check_program(program, what)
    return Command((str(program),), {"PYTHONHOME": str(home)})


def _base_command(root: Path, python: PurePosixPath) -> Command:
    program = _resolved(root, python)
    loader = _resolved(root, PurePosixPath(_check_program(program, f"{python} of the base")))
    if not program.is_file() or not loader.is_file():
        raise CannotCompileError(f"the base's interpreter {python} can't be taken out of it", fix=_FIX)
    path = ":".join(str(folder) for folder in _library_folders(root, program))
    argv = (str(loader), "--inhibit-cache", "--library-path", path, str(program))
    return Command(argv, {"PYTHONHOME": str(program.parent.parent)})


def _library_folders(root: Path, program: Path) -> Iterator[Path]:
    """Where the loader looks in a base: below the interpreter's own prefix, then in its default directories."""
    own = program.parent.parent.relative_to(root) / "lib"
    for name in dict.fromkeys((own.as_posix(), *LIBRARIES)):
        folder = root / name
        if folder.is_dir():
            yield folder
            yield from sorted(inner for inner in folder.iterdir() if MULTIARCH.fullmatch(inner.name) and inner.is_dir())


def _resolved(root: Path, path: PurePosixPath) -> Path:
    """Where a path of the image is below `root`: links are followed as if that were `/`. It need not exist."""
    left = [*path.parts[1:]] if path.is_absolute() else [*path.parts]
    found: list[str] = []
    links = 0
    while left:
        part = left.pop(0)
        if part == "..":
            found = found[:-1]
            continue
        place = root.joinpath(*found, part)
        if not place.is_symlink():
            found.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise CannotCompileError(f"too many symbolic links on the way to {path}", fix=_FIX)
        target = PurePosixPath(place.readlink())
        found = [] if target.is_absolute() else found
        left = [*(part for part in target.parts if part != "/"), *left]
    return root.joinpath(*found)


def _check_linux() -> None:
    if sys.platform != "linux":
        raise CannotCompileError(f"the image's Python doesn't run on {sys.platform}", fix=_FIX)


def _check_program(path: Path, what: str) -> str:
    """The loader that a program asks for. Raises CannotCompileError when it isn't a program for this machine."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - dear, and most builds have all compiled
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415
    from elftools.elf.segments import InterpSegment  # noqa: PLC0415

    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            machine = str(elf.header["e_machine"])
            segments = [part for part in elf.iter_segments("PT_INTERP") if isinstance(part, InterpSegment)]
            loader = segments[0].get_interp_name() if segments else ""
    except (OSError, ELFError, UnicodeDecodeError) as error:
        raise CannotCompileError(f"{what} is not a program that runs here: {error}", fix=_FIX) from error
    if machine != _MACHINES.get(platform.machine()) or not loader:
        raise CannotCompileError(f"{what} is made for {machine}, this machine is {platform.machine()}", fix=_FIX)
    return loader


def _prove(command: Command, root: Path | None) -> None:
    """Start the interpreter once, and see that nothing outside `root` gets executed."""
    outside = sorted(path for path in _executed(command) if root and not path.startswith(f"{root.resolve()}/"))
    if outside:
        raise CannotCompileError(
            "the base's Python needs libraries that the base doesn't have where loaders look",
            problems=outside,
            fix=_FIX,
        )


def _executed(command: Command) -> set[str]:
    """The files that the running interpreter has code of (proc(5), /proc/pid/maps)."""
    argv, env = [*command.argv, "-s", "-S", "-B", "-c", _PROBE], {**command.env, "LC_ALL": "C"}
    try:
        lines = run(argv, env=env, timeout=_PATIENCE).stdout.splitlines()
    except (ReproError, OSError) as error:  # the latter for a damaged program
        details = error.details if isinstance(error, ReproError) else ""
        raise CannotCompileError(
            f"the image's Python doesn't run on this machine: {error}", details=details, fix=_FIX
        ) from error
    found = (line.split(maxsplit=5) for line in lines)
    return {path for _, mode, _, _, _, *rest in found for path in rest if "x" in mode and path.startswith("/")}
