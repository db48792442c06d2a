"""The layer that dpkg would have left: packages' files in their places, and what their scripts and triggers add.

Packages are recorded in /var/lib/dpkg/status.d, which scanners read beside /var/lib/dpkg/status; the base's own list
stays as it is (docs/how-to/system-packages.md says why).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.debian.alternatives import install_alternatives
from repro.debian.base import BaseView, debian_architecture
from repro.debian.certificates import make_bundle
from repro.debian.deb import Deb, read_deb
from repro.debian.effects import Effect, check_conditions, known_effects, triggered
from repro.debian.libraries import run_ldconfig
from repro.debian.tarball import TarFile
from repro.debian.tree import Tree
from repro.errors import CaptureError, UsageError
from repro.lock import SystemPackage
from repro.oci.bodies import Inline
from repro.oci.entry import Entry
from repro.store.objects import ObjectStore

_LEFT_OUT = re.compile(
    r"usr/share/(?:man|info|groff|lintian|linda|locale)(?:/.*)?|usr/share/doc/[^/]+/(?!copyright$).*"
)
"""Documentation and translations, which images of Debian leave out as well; what licences ask for stays."""

_STATUS = "var/lib/dpkg/status.d"
_SET_ID = 0o6000


@dataclass(frozen=True, slots=True)
class SystemLayer:
    """What system packages add to a base.

    Attributes:
        entries: Sorted by path; parents that the base has are not among them.
        notes: What people should know: things left undone, programs that change the user.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


def system_entries(debs: Sequence[tuple[SystemPackage, Path]], base: BaseView, cache: ObjectStore) -> list[Entry]:
    """The entries of `system_layer`."""
    return list(system_layer(debs, base, cache).entries)


def system_layer(debs: Sequence[tuple[SystemPackage, Path]], base: BaseView, cache: ObjectStore) -> SystemLayer:
    """What installing these packages over the base leaves, as one layer.

    Args:
        debs: The packages, all for one target, with their files, whose digests were checked.
        base: The base image.
        cache: Where plain archives are kept while, and after, the layer is written.

    Raises:
        IntegrityError: A package is damaged or holds what no package should.
        CaptureError: A script isn't known, or a file would replace one of the base or of another package.
        UsageError: The packages are for several targets.
        InfrastructureError: The disk refuses.
    """
    targets = {package.target for package, _ in debs}
    if len(targets) > 1:
        raise UsageError(f"system packages for several targets in one layer: {', '.join(sorted(targets))}")
    if not debs:
        return SystemLayer((), ())
    architecture = debian_architecture(targets.pop())
    read = [read_deb(package, path, cache) for package, path in sorted(debs, key=lambda pair: pair[0].name)]
    skipped = [package.name for package, _ in debs if package.skip_scripts]
    effects = known_effects(read, skipped, architecture)
    tree = Tree(base)
    _place(tree, read)
    lacking = [trigger.lacks for trigger in triggered(tree, read, skipped, architecture)]
    check_conditions(tree, effects)
    _apply(tree, effects)
    run_ldconfig(tree, architecture)
    lacking += [effect.lacks for effect in effects]
    notes = [*dict.fromkeys(filter(None, lacking)), *_set_id_notes(tree)]
    return SystemLayer(tuple(tree.entries[path] for path in sorted(tree.entries)), tuple(notes))


def _place(tree: Tree, debs: Sequence[Deb]) -> None:
    problems = []
    for deb in debs:
        for file in deb.files:
            if not _LEFT_OUT.fullmatch(file.path):
                try:
                    tree.add(_entry(file, deb))
                except CaptureError as error:
                    problems.append(error)
        tree.add(_inline(f"{_STATUS}/{deb.package}", deb.control.rstrip(b"\n") + b"\n", deb))
        if deb.md5sums:
            tree.add(_inline(f"{_STATUS}/{deb.package}.md5sums", deb.md5sums, deb))
    if problems:
        raise CaptureError(
            "system packages would replace files",
            where="repro.toml: system.apt",
            problems=[problem.what for problem in problems],
            fix=problems[0].fix,
        )


def _entry(file: TarFile, deb: Deb) -> Entry:
    """A hard link whose file is left out becomes that file."""
    if file.kind == "hardlink" and _LEFT_OUT.fullmatch(file.target):
        return Entry(file.path, "file", file.mode, file.body, origin=deb.label)
    body = file.body if file.kind == "file" else None
    return Entry(file.path, file.kind, file.mode, body, file.target, deb.label)


def _inline(path: str, data: bytes, deb: Deb) -> Entry:
    return Entry(path, "file", 0o644, Inline(data), origin=deb.label)


def _apply(tree: Tree, effects: Sequence[Effect]) -> None:
    for effect in effects:
        for path in effect.directories:
            tree.add(Entry(path, "directory", 0o755, origin=effect.package))
        for path, data in effect.files.items():
            if tree.find(path) is None:
                tree.write(path, data, effect.package)
        for path, target in effect.links.items():
            tree.link(path, target, effect.package)
    offers = [(effect.package, offer) for effect in effects for offer in effect.alternatives]
    if offers:
        install_alternatives(tree, [offer for _, offer in offers], offers[0][0])
    if any(effect.certificates for effect in effects):
        make_bundle(tree)


def _set_id_notes(tree: Tree) -> list[str]:
    entries = (entry for entry in tree.entries.values() if entry.kind == "file" and entry.mode & _SET_ID)
    return sorted(f"/{entry.path} of {entry.origin} changes the user or group that runs it" for entry in entries)
