"""Packages that were edited by hand: shown file by file, refused unless allowed, and then baked as they are."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from packaging.utils import canonicalize_name

from repro.capture.edits import Edit, find_edits
from repro.capture.model import Distribution, Interpreter
from repro.capture.originals import Original, difference
from repro.capture.packages.origins import LocalWheel
from repro.errors import CaptureError
from repro.lock import Package

_TRUST = "cacert.pem"
_MOST = 20
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Patches:
    """The packages that are baked as they are installed, and what the author should know.

    Attributes:
        files: Changed files of each such package, by its name.
        warnings: One sentence each.
    """

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def wheels(
        self, local: Callable[[Distribution], LocalWheel | None], built: Callable[[Distribution], LocalWheel]
    ) -> Callable[[Distribution], LocalWheel | None]:
        """Like `local`, and for these packages a wheel of what is installed. See `lock_packages`."""

        def make(distribution: Distribution) -> LocalWheel | None:
            if distribution.name not in self.files:
                return local(distribution)
            made = local(distribution) or built(distribution)
            return replace(made, warnings=())  # ours say the same

        return make

    def marked(self, packages: Iterable[Package]) -> tuple[Package, ...]:
        """The locked packages with the names of their changed files."""
        return tuple(replace(one, patched=self.files.get(one.name, ())) for one in packages)


def review_patches(
    interpreter: Interpreter, allowed: Iterable[str], original: Callable[[Distribution], Original | None]
) -> Patches:
    """Find packages that were edited, and refuse those that nobody allowed.

    Args:
        interpreter: The captured environment.
        allowed: Names of packages that may go into the image as they are installed.
        original: The published wheel of a package, when it can be had.

    Raises:
        CaptureError: Packages were edited and are not allowed; each file is named, and its difference shown where
            the published wheel is to be had.
    """
    names = {str(canonicalize_name(name)) for name in allowed}
    found = find_edits(interpreter, names)
    meant = [one if one.name in names else _without_trust(one) for one in found]
    trusting = [old.label for old, new in zip(found, meant, strict=True) if old != new]
    wheels = {one.name: original(one.distribution) for one in meant if one.changed}
    edits = [_certain(one, wheels.get(one.name)) for one in meant]
    refused = [one for one in edits if one.changed and one.name not in names]
    if refused:
        raise _refusal(refused, wheels)
    baked = {one.name: one.changed for one in edits if one.changed}
    warnings = (*chain.from_iterable(map(_warnings, edits)), *_trust_warnings(trusting))
    return Patches(baked, (*warnings, *_idle(names - baked.keys(), interpreter)))


def _certain(edit: Edit, wheel: Original | None) -> Edit:
    """Without the files that are just as they were published: there are wheels whose RECORD is wrong."""
    if wheel is None:
        return edit
    changed = (path for path in edit.changed if wheel.content(path) != edit.file(path).read_bytes())
    return replace(edit, changed=tuple(changed))


def _without_trust(edit: Edit) -> Edit:
    """Without certificates: companies add theirs on every machine, and the image reaches no network."""
    return replace(edit, changed=tuple(path for path in edit.changed if path.rpartition("/")[2] != _TRUST))


def _trust_warnings(labels: list[str]) -> Iterator[str]:
    if labels:
        yield f"{_TRUST} of {', '.join(labels)} was changed on this machine; the image has what was published"


def _refusal(edits: list[Edit], wheels: Mapping[str, Original | None]) -> CaptureError:
    names = [one.name for one in edits]
    pins = " ".join(f"{one.name}=={one.distribution.version}" for one in edits)
    flags = " ".join(f"--allow-patched {name}" for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    return CaptureError(
        f"{len(edits)} installed {'package was' if len(edits) == 1 else 'packages were'} changed by hand, so that what "
        "is published would not be what ran",
        problems=[problem for one in edits for problem in _problems(one)],
        fix="Do one of these, then capture again:\n"
        f"  1. undo the changes:          pip install --force-reinstall --no-deps {pins}\n"
        f"  2. take them into the image:  {flags}\n"
        f"                                (or in repro.toml: [packages] allow-patched = [{listed}])",
        details="\n".join(filter(None, (_difference(one, wheels.get(one.name)) for one in edits))),
    )


def _problems(edit: Edit) -> list[str]:
    more = len(edit.changed) - _MOST
    lines = [f"{edit.label}: {path} was edited after it was installed" for path in edit.changed[:_MOST]]
    return lines if more <= 0 else [*lines, f"{edit.label}: {more} more files were edited"]


def _difference(edit: Edit, wheel: Original | None) -> str:
    return "" if wheel is None else difference(edit.label, edit.distribution.location, edit.changed[:_NAMED], wheel)


def _warnings(edit: Edit) -> Iterator[str]:
    if edit.changed:
        yield f"{edit.label} goes into the image as it is installed, with the changes in {_shortened(edit.changed)}"
    if edit.gone:
        verb = "is" if len(edit.gone) == 1 else "are"
        yield (
            f"{edit.label}: {_shortened(edit.gone)} {verb} missing from the installation, and the image has what was "
            "published; reinstall the package"
        )


def _shortened(paths: tuple[str, ...]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more} more files" if more > 0 else "")


def _idle(names: Iterable[str], interpreter: Interpreter) -> list[str]:
    installed = {one.name for one in interpreter.distributions}
    return [
        f"allow-patched names {name}, which is {'as it was published' if name in installed else 'not installed'}"
        for name in sorted(names)
    ]
