"""Declared packages against installed ones. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from repro.capture.drift.files import Declarations
from repro.capture.drift.model import PYTHON, Declared, Drift, Kind, Level
from repro.capture.model import Distribution, Interpreter

_SHOWN = 12


@dataclass(frozen=True)
class Comparison:
    """One comparison.

    Attributes:
        declarations: What the project's files say.
        interpreter: What is installed.
        imported: Packages that the run imported from; None when nothing was run, and all count.
    """

    declarations: Declarations
    interpreter: Interpreter
    imported: Collection[str] | None

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
        if one.name == PYTHON:
            yield from self._version(one, self.interpreter.version, "Python")
        elif one.tree is not None:
            yield from self._tree(one, found, trees)
        elif found is not None:
            yield from self._version(one, found.version, one.name)
            yield from self._commit(one, found)
        elif one.wanted and one.name:
            what = f"{one.name}{_wish(one)} is declared but not installed"
            yield self._drift("missing", one, what, f"{one.name}{_wish(one)}")

    def _version(self, one: Declared, version: str, label: str) -> Iterator[Drift]:
        try:
            exact = Version(version)
        except InvalidVersion:
            return
        if not any(allowed.contains(exact, prereleases=True) for allowed in one.specifiers):
            brief = f"{label} (declared {one.said}, installed {version})"
            yield self._drift("version", one, f"{label} {one.said} is declared, {version} is installed", brief)

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

    def _drift(self, kind: Kind, one: Declared, what: str, brief: str) -> Drift:
        used = self.imported is None or one.name in {"", PYTHON} or one.name in self.imported
        level: Level = "warning" if used or kind == "missing" else "note"
        return Drift(kind, level, one.place, one.name, what, self._cure(one), brief)

    def _cure(self, one: Declared) -> str:
        return self.declarations.cures.get(one.place, "correct it there")


def _wish(one: Declared) -> str:
    return f" {one.said}" if one.said else ""
