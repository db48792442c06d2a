"""Lock → requirements.txt as pip-tools writes it: every package pinned, every file by hash."""

import posixpath
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
_HERE = "# Run it in this file's directory: pip takes the paths below as relative to where it runs.\n#\n"


def requirements(lock: Lock, target: str, root: str = ".") -> str:
    """The packages of one target as a requirements file with hashes.

    Indexes other than PyPI are named in comments, because their order and credentials are yours to decide. Wheels that
    were made at capture are required by their path, so that no index can offer another file in their place.

    Args:
        lock: What was captured.
        target: One of its platforms.
        root: The project root as a POSIX path relative to the directory that the file is for.

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
        _HERE if any(file.url is None for _, file in chosen) else "",
        *_indexes(package for package, file in chosen if file.url is not None),
        *(_requirement(package, file, root) for package, file in chosen),
    ]
    return "".join(lines)


def _indexes(packages: Iterable[Package]) -> Iterator[str]:
    for index in sorted({package.source for package in packages if package.origin == "index"}):
        yield f"# index: {index}\n"


def _requirement(package: Package, file: PackageFile, root: str) -> str:
    wanted = f"{package.name}=={package.version}" if file.url else _path(file, root)
    return f"{wanted} \\\n    --hash={file.sha256}\n    # via {package.origin} {package.source}\n"


def _path(file: PackageFile, root: str) -> str:
    """With a leading `./` or `../`, without which it could be taken for a name."""
    path = posixpath.join(root, wheel_path(file.sha256, file.name))
    return path if path.startswith(("./", "../", "/")) else f"./{path}"
