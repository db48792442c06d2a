"""Installed packages that are not as their installer left them, told by RECORD.

What the run imported is hashed by `repro.capture.ownership`, whatever its times say. Here, before the run, all the rest
is told by size and times first, so that environments of gigabytes cost a second.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from repro.capture.model import Distribution, Interpreter
from repro.capture.packages.wheel_writer import INSTALL_TRACES
from repro.capture.records import HASHES, is_as_recorded, listed, repackaged

_THREADS = 4
_CODE = (".py", ".so", ".pyd", ".dylib")
_COMPILED = re.compile(r"(?:^|[/\\])__pycache__[/\\][^/\\]*\.pyc$")
"""Bytecode that some wheels bring; installers and interpreters write it anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One package that is not as it was installed.

    Attributes:
        distribution: The package.
        changed: Files whose content differs, relative to its location, sorted.
        gone: Modules that are no longer there, sorted.
    """

    distribution: Distribution
    changed: tuple[str, ...]
    gone: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Normalised project name."""
        return self.distribution.name

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.distribution.name} {self.distribution.version}"

    def file(self, path: str) -> Path:
        """Where one of its files is."""
        return self.distribution.location / path


def find_edits(interpreter: Interpreter, thorough: Collection[str] = ()) -> tuple[Edit, ...]:
    """Packages whose files in the library directory differ from their RECORD, or are missing; sorted by name.

    A file is hashed when its size differs, or when it changed after RECORD, which installers write last. Scripts and
    data files elsewhere are not looked at: installers and Jupyter rewrite them.

    Args:
        interpreter: The captured environment.
        thorough: Names of packages of which every file is hashed.
    """
    ones = [one for one in interpreter.distributions if _tells(one)]
    with ThreadPoolExecutor(_THREADS) as pool:  # hashlib and stat let other threads run
        edits = list(pool.map(lambda one: _edit(one, interpreter, thorough=one.name in thorough), ones))
    owners = _Owners(edits, ones)
    edits = [replace(one, changed=tuple(path for path in one.changed if not owners.other(one, path))) for one in edits]
    return tuple(sorted((one for one in edits if one.changed or one.gone), key=lambda one: one.name))


def _tells(one: Distribution) -> bool:
    return (
        one.conda is None
        and one.record
        and not one.editable
        and not repackaged(one)
        and one.metadata.suffix == ".dist-info"
    )


def _edit(one: Distribution, interpreter: Interpreter, *, thorough: bool) -> Edit:
    folder = f"{one.location}{os.sep}"
    record = (one.metadata / "RECORD").stat()
    changed, gone = [], []
    for path, recorded, size in _rows(one):
        try:
            status = os.stat(folder + path)  # noqa: PTH116 - tens of thousands
        except OSError:
            gone.append(path)
            continue
        suspicious = thorough or size != str(status.st_size) or _newer(status, record, path)
        if suspicious and _differs(Path(folder + path), recorded, one, interpreter):
            changed.append(path)
    return Edit(one, tuple(sorted(changed)), tuple(sorted(path for path in gone if path.endswith(_CODE))))


def _rows(one: Distribution) -> Iterator[tuple[str, str, str]]:
    """Path, hash and size of the recorded files that installation leaves as they are in the wheel."""
    traces = {f"{one.metadata.name}/{name}" for name in INSTALL_TRACES}
    for path, recorded, size in listed(one):
        inside = not path.startswith(("..", "/", "\\")) and path[1:2] != ":"
        if inside and path not in traces and not _COMPILED.search(path) and recorded.partition("=")[0] in HASHES:
            yield path, recorded, size


def _newer(status: os.stat_result, record: os.stat_result, path: str) -> bool:
    """Whether a file changed after RECORD was written.

    A modification time can be put back, the time of the last change of any kind can't; but a link into an installer's
    cache gets a new one with each environment that is made, and large binaries would be hashed for nothing.
    """
    own_source = path.endswith(".py") and status.st_nlink == 1 and os.name == "posix"
    return status.st_mtime_ns > record.st_mtime_ns or (own_source and status.st_ctime_ns > record.st_ctime_ns)


def _differs(file: Path, recorded: str, one: Distribution, interpreter: Interpreter) -> bool:
    try:
        content = file.read_bytes()
    except OSError:
        return False
    relocated = one.installer == "conda" and os.fsencode(interpreter.prefix) in content
    return not relocated and not is_as_recorded(content, recorded)


class _Owners:
    """Files that several packages brought: the one that was installed last wins, and is right."""

    def __init__(self, edits: Iterable[Edit], distributions: Iterable[Distribution]) -> None:
        wanted = {one.file(path) for one in edits for path in one.changed}
        self._recorded: dict[Path, list[tuple[str, str]]] = {}
        for one in distributions if wanted else ():
            for path, recorded, _ in _rows(one):
                if one.location / path in wanted:
                    self._recorded.setdefault(one.location / path, []).append((one.name, recorded))

    def other(self, edit: Edit, path: str) -> bool:
        """Whether a file is as another package brought it."""
        file = edit.file(path)
        others = [recorded for name, recorded in self._recorded[file] if name != edit.name]
        return bool(others) and any(is_as_recorded(file.read_bytes(), recorded) for recorded in others)
