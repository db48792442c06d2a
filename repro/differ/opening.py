"""Which side a word on the command line means: a lock, an image, a revision in git, or a project as it is now."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repro.differ.contents import at_revision, first_of, in_folder, in_git, in_layers, locked_contents, read_at
from repro.differ.images import engine_image, located_image
from repro.differ.model import Side
from repro.differ.named import ENDINGS, load_named
from repro.differ.state import State, locked_state
from repro.differ.tree import TreeOptions, read_tree
from repro.digest import Digest
from repro.engines.model import Engine
from repro.errors import UsageError
from repro.lock import lock_body, parse_lock
from repro.oci.locations import is_location
from repro.plan import layout
from repro.progress import Progress

_GIT = "git:"
_LAYOUT = "oci-layout"
_NAME = "repro.lock"
_ARCHIVE = ".tar"
_PATHS = ("/", "./", "../", "~")  # names of images don't begin so
_SIDES = "Name a lock, a directory with one, git:REVISION, or an image; `repro diff --help` lists them."


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens sides.

    Attributes:
        engine: Gives the engine, where a word means an image of one.
        nearest: Gives the lock of the project that one is in.
        options: How to look at working trees.
        progress: Told of long work.
    """

    engine: Callable[[], Engine]
    nearest: Callable[[], Path]
    options: TreeOptions
    progress: Progress

    def open(self, word: str | None) -> State:
        """One side.

        Args:
            word: A lock file; `git:REVISION[:PATH]`; an image in an engine, `oci:DIR[:NAME]`, `oci-archive:FILE`,
                `docker-archive:FILE` or the path of one; a directory with a project; None for the nearest project.

        Raises:
            UsageError: There is no such thing.
            IntegrityError: Its lock can't be read.
        """
        if word is None:
            return self._tree(self.nearest(), "working tree")
        if not word:
            raise UsageError("the name of one side is empty", fix=_SIDES)
        if word.startswith(_GIT):
            return self._revision(word)
        path = Path(word)
        if path.is_dir() and not (path / _LAYOUT).exists():
            return self._tree(path / _NAME, word)
        if word.startswith(_PATHS) and not path.exists():
            raise UsageError("there is nothing there", where=word, fix=_SIDES)
        located = is_location(word) or path.is_dir() or (path.is_file() and path.suffix == _ARCHIVE)
        if not located and (path.is_file() or word.endswith(ENDINGS)):
            return self._lock(path, word)
        body, contents = located_image(word) if located else engine_image(word, self.engine())
        lock = parse_lock(body, where=f"{layout.LOCK} in {word}", progress=self.progress)
        return locked_state(Side(word, "image", _digest(body)), lock, first_of([contents]))

    def _tree(self, path: Path, name: str) -> State:
        lock, body = load_named(path, self.progress)
        root = path.resolve().parent
        return read_tree(root, lock, Side(name, "tree", _digest(body)), self.options, self.progress).state

    def _lock(self, path: Path, name: str) -> State:
        lock, body = load_named(path, self.progress)
        side = Side(name, "lock", _digest(body))
        return locked_state(side, lock, locked_contents(path.resolve().parent, lock))

    def _revision(self, word: str) -> State:
        """A lock as a revision has it, the nearest one's by default; a path is relative to where one is."""
        revision, _, named = word.removeprefix(_GIT).partition(":")
        here = Path.cwd()
        path = named or self._own(here)
        data = read_at(here, revision, path if path.startswith(("./", "../")) else f"./{path}")
        if data is None or not revision:
            raise UsageError(
                f"git has no {path.removeprefix('./')} there",
                where=word,
                fix=f"Write {_GIT}REVISION or {_GIT}REVISION:PATH, such as {_GIT}main, in the repository.",
            )
        lock = parse_lock(data, where=word, progress=self.progress)
        root = (here / path).resolve().parent
        at = at_revision(root, revision)
        contents = first_of([at, in_folder(root), in_layers(lock), in_git(root)])
        return locked_state(Side(word, "lock", _digest(lock_body(data))), lock, contents)

    def _own(self, here: Path) -> str:
        """The path of the nearest lock; that of one here where none is."""
        try:
            return Path(os.path.relpath(self.nearest(), here)).as_posix()
        except (UsageError, ValueError):  # another drive
            return _NAME


def _digest(body: bytes) -> str:
    return str(Digest.of(body))
