"""Lock → requirements.txt as pip-tools writes it: every package pinned, every file by hash."""

from collections.abc import Iterable, Iterator

from repro.errors import UsageError
from repro.lock import Lock, Package, PackageFile
from repro.store import wheel_path

_HEADER = """\
#
# Exported from repro.lock for Python {python} on {target}. Install it with:
#
#    pip install --no-deps --require-hashes -r requirements.txt
#
"""


def requirements(lock: Lock, target: str) -> str:
    """The packages of one target as a requirements file with hashes.

    Indexes other than PyPI are named in comments, because their order and credentials are yours to decide. Wheels that
    were made at capture are found by `--find-links`, relative to the file, which therefore belongs in the project root.

    Args:
        lock: What was captured.
        target: One of its platforms.

    Raises:
        UsageError: The lock has no such target.
    """
    if target not in lock.targets:
        raise UsageError(
            f"the lock is for {', '.join(lock.targets)}, not for {target}",
            where="repro.lock: targets",
            fix="Name one of them with --platform.",
        )
    chosen = [
        (package, file)
        for package in sorted(lock.packages, key=lambda package: package.name)
        for file in package.files
        if target in file.targets
    ]
    lines = [
        _HEADER.format(python=lock.python.version, target=target),
        *_indexes(package for package, file in chosen if file.url is not None),
        *_find_links(file for _, file in chosen),
        *(_requirement(package, file) for package, file in chosen),
    ]
    return "".join(lines)


def _indexes(packages: Iterable[Package]) -> Iterator[str]:
    for index in sorted({package.source for package in packages if package.origin == "index"}):
        yield f"# index: {index}\n"


def _find_links(files: Iterable[PackageFile]) -> Iterator[str]:
    for folder in sorted({_folder(file) for file in files if file.url is None}):
        yield f"--find-links ./{folder}\n"


def _folder(file: PackageFile) -> str:
    return wheel_path(file.sha256, file.name).rpartition("/")[0]


def _requirement(package: Package, file: PackageFile) -> str:
    return (
        f"{package.name}=={package.version} \\\n    --hash={file.sha256}\n    # via {package.origin} {package.source}\n"
    )
