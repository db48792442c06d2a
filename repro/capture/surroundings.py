"""What surrounds a run and can move its numbers: time zone, locale, thread pools, hash seed, allowed variables.

They are read once, pinned for the rerun on the laptop, and set to the same values in the image.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from repro.cpus import usable_cpus
from repro.errors import CaptureError
from repro.lock import Environment
from repro.plan.evaluation import THREAD_VARIABLES

_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")
_PORTABLE_LOCALES = {"C", "POSIX", "C.UTF-8", "C.utf8"}
_LOCALE = "C.UTF-8"


def read_environment(
    environ: Mapping[str, str], *, allowed: Sequence[str], threads: int | None
) -> tuple[Environment, tuple[str, ...]]:
    """The surroundings to pin, and warnings about what can't be carried over as it is.

    Args:
        environ: The variables of the laptop's process.
        allowed: Names of variables whose values may enter the lock (`[run] env`).
        threads: Size of thread pools, or None for what the laptop uses.

    Raises:
        CaptureError: An allowed variable is not set.
    """
    missing = [name for name in allowed if name not in environ]
    if missing:
        raise CaptureError(
            "variables that repro.toml allows are not set",
            problems=missing,
            fix="Set them, or take them out of [run] env.",
        )
    locale, warnings = _locale(environ)
    return (
        Environment(
            timezone=timezone_name(environ),
            locale=locale,
            threads=threads or _threads(environ),
            variables={"PYTHONHASHSEED": _hash_seed(environ), **{name: environ[name] for name in sorted(allowed)}},
        ),
        warnings,
    )


def timezone_name(environ: Mapping[str, str], localtime: Path = _LOCALTIME, timezone: Path = _TIMEZONE) -> str:
    """The IANA name of the laptop's time zone, UTC when it can't be told."""
    named = environ.get("TZ", "").removeprefix(":")
    if named and not named.startswith("/"):
        return named
    _, found, name = os.path.realpath(named or localtime).partition("zoneinfo/")
    if found:
        return name.removeprefix("posix/").removeprefix("right/")
    try:
        return timezone.read_text(encoding="utf-8").strip() or "UTC"
    except OSError:
        return "UTC"


def _locale(environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The locale to run under. Base images know no national ones, so both sides use C.UTF-8 and the author is told."""
    used = environ.get("LC_ALL") or environ.get("LC_NUMERIC") or environ.get("LANG") or _LOCALE
    if used in _PORTABLE_LOCALES:
        return _LOCALE, ()
    return _LOCALE, (f"the laptop's locale is {used}; the rerun and the image use {_LOCALE}, which base images have",)


def _threads(environ: Mapping[str, str]) -> int:
    for name in THREAD_VARIABLES:
        value = environ.get(name, "").partition(",")[0]
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return usable_cpus()


def _hash_seed(environ: Mapping[str, str]) -> str:
    """The user's own fixed seed, else 0: without one, sets of strings change their order from run to run."""
    seed = environ.get("PYTHONHASHSEED", "")
    return seed if seed.isdecimal() else "0"
