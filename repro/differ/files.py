"""Code, data and models: what is run, and the files that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass

from repro.differ.cells import Edit, compare_sources
from repro.differ.model import Change
from repro.differ.state import State
from repro.lock import LockedFile, Profile
from repro.profiles import differences

_CODE = frozenset({"code", "notebook", "config"})
_UNKNOWN_CONTENT = "one of both contents is not at hand, so which parts differ can't be told"


def code_changes(before: State, after: State) -> Iterator[Change]:
    """The subject, and every file of code or configuration."""
    yield from _subject(before, after)
    yield from _Files(before, after).changes(code=True)


def data_changes(before: State, after: State) -> Iterator[Change]:
    """Every file of data and every model."""
    yield from _Files(before, after).changes(code=False)


def _subject(before: State, after: State) -> Iterator[Change]:
    old, new = before.lock.subject, after.lock.subject
    pairs = (
        ("subject", "path", f"{old.path} ({old.kind})", f"{new.path} ({new.kind})"),
        ("kernel", "kernel", old.kernel or "", new.kernel or ""),
        ("arguments", "arguments", " ".join(old.args), " ".join(new.args)),
        ("directory on the laptop", "root", old.root or "", new.root or ""),
        ("empty folders", "directories", ", ".join(old.directories), ", ".join(new.directories)),
    )
    for what, aspect, was, now in pairs:
        if was != now:
            yield Change(what, "changed", aspect, was, now)


@dataclass(frozen=True)
class _Files:
    before: State
    after: State

    def changes(self, *, code: bool) -> Iterator[Change]:
        """The files of code, or those that are none, by path."""
        old, new = ({file.path: file for file in state.lock.files} for state in (self.before, self.after))
        gone = [file for path, file in old.items() if path not in new]
        came = [file for path, file in new.items() if path not in old]
        renamed = _renamed(gone, came)
        for path in sorted(old.keys() | new.keys()):
            was, now = old.get(path) or renamed.get(path), new.get(path)
            if now is None and any(one.path == path for one in renamed.values()):
                continue
            known = now or was
            if known is not None and (known.role in _CODE) is code:
                yield from self._file(path, was, now)

    def _file(self, path: str, was: LockedFile | None, now: LockedFile | None) -> Iterator[Change]:
        if was is None or now is None:
            known = was or now
            note = "" if known is None else known.role
            yield Change(path, "added" if was is None else "removed", "content", note=note)
            return
        if was.path != now.path:
            yield Change(path, "changed", "path", was.path, now.path, note=now.role)
        if was.sha256 != now.sha256:
            yield self._content(was, now)
        yield from _marks(path, was, now)

    def _content(self, was: LockedFile, now: LockedFile) -> Change:
        digests = was.sha256.short, now.sha256.short
        if now.role not in _CODE:
            return Change(now.path, "changed", "content", *digests, note=now.role, details=self._columns(was, now))
        edit = self._edit(was, now)
        moves = edit.extent == "content"
        return Change(now.path, "changed", edit.extent, *digests, moves=moves, note=now.role, details=edit.lines)

    def _edit(self, was: LockedFile, now: LockedFile) -> Edit:
        old, new = self.before.contents(was), self.after.contents(now)
        return (
            Edit("content", (_UNKNOWN_CONTENT,)) if old is None or new is None else compare_sources(now.path, old, new)
        )

    def _columns(self, was: LockedFile, now: LockedFile) -> tuple[str, ...]:
        """What changed in a table, where both sides have its profile."""
        old, new = _profile(self.before, was.path), _profile(self.after, now.path)
        if old is None or new is None:
            return (f"{now.size:,} bytes, was {was.size:,}",) if was.size != now.size else ()
        return tuple(line.removeprefix(f"{was.path}: ") for line in differences(old, new))


def _profile(state: State, path: str) -> Profile | None:
    return next((one for one in state.lock.evidence.profiles if one.path == path), None)


def _renamed(gone: list[LockedFile], came: list[LockedFile]) -> dict[str, LockedFile]:
    """New path → the file that had this content under a path that is gone; each counts once."""
    left = {file.sha256: file for file in gone if file.size}
    return {file.path: old for file in came if (old := left.pop(file.sha256, None)) is not None}


def _marks(path: str, was: LockedFile, now: LockedFile) -> Iterator[Change]:
    """What a lock says of a file beside its content."""
    told = {True: "executable", False: "not executable"}
    if was.executable != now.executable:
        yield Change(path, "changed", "executable", told[was.executable], told[now.executable])
    kept = {True: "stays out of the image", False: "in the image"}
    if was.mount != now.mount:
        yield Change(path, "changed", "mount", kept[was.mount], kept[now.mount], moves=False)
    if was.role != now.role:
        yield Change(path, "changed", "role", was.role, now.role, moves=False)
    if was.source != now.source:
        yield Change(path, "changed", "source", was.source or "", now.source or "", moves=False)
