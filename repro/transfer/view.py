"""The facts about a base as those who put Debian packages on it want to see them."""

from repro.debian.base import BaseView
from repro.transfer.facts import BaseFacts


def base_view(facts: BaseFacts) -> BaseView:
    """The same facts under the names of `repro.debian`."""
    return BaseView(
        kinds={path: fact.kind for path, fact in facts.paths.items()},
        links={path: fact.target for path, fact in facts.paths.items() if fact.kind == "symlink"},
        files=facts.files,
    )
