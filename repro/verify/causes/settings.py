"""Rules `hash-seed`, `locale`, `time-zone`, `variable-changed`: how the interpreter was set."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from repro.verify.causes.gpu import SETTINGS
from repro.verify.causes.numbers import DISPATCH
from repro.verify.causes.situation import Difference, Situation
from repro.verify.causes.threads import VARIABLES
from repro.verify.causes.words import lacking, lines, value
from repro.verify.model import Cause

_NO_LOCALE = re.compile(r"locale\.Error|unsupported locale setting")
_NO_ZONE = re.compile(r"ZoneInfoNotFoundError|No time zone found|UnknownTimeZoneError")
_OWN = re.compile(r"\$(TZ|LANG|LC_\w+|PYTHONHASHSEED)")
_OTHERS = re.compile(r"\$(PYTHON(OPTIMIZE|UTF8|INTMAXSTRDIGITS|MALLOC|_JIT|_GIL)|LD_PRELOAD|MALLOC_\w+)|optimize")
_MOMENTS = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))  # as in repro.runner.asked


def _chosen(situation: Situation, *names: str) -> list[Difference]:
    return [one for name, one in situation.settings().items() if name in names]


def _differs(
    situation: Situation, found: Sequence[Difference], *, rule: str, message: str, where: str, fix: str
) -> Cause:
    """A setting, and others that belong to it: the first one's values stand for all."""
    laptop, here = value(found[0].laptop), value(found[0].here)
    return Cause(rule, message, laptop, here, where, "likely" if situation.ran else "certain", fix, lines(found))


def hash_seed(situation: Situation) -> Iterator[Cause]:
    """Sets of strings, and what is made from them, come in another order."""
    found = _chosen(situation, "hash seed", "$PYTHONHASHSEED")
    if found:
        yield _differs(
            situation,
            found,
            rule="hash-seed",
            message="PYTHONHASHSEED differs: sets of strings come in another order",
            where="PYTHONHASHSEED",
            fix="Sort what comes out of sets before it is used; or capture again with the seed that the image has.",
        )


def locale(situation: Situation) -> Iterator[Cause]:
    """Names of months, order of text, decimal signs; or a locale that isn't there."""
    failure = situation.failure
    if failure is not None and _NO_LOCALE.search(situation.failed_with):
        yield lacking(
            failure,
            "locale",
            "the evaluation asks for a locale that the image doesn't have",
            laptop="installed",
            here=failure.message,
            where="locale.setlocale",
            fix="Format and sort without a locale, or take a base that has it (Debian's package `locales-all`).",
        )
    found = _chosen(situation, "locale", "encoding", *("$LC_ALL", "$LANG", "$LC_NUMERIC", "$LC_COLLATE", "$LC_TIME"))
    effective = [one for one in found if not one.name.startswith("$")]
    if effective or (found and not situation.ran):
        yield _differs(
            situation,
            found,
            rule="locale",
            message="the locale differs: text is sorted, and numbers and dates are formatted, otherwise",
            where="locale",
            fix="Capture again: the rerun and the image then use the same locale.",
        )


def time_zone(situation: Situation) -> Iterator[Cause]:
    """Another local time; or a zone that the image's time zone database hasn't."""
    failure = situation.failure
    if failure is not None and _NO_ZONE.search(situation.failed_with):
        yield lacking(
            failure,
            "time-zone",
            "the evaluation asks for a time zone that the image doesn't know",
            laptop="known",
            here=failure.message,
            where="time zone",
            fix="Install the package `tzdata` in the environment, or take a base that has Debian's, and capture again.",
        )
    found = _chosen(situation, "time zone", "$TZ") or _zone_lost(situation)
    if found:
        yield _differs(
            situation,
            found,
            rule="time-zone",
            message="the time zone differs: local times, days and weeks are others",
            where="TZ",
            fix="Compute in UTC, or capture again: the rerun and the image then use the same zone.",
        )


def _zone_lost(situation: Situation) -> list[Difference]:
    """The locked zone against the one that came of it: a base without a time zone database has only UTC."""
    if not situation.ran or situation.here.record is None:
        return []
    try:
        zone = ZoneInfo(situation.lock.environment.timezone)
    except (OSError, ValueError, KeyError):  # this machine doesn't know it either
        return []
    expected = ", ".join(f"{moment.astimezone(zone):%Z %z}" for moment in _MOMENTS)
    here = situation.here.record.settings.get("time zone")
    return [] if here is None or here == expected else [Difference("time zone", expected, here)]


def variable_changed(situation: Situation) -> Iterator[Cause]:
    """Other variables that change what Python or the loader do; all others for which an image was refused."""
    settings = situation.settings()
    for one in settings.values():
        told_twice = one.name == "$PYTHONOPTIMIZE" and "optimize" in settings
        if (_OTHERS.fullmatch(one.name) or _refused(situation, one)) and not told_twice:
            yield _differs(
                situation,
                [one],
                rule="variable-changed",
                message=f"{one.name.lstrip('$')} differs",
                where=one.name.lstrip("$"),
                fix="Set it to the same value on both sides: [run] env in repro.toml carries it into the image.",
            )


def _refused(situation: Situation, setting: Difference) -> bool:
    """Whether an image was refused for a variable that no other rule is about."""
    known = any(pattern.fullmatch(setting.name) for pattern in (DISPATCH, VARIABLES, SETTINGS, _OWN))
    return not situation.ran and not known
