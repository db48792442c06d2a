"""What the locked tables look like, for the lock's evidence."""

import sys
from collections.abc import Iterable
from pathlib import Path

from repro.lock import LockedFile
from repro.profiles import Profiled, ProfileLimits, TableFile, profile_files
from repro.store.cache import cache_directory


def profile_data(files: Iterable[LockedFile], root: Path, python: Path, limits: ProfileLimits) -> Profiled:
    """Profiles of the locked files that are tables, by our own Python or, for Arrow's formats, by the user's."""
    tables = (TableFile(file.path, root / file.path, file.sha256, file.size) for file in files)
    return profile_files(tables, limits, [Path(sys.executable), python], cache_directory() / "profiles")
