"""Rules `python-version` and `python-build`: another interpreter ran."""

from collections.abc import Iterator

from repro.verify.causes.situation import Situation
from repro.verify.model import Cause


def python_version(situation: Situation) -> Iterator[Cause]:
    """Another version than the laptop's."""
    record, laptop = situation.here.record, situation.lock.python.version
    if record is not None and record.python_version and record.python_version != laptop:
        yield Cause(
            rule="python-version",
            message="another version of Python ran than on the laptop",
            laptop=laptop,
            here=record.python_version,
            where="Python",
            confidence="certain" if any(situation.found("python")) else "likely",
            fix=f"Build with a base that has Python {laptop}, or let capture pack the laptop's own.",
        )


def python_build(situation: Situation) -> Iterator[Cause]:
    """The same version, compiled otherwise: other compilers order floating-point sums otherwise."""
    build = situation.settings().get("build")
    record = situation.here.record
    same = record is not None and record.python_version == situation.lock.python.version
    if build is not None and build.laptop and same and not situation.only_failed:
        yield Cause(
            rule="python-build",
            message="Python is the same version, but was built at another time or by another compiler",
            laptop=build.laptop,
            here=build.here or "",
            where="Python",
            confidence="possible",
            fix="Let capture pack the laptop's own interpreter: leave `base.image` without a Python of this version.",
        )
