"""The command line: arguments → options → a stage → a report → an exit code. Each command lives in its own module."""

import os
import sys
from collections.abc import Sequence

from repro.cli.failures import guarded
from repro.cli.group import repro
from repro.cli.settings import Settings


def main(args: Sequence[str] | None = None) -> int:
    """Run `repro` with these arguments (the process's own when None) and return its exit code."""
    settings = Settings.from_environment(os.environ)
    given = list(sys.argv[1:] if args is None else args)
    ours = given[: given.index("--")] if "--" in given else given
    settings.json = "--json" in ours  # before click finds fault with them: that error is to be JSON as well

    def work() -> int:
        with repro.make_context("repro", given, obj=settings) as context:
            return int(repro.invoke(context) or 0)

    return guarded(work, settings)
