"""What a container prints, as lines."""

import codecs
from collections.abc import Iterator

LOG_LINES = 400
"""Most lines of output that a `RunOutcome` quotes."""

_LONGEST_LINE = 1 << 16


class Lines:
    """Bytes of one stream → lines; characters and lines may be cut anywhere between two pieces."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[str]:
        """The lines that are complete now; with `final`, the unfinished one too."""
        *lines, self._rest = (self._rest + self._decode(data, final)).split("\n")
        if self._rest and (final or len(self._rest) > _LONGEST_LINE):
            lines.append(self._rest)
            self._rest = ""
        return (line.removesuffix("\r") for line in lines)
