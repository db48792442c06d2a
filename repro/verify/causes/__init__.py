"""Why a metric may have moved, or an evaluation failed here: rules over what two runs were seen to do.

Adding a rule is one module with a function Situation → causes, one line in `rules.RULES`, one row in
docs/how-to/causes.md and one test. Only `gather` and `installed` read anything.
"""

from repro.verify.causes.explain import explained
from repro.verify.causes.rank import explain
from repro.verify.causes.situation import Side, Situation

__all__ = ["Side", "Situation", "explain", "explained"]
