"""Conda packages as installed → locked packages, at exactly the installed builds. Never a solve, and none left out."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from repro.capture.conda.archives import Archive
from repro.capture.conda.contents import Contents
from repro.capture.conda.patches import CondaReview
from repro.conda.environment import CondaPrefix
from repro.conda.records import Record
from repro.conda.scripts import link_scripts
from repro.errors import CaptureError, UsageError
from repro.lock import CondaPackage

_GLIBC = re.compile(r"__glibc\s+(?:[^\s,|]*,)*>=?\s*(\d+(?:\.\d+)*)")


def installed_packages(
    conda: CondaPrefix,
    review: CondaReview,
    archives: Mapping[str, Archive],
    *,
    target: str,
    skip_scripts: Collection[str],
) -> tuple[CondaPackage, ...]:
    """The packages of the laptop's own platform, by name.

    Args:
        conda: The captured environment.
        review: What is left of each package.
        archives: What each one's archive is.
        target: The platform.
        skip_scripts: Packages whose scripts may be left out.
    """
    return tuple(
        _package(one, conda, review, archives[one.record.name], target=target, skip_scripts=skip_scripts)
        for one in review.contents
    )


def _package(
    one: Contents,
    conda: CondaPrefix,
    review: CondaReview,
    archive: Archive,
    *,
    target: str,
    skip_scripts: Collection[str],
) -> CondaPackage:
    record = one.record
    return CondaPackage(
        name=record.name,
        version=record.version,
        build=record.build,
        target=target,
        channel=record.public_channel,
        subdir=record.subdir,
        file=record.archive,
        url=archive.url,
        sha256=archive.sha256,
        size=archive.size,
        md5=archive.md5,
        depends=record.depends,
        requested=record.name in conda.asked,
        without=one.without(),
        patched=review.patched.get(record.name, ()),
        scripts="skip" if record.name in skip_scripts and scripts_of(record) else None,
    )


def scripts_of(record: Record) -> tuple[str, ...]:
    """The scripts that a package has run while it is linked."""
    return link_scripts(record.name, (one.path for one in record.paths))


def check_scripts(records: Iterable[Record], skip: Collection[str]) -> tuple[str, ...]:
    """Warnings about scripts that are left out.

    Raises:
        CaptureError: Packages have scripts, and nobody said that these may be left out.
    """
    found = {record.name: (record, paths) for record in records if (paths := scripts_of(record))}
    lacking = [(record, paths) for name, (record, paths) in found.items() if name not in skip]
    if lacking:
        names = ", ".join(f'"{record.name}"' for record, _ in lacking)
        raise CaptureError(
            f"{len(lacking)} conda {'package has a script' if len(lacking) == 1 else 'packages have scripts'} that ran "
            "here after linking, which nothing runs in the image without leave",
            problems=[f"{record.label}: {', '.join(paths)}" for record, paths in lacking],
            fix="Read them; if the work does without what they do, name the packages in repro.toml, then capture "
            f"again:\n  [conda]\n  skip-scripts = [{names}]",
        )
    idle = sorted(set(skip) - found.keys())
    return (
        *(f"{record.label}: {', '.join(paths)} is not run in the image" for record, paths in found.values()),
        *(f"skip-scripts names {name}, which has no script, or isn't installed" for name in idle),
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
