"""Places outside of the project that a run may read from: named by its sources or settings, or listed while it runs."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.capture.outside import Outside
from repro.capture.snapshot import entries, subfolders
from repro.capture.static_inputs import named_places
from repro.realpaths import expanded

_SETTINGS = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".env", ".properties")
_LARGEST_SETTINGS = 1 << 16
_MOST_SETTINGS = 200
_PATH = re.compile(r"""(?:^|[\s"'=:,\[(])((?:~|\.\.|/[^\s"'/]+)/[^\s"',\])]*)""", re.MULTILINE)
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - only asked about, never written to


def _all_count(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Beyond:
    """Where else to look.

    Attributes:
        places: Absolute paths of files and folders; folders stand for all below them.
        counts: Whether a place is worth watching: neither the system's, nor the environment's, nor everybody's.
    """

    places: tuple[str, ...] = ()
    counts: Callable[[str], bool] = _all_count


def places_beyond(
    sources: Iterable[str], root: Path, workdir: Path, outside: Outside, environ: Mapping[str, str]
) -> Beyond:
    """The places that a run's sources and the project's settings name.

    Args:
        sources: Text of each cell or of the script; the local modules that they import are read, too.
        root: Project root, absolute, links resolved.
        workdir: Working directory of the run, absolute.
        outside: What belongs to the environment and the system.
        environ: Variables of the run, whose values the sources may take paths from.
    """
    general = {os.path.realpath(place) for place in (*_TEMPORARY, tempfile.gettempdir(), Path.home(), os.sep)}

    def counts(place: str) -> bool:
        return not outside.belongs(place) and os.path.realpath(place) not in general

    named = {*named_places(sources, root, workdir, environ), *_settings(root, workdir)}
    return Beyond(tuple(sorted(place for place in named if counts(place))), counts)


def _settings(root: Path, workdir: Path) -> Iterator[str]:
    """Paths that lead out of the project in small files of settings; relative ones from there and the run's folder."""
    for file in _settings_files(root):
        try:
            text = file.read_text(encoding="utf-8", errors="ignore") if file.stat().st_size <= _LARGEST_SETTINGS else ""
        except OSError:
            continue
        for found in _PATH.findall(text):
            for base in {file.parent, workdir}:
                path = os.path.normpath(base / expanded(found))
                if os.path.exists(path):  # noqa: PTH110 - text stays text
                    yield path


def _settings_files(root: Path) -> Iterator[Path]:
    folders, count = [os.fspath(root)], 0
    while folders and count < _MOST_SETTINGS:
        folder = folders.pop(0)
        for entry in entries(folder):
            if entry.name.endswith(_SETTINGS) and entry.is_file(follow_symlinks=False):
                count += 1
                yield Path(entry.path)
        folders += [entry.path for entry in subfolders(folder)]


class Listings:
    """Folders that Python code of a run lists, read from its trace while it is written."""

    def __init__(self, trace: Path) -> None:
        self._trace = os.fspath(trace)
        self._read: dict[str, int] = {}
        self._known: set[str] = set()

    def new(self) -> list[str]:
        """Those that were not there when this was last asked. Lines that are not whole yet come with the next turn."""
        found = [one for entry in entries(self._trace) for one in self._of(entry.path)]
        fresh = [one for one in dict.fromkeys(found) if one not in self._known]
        self._known.update(fresh)
        return fresh

    def _of(self, path: str) -> Iterator[str]:
        start = self._read.get(path, 0)
        try:
            with open(path, "rb") as stream:  # noqa: PTH123 - many times a second
                stream.seek(start)
                data = stream.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read[path] = start + len(whole)
        for line in whole.splitlines():
            if b'"k":"list"' in line:
                yield str(json.loads(line)["p"])
