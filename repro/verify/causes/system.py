"""Rules `system-library` and `libc`: libraries of the operating system that are missing here, or another C library."""

import re
from collections.abc import Iterator

from repro.verify.causes.situation import Situation
from repro.verify.causes.words import lacking
from repro.verify.model import Cause

_MISSING = re.compile(
    r"(?P<file>lib[\w.+-]+\.so[\w.]*): cannot open shared object file"
    r"|version `(?P<version>GLIBC(?:XX)?_[\d.]+)' not found"
)


def system_library(situation: Situation) -> Iterator[Cause]:
    """A library that the loader didn't find, or found too old."""
    failure, found = situation.failure, _MISSING.search(situation.failed_with)
    if failure is not None and found is not None:
        name = found["file"] or found["version"]
        yield lacking(
            failure,
            "system-library",
            f"{name} is not in the image: a compiled module needs it",
            laptop="there",
            here="missing",
            where=name,
            fix="Add the Debian package that has it to repro.toml, [system] apt, or take a base that has it.",
        )


def c_library(situation: Situation) -> Iterator[Cause]:
    """Another C library: its mathematical functions differ in the last digit between versions."""
    record, machine = situation.here.record, situation.lock.evidence.machine
    if record is None or machine is None or not machine.libc or situation.only_failed:
        return
    version = record.machine.get("glibc")
    here = f"glibc {version}" if version else ""
    if here and here != machine.libc:
        yield Cause(
            rule="libc",
            message="the C library is another one than on the laptop",
            laptop=f"{machine.libc}, {machine.system}",
            here=f"{here}, {record.machine.get('system', 'unknown')}",
            where="base image",
            confidence="possible",
            fix="Take a base with the laptop's C library; a tolerance of 1e-12 covers what its functions differ by.",
        )
