"""Wheels that pip downloaded and still has: the original of a release that has vanished from its index.

pip keeps answers in CacheControl's layout, `http-v2/<5 levels>/<key>.body` being the plain body. uv keeps unpacked
files only, which are those that are installed.
"""

import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name
from platformdirs import user_cache_dir

from repro.capture.model import Distribution
from repro.capture.packages.record_match import says_the_same
from repro.capture.packages.wheel_writer import wheel_file_name
from repro.realpaths import expanded

_ZIP = b"PK\x03\x04"


def pip_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where pip caches: PIP_CACHE_DIR, else the place that the operating system has for caches."""
    named = environ.get("PIP_CACHE_DIR")
    return expanded(named) if named else Path(user_cache_dir("pip", appauthor=False))


def cached_wheel(distribution: Distribution, cache: Path, destination: Path) -> Path | None:
    """A copy of the wheel that was installed, under its own name; None when pip doesn't have it.

    Args:
        distribution: What is installed, with a RECORD.
        cache: pip's cache directory (`pip cache dir`).
        destination: Directory for the copy.
    """
    for body in sorted(_bodies(cache)):
        record = _record(body, distribution)
        if record is not None and says_the_same(distribution, record):
            target = destination / wheel_file_name(distribution.name, distribution.version, distribution.tags)
            shutil.copyfile(body, target)
            return target
    return None


def _bodies(cache: Path) -> Iterator[Path]:
    for path in (cache / "http-v2").glob("*/*/*/*/*/*.body"):
        try:
            with path.open("rb") as stream:
                if stream.read(len(_ZIP)) == _ZIP:
                    yield path
        except OSError:
            continue


def _record(body: Path, distribution: Distribution) -> str | None:
    """RECORD of a wheel of this very release."""
    try:
        with zipfile.ZipFile(body) as archive:
            for path in archive.namelist():
                folder, _, rest = path.partition("/")
                name, _, version = folder.removesuffix(".dist-info").rpartition("-")
                if rest == "RECORD" and (canonicalize_name(name), version) == (distribution.name, distribution.version):
                    return archive.read(path).decode("utf-8", "replace")
    except (OSError, zipfile.BadZipFile):
        return None
    return None
