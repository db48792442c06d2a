"""Archives that conda, mamba, micromamba or pixi keep on this machine: those are not downloaded again."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from repro.conda.condarc import conda_settings, roots
from repro.conda.names import ENDINGS
from repro.conda.records import Record
from repro.digest import Digest
from repro.realpaths import expanded

_BLOCK = 1 << 20
INSTALLATIONS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".local/share/mamba")
"""Where installers put conda and mamba, below the home directory."""
_SEPARATORS = re.compile(f"[,{re.escape(os.pathsep)}]")


@dataclass(frozen=True, slots=True)
class Stated:
    """What is known of an archive without having it.

    Attributes:
        sha256: Its digest. size: Its bytes. md5: In hex.
    """

    sha256: Digest | None
    size: int | None
    md5: str | None


def package_caches(prefix: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders for archives and unpacked packages that are there, those that somebody named first."""
    named = _SEPARATORS.split(environ.get("CONDA_PKGS_DIRS", ""))
    home = expanded("~")
    places = [
        *(expanded(one) for one in named if one),
        *conda_settings(environ, prefix).caches,
        prefix / "pkgs",
        *([prefix.parent.parent / "pkgs"] if prefix.parent.name == "envs" else []),
        *(root / "pkgs" for root in roots(environ)),
        home / ".conda" / "pkgs",
        *(home / name / "pkgs" for name in INSTALLATIONS),
        *_rattler(environ),
    ]
    return tuple(place for place in dict.fromkeys(map(expanded, places)) if place.is_dir())


def _rattler(environ: Mapping[str, str]) -> Iterator[Path]:
    """Caches of pixi and of others made with rattler, which keep unpacked packages and seldom archives."""
    yield from (Path(environ[name]) / "pkgs" for name in ("RATTLER_CACHE_DIR", "PIXI_CACHE_DIR") if environ.get(name))
    cache = Path(environ.get("XDG_CACHE_HOME") or user_cache_dir())
    yield from (cache / "rattler" / "cache" / "pkgs", cache / "pixi" / "pkgs")


def archive_at_hand(record: Record, caches: tuple[Path, ...]) -> Path | None:
    """The archive of an installed package, when a cache has the very one; its hash is checked where one is known.

    Args:
        record: The package. Of one without any hash or size an archive of its name counts.
        caches: Where to look beside the places that the record itself names.
    """
    for path in dict.fromkeys(_candidates(record, caches)):
        try:
            if path.is_file() and record.size in {None, path.stat().st_size} and _is_it(path, record):
                return path
        except OSError:
            continue
    return None


def _candidates(record: Record, caches: tuple[Path, ...]) -> Iterator[Path]:
    if record.tarball is not None:
        yield record.tarball
    if record.unpacked is not None:
        yield from (record.unpacked.with_name(record.unpacked.name + ending) for ending in ENDINGS)
    yield from (folder / record.archive for folder in caches)


def _is_it(path: Path, record: Record) -> bool:
    if path.name.endswith(ENDINGS) and path.name != record.archive:
        return False
    if record.sha256 is not None:
        return Digest.of_file(path) == record.sha256
    return record.md5 is None or md5_of(path) == record.md5


def md5_of(path: Path) -> str:
    """MD5 of a file in hex: what old records have. It tells packages apart, and proves nothing against an attacker."""
    hasher = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
    return hasher.hexdigest()


def stated_in_cache(record: Record, caches: tuple[Path, ...]) -> Stated | None:
    """What the index said of a package when it was fetched, as its unpacked copy still tells; None without one.

    Source: `info/repodata_record.json`, which conda, mamba and rattler write.
    """
    stem = record.archive.removesuffix(".conda").removesuffix(".tar.bz2")
    folders = [*([record.unpacked] if record.unpacked else []), *(folder / stem for folder in caches)]
    for folder in dict.fromkeys(folders):
        stated = _stated(_json(folder / "info" / "repodata_record.json"))
        if stated is not None and agrees(stated, record):
            return stated
    return None


def agrees(stated: Stated, record: Record) -> bool:
    """Whether what is stated elsewhere is of the very archive: what both know is the same, and they share a hash."""
    pairs = [(stated.sha256, record.sha256), (stated.md5, record.md5), (stated.size, record.size)]
    known = [one == other for one, other in pairs if one is not None and other is not None]
    hashed = any(one is not None and other is not None for one, other in pairs[:2])
    return all(known) and (hashed or (record.sha256 is None and record.md5 is None))


def _stated(document: Any) -> Stated | None:
    return read_stated(document) if isinstance(document, dict) else None


def read_stated(document: Mapping[str, Any]) -> Stated:
    """What an entry of an index (repodata.json) says of its archive; what is of no use counts as nothing."""
    sha256, md5, size = (document.get(key) for key in ("sha256", "md5", "size"))
    whole = isinstance(sha256, str) and re.fullmatch(r"[0-9a-fA-F]{64}", sha256)
    return Stated(
        Digest(str(sha256).lower()) if whole else None,
        size if isinstance(size, int) and not isinstance(size, bool) else None,
        md5.lower() if isinstance(md5, str) and re.fullmatch(r"[0-9a-fA-F]{32}", md5) else None,
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
