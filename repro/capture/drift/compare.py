"""Declared packages against installed ones. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.version import InvalidVersion, Version

from repro.capture.drift.files import Declarations
from repro.capture.drift.model import PYTHON, CondaSpec, Declared, Drift, Installed, Kind, Level
from repro.capture.drift.versions import conda_holds
from repro.capture.model import Distribution, Interpreter

_SHOWN = 12


@dataclass(frozen=True)
class Comparison:
    """One comparison.

    Attributes:
        declarations: What the project's files say.
        interpreter: What is installed.
        imported: Packages that the run imported from; None when nothing was run, and all count.
        conda: Conda packages that are there, by name; None where conda installed nothing.
    """

    declarations: Declarations
    interpreter: Interpreter
    imported: Collection[str] | None
    conda: Mapping[str, Installed] | None = None

    def drifts(self) -> Iterator[Drift]:
        """Each difference, file by file in the order of the files, each once."""
        installed = {one.name: one for one in self.interpreter.distributions}
        trees = {one.source_tree.resolve() for one in installed.values() if one.editable and one.source_tree}
        said: set[tuple[str, str, str]] = set()
        for one in self.declarations.declared:
            for drift in self._of(one, installed.get(one.name), trees):
                key = (drift.place, drift.package, drift.what)
                if key not in said:
                    said.add(key)
                    yield drift

    def _of(self, one: Declared, found: Distribution | None, trees: Collection[object]) -> Iterator[Drift]:
        if one.conda is not None and self.conda is not None:
            yield from self._conda(one, one.conda, self.conda.get(one.conda.name), found)
        elif one.name == PYTHON:
            yield from self._version(one, self.interpreter.version, "Python")
        elif one.tree is not None:
            yield from self._tree(one, found, trees)
        elif found is not None:
            yield from self._version(one, found.version, one.name)
            yield from self._commit(one, found)
        elif one.wanted and one.name and one.conda is None:  # conda's packages needn't be Python's, nor so called
            yield self._missing(one, one.name)

    def _conda(
        self, one: Declared, spec: CondaSpec, there: Installed | None, found: Distribution | None
    ) -> Iterator[Drift]:
        """A conda package against the one of that name, else against what pip installed in its place."""
        if there is None:
            if found is not None:
                yield from self._version(one, found.version, one.name)
            elif one.wanted:
                yield self._missing(one, spec.name)
        elif not conda_holds(spec.version, there.version):
            yield self._other("version", one, spec.name, one.said, there.version)
        elif spec.build and not fnmatchcase(there.build, spec.build):
            between = " " if one.said.startswith(("<", ">", "!")) else "="
            declared = f"{one.said}{between}{spec.build}" if one.said else f"build {spec.build}"
            yield self._other("build", one, spec.name, declared, f"{there.version}={there.build}")

    def _version(self, one: Declared, version: str, label: str) -> Iterator[Drift]:
        try:
            exact = Version(version)
        except InvalidVersion:
            return
        if not any(allowed.contains(exact, prereleases=True) for allowed in one.specifiers):
            yield self._other("version", one, label, one.said, version)

    def _commit(self, one: Declared, found: Distribution) -> Iterator[Drift]:
        info = (found.direct_url or {}).get("vcs_info")
        commit = str(info.get("commit_id", "")) if isinstance(info, dict) else ""
        if one.commit and commit and commit != one.commit:
            declared, installed = one.commit[:_SHOWN], commit[:_SHOWN]
            brief = f"{one.name} (declared commit {declared}, installed {installed})"
            what = f"{one.name} is declared at commit {declared}, and installed from {installed}"
            yield self._drift("source", one, what, brief)

    def _tree(self, one: Declared, found: Distribution | None, trees: Collection[object]) -> Iterator[Drift]:
        """A local directory that is declared as editable; its name is only known when a file tells."""
        if one.tree in trees or not one.wanted:
            return
        label = one.name or one.said
        if found is not None:
            what = f"{label} is declared as editable, but a copy is installed: edits of its source don't show"
            yield self._drift("source", one, what, f"{label} (declared as editable, installed as a copy)")
        else:
            yield self._drift("missing", one, f"{label} is declared as editable but not installed so", label)

    def _missing(self, one: Declared, label: str) -> Drift:
        return self._drift("missing", one, f"{label}{_wish(one)} is declared but not installed", f"{label}{_wish(one)}")

    def _other(self, kind: Kind, one: Declared, label: str, declared: str, installed: str) -> Drift:
        what = f"{label} {declared} is declared, {installed} is installed"
        return self._drift(kind, one, what, f"{label} (declared {declared}, installed {installed})")

    def _used(self, one: Declared) -> bool:
        """Whether the run may depend on it: on a conda package, such as a BLAS, also when it is no Python package."""
        if self.imported is None or one.name in {"", PYTHON} or one.name in self.imported:
            return True
        there = self.conda.get(one.conda.name) if self.conda is not None and one.conda is not None else None
        return there is not None and not any(re.match(r"python\b(?![-_.])", need) for need in there.depends)

    def _drift(self, kind: Kind, one: Declared, what: str, brief: str) -> Drift:
        level: Level = "warning" if kind == "missing" or self._used(one) else "note"
        return Drift(kind, level, one.place, one.name, what, self._cure(one), brief)

    def _cure(self, one: Declared) -> str:
        return self.declarations.cures.get(one.place, "correct it there")


def _wish(one: Declared) -> str:
    return f" {one.said}" if one.said else ""
