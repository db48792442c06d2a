"""Where paths really lead: `~` in what people wrote, and links, asked for very many files."""

import os
from pathlib import Path

_UNCLEAR = ("", os.curdir, os.pardir)


def expanded(text: "str | os.PathLike[str]") -> Path:
    """A path with `~` or `~user` at its start made a folder; left alone where there is no such user, as shells do.

    `Path.expanduser` raises there, and a text like `~ C(region)` is a formula more often than a path.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111 - for the reason above


class RealPaths:
    """Real paths of files. Each folder is looked up once, so none must be moved while this is in use."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        """What `os.path.realpath` says of an absolute path."""
        folder, name = os.path.split(path)
        if name in _UNCLEAR:
            return os.path.realpath(path)
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
        file = os.path.join(real, name)  # noqa: PTH118 - text stays text, as it is quicker
        return os.path.realpath(file) if os.path.islink(file) else file  # noqa: PTH114 - likewise
