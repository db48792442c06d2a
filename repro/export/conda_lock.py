"""Lock → conda-lock.yml, conda-lock's unified lockfile (version 1), for conda-lock, mamba and micromamba."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from repro.conda.names import subdir_of
from repro.export.conda_packages import dependencies, exported
from repro.lock import CondaPackage, Lock, Package, PackageFile

_HEADER = """\
# Exported from repro.lock. Install it with:
#
#    conda-lock install --name NAME {file}
#
"""
_FILE = "conda-lock.yml"
_Entry = dict[str, Any]


def conda_lock(lock: Lock) -> str:
    """The conda packages of all targets, and pip's as far as they are published, as a conda-lock.yml.

    The same lock gives the same bytes: no time, no user and no commit is in it.

    Raises:
        UsageError: The lock has no conda packages, or some without URL or MD5.
    """
    packages = exported(lock, lock.targets)
    entries = [*map(_conda, packages), *_pips(lock)]
    platforms = sorted(map(subdir_of, lock.targets))
    metadata = {
        "content_hash": {platform: _content_hash(entries, platform) for platform in platforms},
        "channels": [{"url": channel, "used_env_vars": []} for channel in _channels(packages)],
        "platforms": platforms,
        "sources": ["repro.lock"],
    }
    document = {"version": 1, "metadata": metadata, "package": entries}
    return _HEADER.format(file=_FILE) + yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """Without anchors: other readers of the format needn't know them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as in SafeDumper
        return True


def _conda(package: CondaPackage) -> _Entry:
    return {
        "name": package.name,
        "version": package.version,
        "manager": "conda",
        "platform": subdir_of(package.target),
        "dependencies": dependencies(package),
        "url": package.url,
        "hash": {"md5": package.md5, "sha256": package.sha256.hex},
        "category": "main",
        "optional": False,
    }


def _pips(lock: Lock) -> Iterator[_Entry]:
    for package in sorted(lock.packages, key=lambda package: package.name):
        chosen = [(subdir_of(target), file) for file in package.files for target in file.targets if file.url]
        for platform, file in sorted(chosen, key=lambda one: one[0]):
            yield _pip(package, file, platform)


def _pip(package: Package, file: PackageFile, platform: str) -> _Entry:
    return {
        "name": package.name,
        "version": package.version,
        "manager": "pip",
        "platform": platform,
        "dependencies": {},  # nothing is resolved: pip gets every package by its URL
        "url": file.url,
        "hash": {"sha256": file.sha256.hex},
        "category": "main",
        "optional": False,
    }


def _channels(packages: Iterable[CondaPackage]) -> list[str]:
    """The most used first. A lock knows no priorities, and what is installed by URL needs none."""
    used = Counter(package.channel for package in packages)
    return sorted(used, key=lambda channel: (-used[channel], channel))


def _content_hash(entries: Iterable[_Entry], platform: str) -> str:
    """conda-lock's is that of what was to be solved. Here it is of what was locked: it changes when that does."""
    lines = [f"{one['url']} {one['hash']['sha256']}\n" for one in entries if one["platform"] == platform]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
