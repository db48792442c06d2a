"""Which files a capture puts beside the runner's hook."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "hook"


def observing_hooks(*, blind: bool) -> tuple[Path, ...]:
    """Files for `repro.runner.execute.execute`.

    Args:
        blind: Whether the system does not tell what compiled code opens; then readers of known libraries tell.
    """
    return (_FOLDER / "repro_readers.py",) if blind else ()
