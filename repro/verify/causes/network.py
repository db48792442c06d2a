"""Rule `network`: the code reaches for hosts, which the sealed run refuses."""

import re
from collections.abc import Iterator

from repro.verify.causes.situation import Situation
from repro.verify.causes.words import cell, in_
from repro.verify.model import Cause

_REFUSED = re.compile(
    r"URLError|ConnectionError|NewConnectionError|gaierror|Name or service not known|Network is unreachable"
    r"|Temporary failure in name resolution|Max retries exceeded|ConnectError|OfflineModeIsEnabled|ConnectTimeout"
)
_HERE = re.compile(r"(localhost|127\.[\d.]+|::1|0\.0\.0\.0|None|repro|):\w*")


def network(situation: Situation) -> Iterator[Cause]:
    """Each host that was looked up or connected to here; of a run that wasn't observed, on the laptop."""
    refused = bool(_REFUSED.search(situation.failed_with))
    side = situation.here if situation.here.observed is not None else situation.laptop
    reached = [one for one in (side.observed.network if side.observed else ()) if not _HERE.fullmatch(one.what)]
    for one in reached:
        yield Cause(
            rule="network",
            message=f"the evaluation reaches for {one.what}{in_(cell(one.cell))}: the sealed run has no network",
            laptop="answered",
            here="refused",
            where=cell(one.cell) or one.what,
            confidence="certain" if refused else "likely",
            fix="Download it once, keep it as a file of the project, and read that; then capture again.",
            evidence=(one.what,),
        )
    failure = situation.failure
    if refused and not reached and failure is not None:
        yield Cause(
            rule="network",
            message="the evaluation reaches for the network, which the sealed run hasn't",
            laptop="answered",
            here=failure.message,
            where=cell(failure.cell) or situation.lock.subject.path,
            confidence="certain",
            fix="Download it once, keep it as a file of the project, and read that; then capture again.",
        )
