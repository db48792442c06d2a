"""What an engine can do for us: look at an image, read a file out of it, run it sealed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine answered, for reports and `repro doctor`.

    Attributes:
        name: "docker", "podman" or "bubblewrap".
        version: Its version.
        endpoint: Where it answered, such as `unix:///var/run/docker.sock`.
        source: How it was found: `DOCKER_HOST`, `docker context NAME`, `default socket`, `podman socket`.
        platform: Platform that it runs, such as `linux/amd64`.
        storage: Storage driver.
        cpus: CPUs it may use.
        memory: Bytes it may use.
    """

    name: str
    version: str
    endpoint: str
    source: str
    platform: str
    storage: str
    cpus: int
    memory: int


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image as the engine describes it.

    Attributes:
        id: `sha256:…`, the config digest on graph-driver stores, the manifest digest on the containerd store.
        tags: Names it has there.
        repo_digests: `name@sha256:…` under which it is known to registries.
        platform: `os/architecture`.
        labels: From its configuration.
        env: From its configuration.
        user: From its configuration.
        entrypoint: From its configuration.
        diff_ids: Digests of its uncompressed layers, base first.
        size: Bytes.
        cmd: From its configuration: arguments of the entry point where a run names none.
    """

    id: str
    tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    platform: str
    labels: Mapping[str, str]
    env: Mapping[str, str]
    user: str
    entrypoint: tuple[str, ...]
    diff_ids: tuple[str, ...]
    size: int
    cmd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """Files and directories of this machine that a run sees, read-only.

    Attributes:
        at: Absolute path of a directory that is empty in the image.
        parts: Path below it, "" for the directory itself → what is there: absolute paths, links resolved.
    """

    at: PurePosixPath
    parts: Mapping[str, Path]

    def places(self) -> Iterator[tuple[PurePosixPath, Path]]:
        """Each path in the sandbox with the one here, a directory before what is in it."""
        return ((self.at / part, self.parts[part]) for part in sorted(self.parts))


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One sealed run of an image: no network, read-only root, no capabilities, no new privileges.

    Attributes:
        image: Image ID, so that a moved tag can't change what runs.
        args: Arguments after the image's entrypoint; the image's own (CMD) never apply.
        writable: Absolute paths that get fresh, disk-backed, throw-away storage.
        collect: One of `writable`, whose files are copied out when the run ends, or None.
        timeout: Seconds after which it is killed.
        memory: Bytes, swap included, or None.
        pids: Most processes and threads at once.
        user: `uid:gid` instead of the image's, or None.
        env: Variables set on top of the image's.
        shown: What else it sees, or None.
    """

    image: str
    args: tuple[str, ...] = ()
    writable: tuple[PurePosixPath, ...] = ()
    collect: PurePosixPath | None = None
    timeout: float | None = None
    memory: int | None = None
    pids: int = 4096
    user: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        exit_code: Of its first process; None when it was killed for time.
        oom_killed: The kernel killed something in it for want of memory.
        timed_out: It ran into `RunSpec.timeout`.
        seconds: Wall-clock duration.
        log: The end of what it printed, both streams.
        collected: Directory on this machine with the collected files (caller's to remove), or None.
    """

    exit_code: int | None
    oom_killed: bool
    timed_out: bool
    seconds: float
    log: str
    collected: Path | None


class Engine(Protocol):
    """A container engine."""

    def info(self) -> EngineInfo:
        """Describe it. Raises InfrastructureError when it has stopped answering."""
        ...

    def image(self, reference: str) -> ImageInfo | None:
        """The image with this name, digest or ID (also abbreviated), or None when the engine doesn't have it."""
        ...

    def images_with_label(self, label: str) -> list[ImageInfo]:
        """Tagged images that carry this label, newest first."""
        ...

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        """Regular files at or below `path` in an image, by POSIX path relative to it (`""` when it is a file itself).

        Nothing is run. Raises UsageError when there is no such path.
        """
        ...

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        """Run an image to its end, removing the container and its storage whatever happens, Ctrl-C included.

        `on_output` receives each line it prints, as it comes. Raises InfrastructureError when the engine fails.
        """
        ...
