"""Whether an interpreter is conda's, and which of its distributions conda's packages brought."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.capture.model import Distribution, Interpreter
from repro.conda.environment import META, CondaPrefix, is_conda, read_prefix
from repro.conda.records import PYTHON, InstalledPath, Record
from repro.digest import Digest
from repro.progress import Progress
from repro.words import count, few

_TELLING = ("RECORD", "METADATA", "PKG-INFO", "")
"""Files of a distribution's metadata that installers write anew; the last is that of metadata which is a file."""
CONDA = "conda"
"""What distributions that conda brought have for an installer (their INSTALLER)."""
_NAMED = 4


def with_conda(interpreter: Interpreter, progress: Progress) -> Interpreter:
    """The interpreter with what conda's records say, where it is conda's own; else as it was.

    A virtual environment on top of conda's Python is no environment of conda's. One that has conda's records and
    another Python is captured as any other.

    Raises:
        CaptureError: Records are damaged.
    """
    prefix = interpreter.prefix
    if os.path.realpath(prefix) != os.path.realpath(interpreter.base_prefix) or not is_conda(prefix):
        _tell_unrecorded(interpreter, progress)
        return interpreter
    conda = read_prefix(prefix)
    if not _supplies(conda, interpreter):
        progress.warn(
            f"{prefix} has records of conda packages, but its Python {interpreter.version} is not conda's: what is "
            "installed for it is locked as pip's packages are, and what else conda brought is not in the image"
        )
        return interpreter
    mark = _Marking(conda)
    marked = replace(
        interpreter,
        distributions=tuple(mark.one(one) for one in interpreter.distributions),
        shadowed=tuple(mark.one(one) for one in interpreter.shadowed),
        conda=conda,
    )
    _tell_unrecorded(marked, progress)
    return marked


def without_conda(interpreter: Interpreter) -> Interpreter:
    """The interpreter with none but the distributions that are not conda's."""
    return replace(
        interpreter,
        distributions=tuple(one for one in interpreter.distributions if one.conda is None),
        shadowed=tuple(one for one in interpreter.shadowed if one.conda is None),
    )


def names_conda_package(interpreter: Interpreter, name: str) -> bool:
    """Whether a name, as repro.toml or the command line may have it, is that of an installed conda package."""
    wanted = canonicalize_name(name)
    records = interpreter.conda.records if interpreter.conda is not None else ()
    return any(canonicalize_name(record.name) == wanted for record in records)


def _tell_unrecorded(interpreter: Interpreter, progress: Progress) -> None:
    """What only says by itself that conda installed it: the environment's conda-meta doesn't have it (any more)."""
    found = [
        f"{one.name} {one.version}" for one in interpreter.distributions if one.installer == CONDA and one.conda is None
    ]
    if found:
        them = "it is locked as pip's packages are: what the package index has may be another build"
        progress.warn(
            f"conda installed {few(found, _NAMED)}, but {interpreter.prefix} has no record of that in {META}, so {them}"
        )


def counted_packages(interpreter: Interpreter) -> str:
    """How many packages there are, conda's and the others apart."""
    if interpreter.conda is None:
        return count(len(interpreter.distributions), "package")
    others = sum(one.conda is None for one in interpreter.distributions)
    return f"{count(len(interpreter.conda.records), 'conda package')} and {count(others, 'pip package')}"


def _supplies(conda: CondaPrefix, interpreter: Interpreter) -> bool:
    """Whether the package `python` brought the program, and is of its version."""
    record = conda.named.get(PYTHON)
    if record is None or record.version != interpreter.version:
        return False
    program = os.path.realpath(interpreter.executable)
    inside = conda.relative(program)
    return any(one.path == inside for one in record.paths) or _linked(record, interpreter.executable, conda)


def _linked(record: Record, program: Path, conda: CondaPrefix) -> bool:
    """Whether it is a link into a package cache, as conda makes them where files can't be linked in another way."""
    inside = conda.relative(os.fspath(program))
    return any(one.path == inside for one in record.paths)


class _Marking:
    """Finds out which distributions are conda's."""

    def __init__(self, conda: CondaPrefix) -> None:
        self._conda = conda

    def one(self, distribution: Distribution) -> Distribution:
        return replace(distribution, conda=self._owner(distribution))

    def _owner(self, one: Distribution) -> str | None:
        """The package whose metadata it has, unless another installer has put its own in the same place since."""
        listed = self._listed(one)
        if not listed:
            return None
        owner = next(iter(listed.values()))[0]
        if one.installer == CONDA:
            return owner.name
        return owner.name if all(_as_brought(file, entry) for file, (_, entry) in listed.items()) else None

    def _listed(self, one: Distribution) -> Mapping[Path, tuple[Record, InstalledPath]]:
        files = [one.metadata / name if name else one.metadata for name in _TELLING]
        return {file: found[0] for file in files if (found := self._conda.owners_of(os.fspath(file)))}


def _as_brought(file: Path, entry: InstalledPath) -> bool:
    try:
        return entry.sha256 is None or Digest.of_file(file).hex == entry.sha256
    except OSError:
        return False
