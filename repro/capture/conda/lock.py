"""Conda packages as installed → locked packages, at exactly the installed builds. Never a solve, and none left out."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from repro.capture.conda.archives import Archive
from repro.capture.conda.contents import Contents
from repro.capture.conda.patches import CondaReview
from repro.capture.conda.scripts import decided, scripts_of
from repro.conda.environment import CondaPrefix
from repro.conda.records import Record, package_of
from repro.errors import UsageError
from repro.lock import CondaPackage
from repro.lock.conda import Scripts

_GLIBC = re.compile(r"__glibc\s+(?:[^\s,|]*,)*>=?\s*(\d+(?:\.\d+)*)")


def installed_packages(
    conda: CondaPrefix,
    review: CondaReview,
    archives: Mapping[str, Archive],
    *,
    target: str,
    skip_scripts: Collection[str],
    run_scripts: Collection[str] = (),
) -> tuple[CondaPackage, ...]:
    """The packages of the laptop's own platform, by name.

    Args:
        conda: The captured environment.
        review: What is left of each package.
        archives: What each one's archive is.
        target: The platform.
        skip_scripts: Packages whose scripts may be left out.
        run_scripts: Packages whose scripts run while an image is made.
    """
    return tuple(
        _package(
            one,
            conda,
            review,
            archives[one.record.name],
            target=target,
            scripts=decided(one.record.name, skip_scripts, run_scripts) if scripts_of(one.record) else None,
        )
        for one in review.contents
    )


def _package(
    one: Contents,
    conda: CondaPrefix,
    review: CondaReview,
    archive: Archive,
    *,
    target: str,
    scripts: Scripts | None,
) -> CondaPackage:
    record = one.record
    return replace(
        package_of(record, target, url=archive.url, sha256=archive.sha256, size=archive.size),
        md5=archive.md5,
        requested=record.name in conda.asked,
        without=one.without(),
        patched=review.patched.get(record.name, ()),
        scripts=scripts,
    )


def check_glibc(records: Sequence[Record], glibc: str, base: str) -> None:
    """Refuse a base whose C library is too old for a package (its virtual package `__glibc`).

    Raises:
        UsageError: It is; the packages are named.
    """
    needs = {record.label: least for record in records if (least := needed_glibc(record.depends)) is not None}
    old = {label: least for label, least in needs.items() if _numbers(least) > _numbers(glibc)}
    if old:
        newest = max(old.values(), key=_numbers)
        raise UsageError(
            f"the base has glibc {glibc}, and conda packages need a newer one",
            where=base,
            problems=[f"{label} needs glibc {least}" for label, least in old.items()],
            fix=f"Choose a base with glibc {newest} or newer: [base] image in repro.toml (docs/how-to/base-images.md).",
        )


def needed_glibc(depends: Iterable[str]) -> str | None:
    """The least version of glibc that match specifications ask for."""
    found = [match[1] for spec in depends if (match := _GLIBC.match(spec))]
    return max(found, key=_numbers) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
