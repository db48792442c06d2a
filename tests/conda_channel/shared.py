"""Channels that are made once and used by all tests of a machine, and the environment of a laptop."""

import contextlib
import hashlib
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.conda_channel.channel import PINS, write_channel, write_private_channel
from tests.conda_channel.compiled import MINOR
from tests.conda_channel.environments import make_environment
from tests.conda_channel.styles import rewrite_as_conda

LAPTOP_SPECS = (f"python={MINOR}", "scikit-learn", "pandas", "ipykernel", "pip")
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Channels:
    """Two channels in one folder.

    Attributes:
        folder: Holds `main` and `private`; what a server serves.
    """

    folder: Path

    @property
    def main(self) -> Path:
        """Python, scikit-learn, ipykernel and all that they need, and the small ones of `demo`."""
        return self.folder / "main"

    @property
    def private(self) -> Path:
        """A team's own package, `ourlib`."""
        return self.folder / "private"

    @property
    def url(self) -> str:
        """The main channel without a server."""
        return self.main.as_uri()

    @property
    def cache(self) -> Path:
        """Packages that were unpacked before, for `make_environment`."""
        return self.folder.parent / "cache"


def shared_channels(base: Path) -> Channels:
    """The channels for this interpreter, made if they aren't there yet.

    Args:
        base: A folder that the processes of a test run share. What is there from an earlier run with the same sources
            is used again.
    """
    folder = base / f"repro-conda-{_key()}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        os.utime(folder)
        _forget_unused(base)
        channels = folder / "channels"
        if not channels.exists():
            unfinished = _empty(folder / "unfinished")
            write_channel(unfinished / "main", _empty(folder / "wheels"))
            write_private_channel(unfinished / "private")
            unfinished.rename(channels)
            shutil.rmtree(folder / "wheels")
    return Channels(channels)


def make_laptop(channels: Channels, channel_url: str, prefix: Path) -> None:
    """A data scientist's environment, as `conda create` leaves it. Its files are the cache's: never write into one."""
    make_environment(channel_url, LAPTOP_SPECS, prefix, channels.cache)
    rewrite_as_conda(prefix)


def _forget_unused(base: Path) -> None:
    """Remove what was made of other sources and not used since yesterday."""
    for folder in base.glob("repro-conda-*"):
        with contextlib.suppress(FileNotFoundError):  # another test run may be removing the same
            if time.time() - folder.stat().st_mtime > _DAY:
                shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _key() -> str:
    """Another folder for other sources of the channel, another interpreter, or another user."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), PINS]
    parts = [*(path.read_bytes() for path in sources if not path.name.startswith("test_")), sys.version.encode()]
    parts += [sys.base_prefix.encode(), str(os.getuid()).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
