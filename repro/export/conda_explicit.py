"""Lock → an explicit file of one platform, which conda, mamba, micromamba and pixi install without solving."""

from repro.conda.names import subdir_of
from repro.export.conda_packages import exported, installation_order
from repro.lock import Lock

_HEADER = """\
# Exported from repro.lock for {target}. Install it with:
#
#    conda create --name NAME --file FILE
#
# platform: {subdir}
@EXPLICIT
"""


def conda_explicit(lock: Lock, target: str) -> str:
    """The conda packages of one target by URL, in the order of installation.

    Each has its MD5 behind it: conda before 24.9 takes no SHA-256 there. pip's packages have no place in such a file.

    Args:
        lock: What was captured.
        target: One of its platforms.

    Raises:
        UsageError: The lock has no such target, no conda packages, or some without URL or MD5.
    """
    lines = [f"{package.url}#{package.md5}\n" for package in installation_order(exported(lock, [target]))]
    return _HEADER.format(target=target, subdir=subdir_of(target)) + "".join(lines)
