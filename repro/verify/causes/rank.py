"""Ranks what the rules find: how sure first, then how directly it is known to move numbers."""

from repro.verify.causes.rules import RULES
from repro.verify.causes.situation import Situation
from repro.verify.model import Cause, Outcome

CONFIDENCES = ("certain", "likely", "possible")
_SILENT = {Outcome.VERIFIED, Outcome.INFRASTRUCTURE_FAILED}


def explain(situation: Situation) -> tuple[Cause, ...]:
    """Everything that may be the cause, the most likely first; nothing where there is nothing to explain.

    Of equal confidence, the rule that stands first in `RULES` comes first; a rule's own causes keep their order.
    """
    if situation.outcome in _SILENT:
        return ()
    found = [cause for rule in RULES for cause in rule(situation)]
    return tuple(dict.fromkeys(sorted(found, key=lambda cause: CONFIDENCES.index(cause.confidence))))
