"""Layers of bytecode: a wheel's modules are compiled once and kept as a tar, from which layers are put together."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

from repro.conda.records import PYTHON
from repro.digest import Digest
from repro.garbage import no_collection
from repro.lock import Encoding
from repro.oci.bodies import Inline
from repro.oci.entry import Body, Entry
from repro.oci.image import Image
from repro.oci.streams import open_plain
from repro.plan import BuildPlan, Compile, CondaLink, Content, Layer, Supplies, Wheel
from repro.plan.bytecode import compiled_sources
from repro.plan.compile_worker import MOST_SOURCE
from repro.plan.conda import conda_python
from repro.plan.versions import minor_version
from repro.progress import Task
from repro_oci.bytecode import Compiler
from repro_oci.cache import CachedLayer
from repro_oci.image_python import Command, base_python, check_machine, linked_python, packed_python
from repro_oci.items import contents, item_entries, tar_entries
from repro_oci.jobs import keep
from repro_oci.keys import items_key, packed_tar, python_key
from repro_oci.site import Site

_BUNDLE: Encoding = "tar"
_AT_A_TIME = 2
"""Wheels whose bytecode is in memory; more would only take more of it."""


def comparable(entries: Sequence[Entry]) -> list[Entry]:
    """The same, where several packages bring a file with its digest: old namespace packages share an `__init__.py`."""
    times = Counter(entry.path for entry in entries if entry.body is not None)
    return [
        replace(entry, body=Inline(b"".join(entry.body.plain())))
        if entry.body is not None and times[entry.path] > 1
        else entry
        for entry in entries
    ]


class Bytecode:
    """Compiles what isn't in the cache; the image's interpreter is only fetched and started for that.

    Use it with `with`: the compiling processes end with the block.
    """

    def __init__(self, plan: BuildPlan, base: Image, supplies: Supplies, site: Site) -> None:
        self._plan = plan
        self._base = base
        self._identity = Digest.of(base.config)
        self._supplies = supplies
        self._site = site
        self._compiler: Compiler | None = None
        self._task: Task | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._compiler is not None:
            self._compiler.__exit__(kind, error, trace)
        if self._task is not None and error is None:
            self._task.finish()

    def entries(self, layer: Layer) -> list[Entry]:
        """The .pyc files of a layer.

        Raises:
            IntegrityError: A wheel can't be trusted.
            InfrastructureError: The image's Python can't be had here, or failed.
        """
        items = [item for item in layer.items if isinstance(item, Compile)]
        with no_collection():
            return comparable([entry for found in self._found(items) for entry in found])

    def _found(self, items: Sequence[Compile]) -> list[list[Entry]]:
        """While the bytecode of one is written down, the compiling processes work for another."""
        pool = ThreadPoolExecutor(_AT_A_TIME, "bytecode")
        try:
            return list(pool.map(self._of_item, items))
        except BaseException as error:
            self.__exit__(type(error), error, None)  # nobody waits for an answer any longer
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _of_item(self, item: Compile) -> list[Entry]:
        bundle = self._bundle(item)
        content = Content(bundle.blob.digest, bundle.blob.size, f"bytecode of {name_of(item)}")
        return tar_entries(bundle.path, content)

    def _bundle(self, item: Compile) -> CachedLayer:
        key = items_key([item], self._plan, self._identity, _BUNDLE)
        found = self._site.layers.get(key)
        if found is not None and Digest.of_file(found.path) == found.blob.digest:
            return found
        return keep(key, self._compile(item), _BUNDLE, self._site.layers)

    def _compile(self, item: Compile) -> list[Entry]:
        minor = minor_version(self._plan.python_version)
        with self._turn:
            files = self._supplies.bring(contents([item.source]))
        found = item_entries(item.source, files, minor)
        bodies = _bodies(found)
        chosen = [path for path in compiled_sources(bodies, item, minor) if bodies[path].size <= MOST_SOURCE]
        sources: Sequence[tuple[str, Body]] = [(path, bodies[path]) for path in chosen]
        made = self._running().compile(sources, name_of(item)) if sources else []
        with self._turn:
            if self._task is not None:
                self._task.advance(len(sources), name_of(item))
        return made

    def _running(self) -> Compiler:
        with self._turn:
            if self._compiler is None:
                self._task = self._site.progress.start("compiling modules")
                self._compiler = Compiler(self._command(), version=self._version(), workers=self._site.workers)
                self._compiler.__enter__()
        return self._compiler

    def _version(self) -> str:
        """Of the interpreter that compiles: the base's own, where another patch version was allowed."""
        conda = conda_python(self._plan)
        if conda is not None:
            return conda.package.version
        supplied = None if packed_tar(self._plan) else self._plan.base.python
        return supplied or self._plan.python_version

    def _command(self) -> Command:
        check_machine(self._plan.target)
        packed, conda = packed_tar(self._plan), conda_python(self._plan)
        minor = minor_version(self._plan.python_version)
        if conda is not None:
            files = self._supplies.bring(contents([conda]))
            key = python_key(self._plan, self._identity)
            return linked_python(lambda: item_entries(conda, files, minor), key, minor, self._site.directory)
        if packed is not None:
            path = self._supplies.bring([packed.sha256])[packed.sha256]
            return packed_python(path, packed.sha256, minor, self._site.directory)
        numbers = range(len(self._base.layers))
        return base_python(
            lambda: (open_plain(self._base, number) for number in numbers),
            self._identity.hex,
            self._plan.python,
            self._site.directory,
        )


def _bodies(entries: Sequence[Entry]) -> dict[str, Body]:
    """Contents of files by absolute path, those of hard links among them."""
    files = {entry.path: entry.body for entry in entries if entry.kind == "file" and entry.body is not None}
    links = {entry.path: files[entry.target] for entry in entries if entry.kind == "hardlink" and entry.target in files}
    return {f"/{path}": body for path, body in {**files, **links}.items()}


def name_of(item: Compile) -> str:
    """What is compiled, for people."""
    match item.source:
        case Wheel(package):
            return package
        case CondaLink(package) if package.name != PYTHON:
            return package.name
        case _:
            return "the standard library"
