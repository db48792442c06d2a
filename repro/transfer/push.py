"""An image into a registry (distribution-spec, "Push"): what is there already is only asked for, never opened."""

import functools
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar

from repro.digest import Digest
from repro.oci.blobs import Blob, Stored, stored
from repro.oci.image import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST, Image
from repro.progress import Progress, Task
from repro.registry import ImageName, Registry
from repro.registry.upload import PUSH, check_digest, expect, mount, upload

_WORKERS = 4
_POLL = 0.5  # seconds between looks at Ctrl-C
_NOT_FOUND = 404
_MANIFESTS = (INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)
_T = TypeVar("_T")


def push(
    images: Image | Sequence[Image],
    name: ImageName,
    *,
    registry: Registry,
    mount_from: Sequence[ImageName] = (),
    progress: Progress,
) -> Digest:
    """Bring an image, or one for each of several platforms, into a repository.

    Layers first, four at a time; then the configurations and manifests; the name last, so that it never leads to
    anything incomplete. Where all of it is there, nothing is written.

    Args:
        images: What to push.
        name: Where to; without a tag the image can be had by its digest only.
        registry: The client.
        mount_from: Names of images that layers may be shared with; those in the same registry are made use of.
        progress: Told of bytes.

    Returns:
        The digest of the manifest, or of the index of several platforms.

    Raises:
        UsageError: Two images are for the same platform.
        IntegrityError: A layer is not what its manifest says, or the registry stored something else.
        InfrastructureError: The registry can't be reached or refuses, or a layer can't be had.
    """
    several = list(images) if isinstance(images, Sequence) else [images]
    what = stored(several)
    job = _Push(registry, name, _sources(name, mount_from))
    content = [blob for blob in what.blobs if blob.descriptor.media_type not in _MANIFESTS]
    missing = [blob for blob, there in zip(content, job.each(job.has, content), strict=True) if not there]
    if missing:
        task = progress.start(f"Pushing to {name.registry}", sum(blob.size for blob in missing), "bytes")
        job.each(functools.partial(job.bring, task), missing)
        task.finish()
    job.finish(what)
    return what.root.digest


def _sources(name: ImageName, others: Iterable[ImageName]) -> tuple[ImageName, ...]:
    found = {other.repository: other for other in others if other.registry == name.registry}
    found.pop(name.repository, None)
    return tuple(found.values())


class _StoppedError(Exception):
    """Ends an upload after Ctrl-C or another's failure; never leaves this module."""


@dataclass(frozen=True, slots=True)
class _Push:
    registry: Registry
    name: ImageName
    sources: tuple[ImageName, ...]
    stopped: threading.Event = field(default_factory=threading.Event)

    def each(self, work: Callable[[Blob], _T], blobs: Sequence[Blob]) -> list[_T]:
        """Do something with every blob, several at a time; the first failure ends the others."""
        with ThreadPoolExecutor(_WORKERS, "push") as pool:
            futures = [pool.submit(work, blob) for blob in blobs]
            try:
                pending = set(futures)
                while pending:
                    done, pending = wait(pending, _POLL, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            except BaseException:
                self.stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def has(self, blob: Blob) -> bool:
        """Whether the repository has a blob."""
        with self.registry.send("HEAD", self.name, f"blobs/{blob.sha256}", actions=PUSH) as answer:
            if answer.status_code != _NOT_FOUND:
                expect(answer, self.name)
            return answer.ok

    def bring(self, task: Task, blob: Blob) -> None:
        """Bring a blob into the repository: from another repository, else from here."""
        self._check()
        location = mount(self.registry, self.name, blob, self.sources) if self.sources else None
        if self.sources and location is None:
            task.advance(blob.size, blob.sha256.short)
            return

        def advance(amount: int) -> None:
            self._check()
            task.advance(amount, blob.sha256.short)

        upload(self.registry, self.name, blob, location=location, advance=advance, pause=self.stopped.wait)

    def finish(self, what: Stored) -> None:
        """Have the repository list the documents: those of platforms by digest, what is above them by name."""
        documents = [blob for blob in what.blobs if blob.descriptor.media_type in _MANIFESTS]
        for blob in documents:
            if blob.sha256 != what.root.digest:
                self._list(blob, str(blob.sha256))
        root = next(blob for blob in documents if blob.sha256 == what.root.digest)
        self._list(root, self.name.tag or str(root.sha256))

    def _list(self, blob: Blob, reference: str) -> None:
        path, kind = f"manifests/{reference}", blob.descriptor.media_type
        with self.registry.send("HEAD", self.name, path, headers={"Accept": kind}, actions=PUSH) as there:
            if there.ok and there.headers.get("Docker-Content-Digest") == str(blob.sha256):
                return
        data = b"".join(blob.plain())
        answer = self.registry.send("PUT", self.name, path, headers={"Content-Type": kind}, data=data, actions=PUSH)
        check_digest(expect(answer, self.name), str(blob.sha256), self.name)

    def _check(self) -> None:
        if self.stopped.is_set():
            raise _StoppedError
