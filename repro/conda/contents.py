"""Contents of a package's files as they are linked: with the prefix replaced, and with digests that are known."""

import mmap
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Self

from repro.conda.paths import PackagePath
from repro.conda.payload import Part, Payload
from repro.conda.prefix import replaced_strings, replaced_text
from repro.conda.tarball import Member
from repro.errors import IntegrityError


class Contents:
    """Gives them while its block lasts; what it gave lasts longer.

    Args:
        prefix: What comes in place of the one that packages were built in.
    """

    def __init__(self, prefix: PurePosixPath) -> None:
        self._new = str(prefix).encode()
        self._maps: dict[int, mmap.mmap] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for mapped in self._maps.values():
            mapped.close()

    def of(self, source: PackagePath, member: Member) -> Part:
        """A file's content. Raises IntegrityError when its prefix can't be replaced, or it isn't what was stated."""
        part = member.body
        assert part is not None  # noqa: S101 - for the type checker: it is a file
        if source.sha256 is None:
            part = part.payload.part(part.offset, part.size, part.label)
        else:
            part = replace(part, sha256=source.sha256)
        if source.placeholder is None or part.size == 0:
            return part
        old = source.placeholder.encode()
        if source.binary and len(self._new) > len(old):
            raise IntegrityError(
                f"it was built in {source.placeholder}, in place of which {self._new.decode()} doesn't fit",
                where=part.label,
            )
        for _ in part.plain():
            pass  # its digest is compared
        data = self._mapped(part.payload)
        make = replaced_strings if source.binary else replaced_text
        return part.payload.append(make(data, part.offset, part.offset + part.size, old, self._new), part.label)

    def _mapped(self, payload: Payload) -> mmap.mmap:
        key = id(payload)
        if key not in self._maps:
            self._maps[key] = payload.mapped()
        return self._maps[key]
