"""The packages of the user's environment."""

from collections.abc import Iterator

from repro.differ.conda import conda_changes, is_direct, moves_sums
from repro.differ.model import AS_PUBLISHED, Change, kind_of
from repro.differ.state import PackageFacts, State

_SHOWN = 12


def package_changes(before: State, after: State) -> Iterator[Change]:
    """Each package that is not the same: conda's BLAS first, then what somebody asked for."""
    found = [*conda_changes(before, after), *_wheel_changes(before, after)]
    yield from sorted(found, key=lambda one: (not moves_sums(one), not is_direct(one)))


def _wheel_changes(before: State, after: State) -> Iterator[Change]:
    old, new = ({one.name: one for one in state.packages or ()} for state in (before, after))
    names = sorted(old.keys() | new.keys(), key=lambda name: (not _direct(old.get(name), new.get(name)), name))
    for name in names:
        was, now = old.get(name), new.get(name)
        note = "direct" if _direct(was, now) else "transitive"
        if was is None or now is None:
            version_before, version_after = was.version if was else "", now.version if now else ""
            yield Change(name, kind_of(was, now), "version", version_before, version_after, note=note)
        else:
            yield from _package(was, now, note)


def _direct(was: PackageFacts | None, now: PackageFacts | None) -> bool:
    return any(one is not None and bool(one.direct) for one in (was, now))


def _package(was: PackageFacts, now: PackageFacts, note: str) -> Iterator[Change]:
    name = was.name
    builds = tuple(_builds(was, now))
    moved = was.origin is not None and now.origin is not None and was.origin != now.origin
    moved = moved and not (was.patched or now.patched)  # what was edited is made from what is installed
    if was.version != now.version:
        details = [f"from {was.origin} to {now.origin}"] if moved else []
        yield Change(name, "changed", "version", was.version, now.version, note=note, details=tuple(details))
    elif moved:
        differ = bool(builds) or was.files is None
        details = [] if differ else ["its files are the same"]
        origins = was.origin or "", now.origin or ""
        yield Change(name, "changed", "origin", *origins, moves=differ, note=note, details=tuple(details))
    elif builds and not (was.patched or now.patched):
        yield Change(name, "changed", "build", was.version, now.version, note=note, details=builds)
    yield from _patches(was, now, note)
    if was.edited != now.edited:
        edited = tuple(dict.fromkeys((*now.edited, *was.edited)))
        yield Change(name, "changed", "source", note=note, details=edited)
    if was.direct is not None and now.direct is not None and was.direct != now.direct:
        told = {True: "direct", False: "transitive"}
        yield Change(name, "changed", "requested", told[was.direct], told[now.direct], moves=False)


def _builds(was: PackageFacts, now: PackageFacts) -> Iterator[str]:
    """How the files of one version differ, on platforms that both have."""
    if was.files is not None and now.files is not None:
        for target in sorted(was.files.keys() & now.files.keys()):
            if was.files[target] != now.files[target]:
                yield f"{target}: {_label(was, target)} → {_label(now, target)}"
    elif was.build and now.build and was.build.isdisjoint(now.build):
        yield f"{_listed(was.build)} → {_listed(now.build)}"


def _label(one: PackageFacts, target: str) -> str:
    digest = (one.files or {})[target]
    return f"{one.labels.get(target, '')} {digest[:_SHOWN]}".strip()


def _listed(build: frozenset[str]) -> str:
    return ", ".join(sorted(one.lstrip(":") for one in build))


def _patches(was: PackageFacts, now: PackageFacts, note: str) -> Iterator[Change]:
    if was.patched is None or now.patched is None or was.patched == now.patched:
        return
    before, after = (_edited(len(one)) if one else AS_PUBLISHED for one in (was.patched, now.patched))
    came = [f"edited: {path}" for path in now.patched if path not in was.patched]
    gone = [f"no longer edited: {path}" for path in was.patched if path not in now.patched]
    yield Change(was.name, "changed", "patched", before, after, note=note, details=(*came, *gone))


def _edited(count: int) -> str:
    return f"edited by hand in {count} {'file' if count == 1 else 'files'}"
