"""bubblewrap as an engine: its images are files, and every run is a process of ours."""

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from repro.cpus import usable_cpus
from repro.engines.bubblewrap.images import Found, all_images, find_image, image_info, settings
from repro.engines.bubblewrap.inside import read_below
from repro.engines.bubblewrap.program import Program, check_program, find_program
from repro.engines.bubblewrap.run import run_image
from repro.engines.model import EngineInfo, ImageInfo, RunOutcome, RunSpec
from repro.errors import InfrastructureError
from repro.oci.rootfs import rootfs
from repro.oci.stores import image_stores
from repro.runner.cgroup import memory_limit

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def find_bubblewrap(
    source: str, environ: Mapping[str, str] = os.environ, start: Path | None = None
) -> "BubblewrapEngine":
    """The engine, if this machine has a bubblewrap that works.

    Args:
        source: Why it was looked for, for `EngineInfo.source`.
        environ: Where PATH is.
        start: The nearest project at or above it is where images are looked for; the current directory otherwise.

    Raises:
        InfrastructureError: There is none, or it can't work here; says what to do about it.
    """
    program = find_program(environ)
    check_program(program)
    return BubblewrapEngine(program, source=source, start=start or Path.cwd())


class BubblewrapEngine:
    """Runs images of OCI layouts and archives (see `repro.engines.model.Engine`)."""

    def __init__(self, program: Program, *, source: str, start: Path) -> None:
        self._program = program
        self._source = source
        self._start = start
        self._platform = f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
        self._seen: dict[str, Found] = {}
        self._checked: set[str] = set()

    def info(self) -> EngineInfo:
        """Describe it; CPUs and memory are this process's own."""
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return EngineInfo(
            name="bubblewrap",
            version=self._program.version,
            endpoint=self._program.path,
            source=self._source,
            platform=self._platform,
            storage="directory",
            cpus=usable_cpus(),
            memory=min(machine, memory_limit() or machine),
        )

    def image(self, reference: str) -> ImageInfo | None:
        """The image of a layout, an archive or a store (see `find_image`), or None.

        Raises UsageError when the reference names a place that hasn't the one image, IntegrityError when it is damaged.
        """
        found = self._find(reference)
        return None if found is None else image_info(found)

    def images_with_label(self, label: str) -> list[ImageInfo]:
        """Images of the stores that carry this label, newest first."""
        every = {found.id: found for found in all_images(image_stores(self._start), self._platform)}
        described = [(settings(found.image, found.id).created, image_info(found)) for found in every.values()]
        newest = sorted(described, key=lambda item: (item[0], item[1].id), reverse=True)
        return [info for _, info in newest if label in info.labels]

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        """Regular files at or below `path` in an image, by POSIX path relative to it (`""` when it is a file itself).

        Nothing is run. The image is unpacked if it isn't yet: a run needs that anyway. Raises UsageError when there is
        no such path.
        """
        found = self._known(image)
        with self._rootfs(found) as root:
            return read_below(root, path, image)

    def run(self, spec: RunSpec, on_output: Callable[[str], None] | None = None) -> RunOutcome:
        """Run an image to its end; whatever happens, Ctrl-C included, no process and no directory is left.

        `on_output` receives each line it prints, as it comes. Raises InfrastructureError when bubblewrap fails.
        """
        found = self._known(spec.image)
        with self._rootfs(found) as root:
            return run_image(self._program.path, root, found, spec, on_output)

    @contextlib.contextmanager
    def _rootfs(self, found: Found) -> Iterator[Path]:
        """Its layers are read, to check them, once in the life of this object."""
        with rootfs(found.image, check=found.id not in self._checked) as root:
            self._checked.add(found.id)
            yield root

    def _find(self, reference: str) -> Found | None:
        found = self._seen.get(reference) or find_image(reference, self._platform, image_stores(self._start))
        if found is not None and self._seen.get(found.id) is not found:
            self._seen[found.id] = found
            self._checked.discard(found.id)
        return found

    def _known(self, reference: str) -> Found:
        found = self._find(reference)
        if found is None:
            raise InfrastructureError("there is no such image", where=reference)
        return found
