"""Rule `clock`: the code asks what day or time it is, or how long something took."""

import re
from collections.abc import Iterator

from repro.verify.causes.calls import Call, calls
from repro.verify.causes.situation import Situation
from repro.verify.model import Cause

_DATES = {
    *("datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today"),
    *("time.localtime", "time.gmtime", "time.ctime", "time.asctime", "time.strftime"),
    *("pandas.Timestamp.now", "pandas.Timestamp.today", "pandas.Timestamp.utcnow"),
}
_GIVEN = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1, "time.strftime": 2}
"""With so many arguments they are given a time, and ask for none."""

_TIMERS = {"time.time", "time.time_ns"}
_STOPWATCHES = {"time.perf_counter", "time.perf_counter_ns", "time.monotonic", "time.process_time", "timeit.timeit"}
_DURATION = re.compile(r"(?:^|[^a-z])(?:\w*time|elapsed|duration|latency|seconds|secs)(?:$|[^a-z])")


def clock(situation: Situation) -> Iterator[Cause]:
    """The sources alone can tell: watching clocks would slow down every loop that asks them."""
    if situation.only_failed:
        return
    timed = [one.name for one in situation.moved if _DURATION.search(one.name.lower())]
    for call in calls(situation.sources):
        if _asks_date(call):
            yield _cause(call, "asks what day or time it is", sure=not situation.only_rounding)
        elif call.name in _TIMERS | _STOPWATCHES and (timed or call.name in _TIMERS):
            yield _cause(call, "asks the clock", sure=bool(timed))


def _asks_date(call: Call) -> bool:
    return call.name in _DATES and call.arguments < _GIVEN.get(call.name, 9)


def _cause(call: Call, what: str, *, sure: bool) -> Cause:
    place = f"{call.where}, line {call.line}"
    return Cause(
        rule="clock",
        message=f"{place} {what} ({call.name})",
        laptop="",
        here="",
        where=place,
        confidence="likely" if sure else "possible",
        fix="Make the moment a constant or an argument of the evaluation; leave durations out of the metrics "
        "([metrics] exclude).",
    )
