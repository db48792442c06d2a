"""Changed data in words: profiles the content that was found and compares it with what the lock says of that file."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from repro.digest import Digest
from repro.lock import Profile
from repro.profiles.compare import differences
from repro.profiles.compute import TableFile, profile_files
from repro.profiles.limits import ProfileLimits

_LIMITS = ProfileLimits(size=sys.maxsize, seconds=30.0)


def explain_changes(
    profiles: Iterable[Profile], found: Mapping[str, Path], environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """What changed in tables whose content is no more what the lock says.

    Args:
        profiles: The lock's.
        found: Locked path → where the other content is; files without a profile are passed over.
        environ: The user's variables, for an interpreter with pyarrow.
    """
    known = {profile.path: profile for profile in profiles if profile.path in found}
    tables = [_table(path, found[path]) for path in known if os.path.isfile(found[path])]  # noqa: PTH113 - never raises
    if not tables:
        return ()
    done = profile_files(tables, _LIMITS, _pythons(environ))
    lines = [line for now in done.profiles for line in differences(known[now.path], now)]
    return (*lines, *done.notes)


def _table(path: str, place: Path) -> TableFile:
    return TableFile(path, place.absolute(), Digest.of(b""), 0)  # nothing is kept or limited: no digest, no size


def _pythons(environ: Mapping[str, str]) -> list[Path]:
    """Our own, the active environment's, and the project's."""
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    active = [Path(environ[key]) for key in ("VIRTUAL_ENV", "CONDA_PREFIX") if environ.get(key)]
    places = [environment / folder / name for environment in (*active, Path(".venv"))]
    return [Path(sys.executable), *(place.absolute() for place in places if os.path.isfile(place))]  # noqa: PTH113
