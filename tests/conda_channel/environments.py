"""Environments made from channels by py-rattler, with real records in conda-meta, and what people do to them then."""

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import rattler

_LINUX = [("__unix", "0", "0"), ("__linux", "5.15", "0"), ("__glibc", "2.36", "0")]
VIRTUAL = {
    "linux-64": [*_LINUX, ("__archspec", "1", "x86_64")],
    "linux-aarch64": _LINUX,
    "osx-arm64": [("__unix", "0", "0"), ("__osx", "14.5", "0"), ("__archspec", "1", "m1")],
}
"""Virtual packages by platform: name, version, build."""


def make_environment(
    channels: str | Sequence[str],
    specs: Sequence[str],
    prefix: Path,
    cache: Path,
    *,
    subdir: str = "linux-64",
    copy: bool = False,
) -> list[rattler.RepoDataRecord]:
    """Solve and install, as conda, mamba and pixi do.

    Args:
        channels: URLs of channels, `file://` or `http://`, in order of priority.
        specs: What was asked for.
        prefix: Where the environment goes.
        cache: Folder for packages that were downloaded and unpacked, shared with other environments.
        subdir: The platform.
        copy: Whether files are the environment's own, for tests that change them; else they are the cache's as well.
    """
    urls = [channels] if isinstance(channels, str) else list(channels)
    return asyncio.run(_make(urls, specs, prefix, cache, subdir=subdir, copy=copy))


async def _make(
    channels: list[str], specs: Sequence[str], prefix: Path, cache: Path, *, subdir: str, copy: bool
) -> list[rattler.RepoDataRecord]:
    records = await _solve(channels, specs, cache, subdir)
    links = "false" if copy else "true"
    config = rattler.Config.from_toml(f"allow-hard-links = {links}\nallow-ref-links = {links}\n")
    await rattler.install(
        records,
        prefix,
        cache_dir=cache / "pkgs",
        platform=rattler.Subdir(subdir),
        show_progress=False,
        requested_specs=[rattler.MatchSpec(spec)._match_spec for spec in specs],  # 0.28 unwraps all but these
        config=config,
    )
    _write_history(prefix, specs, records)
    return records


async def _solve(channels: list[str], specs: Sequence[str], cache: Path, subdir: str) -> list[rattler.RepoDataRecord]:
    return await rattler.solve(
        channels,
        specs,
        gateway=rattler.Gateway(cache_dir=cache / "repodata"),
        platforms=[rattler.Subdir(subdir), rattler.Subdir("noarch")],
        virtual_packages=virtual_packages(subdir),
    )


def virtual_packages(subdir: str) -> list[rattler.GenericVirtualPackage]:
    """What a solver is told of a machine of this platform."""
    return [
        rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build))
        for name, version, build in VIRTUAL[subdir]
    ]


def _write_history(prefix: Path, specs: Sequence[str], records: Sequence[rattler.RepoDataRecord]) -> None:
    """As conda writes it; rattler writes none."""
    names = sorted(f"{record.url.rpartition('/')[0]}::{record.file_name}" for record in records)
    command = f"# cmd: conda create {' '.join(specs)}"
    lines = ["==> 2026-01-02 03:04:05 <==", command, "# conda version: 25.9.1"]
    lines += [f"+{name.removesuffix('.conda').removesuffix('.tar.bz2')}" for name in names]
    lines.append(f"# update specs: {list(specs)!r}")
    (prefix / "conda-meta" / "history").write_text("\n".join(lines) + "\n", encoding="utf-8")


def installed_records(prefix: Path) -> dict[str, rattler.PrefixRecord]:
    """What conda-meta says, by package name."""
    found = [rattler.PrefixRecord.from_path(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]
    return {record.name.normalized: record for record in found}


def pip_install(prefix: Path, *arguments: str) -> None:
    """Install by the environment's own pip."""
    command = [str(prefix / "bin/python"), "-m", "pip", "install", "--quiet", "--no-warn-script-location"]
    subprocess.run([*command, *arguments], check=True)


def activated(prefix: Path) -> dict[str, str]:
    """The variables of a shell in which the environment is active."""
    path = f"{prefix / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    conda = {"CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": str(prefix), "CONDA_SHLVL": "1"}
    return {**os.environ, "PATH": path, **conda}
