"""Compiles sources to canonical bytecode: run by an image's own interpreter and fed through a pipe by `compile_client`.

Standard library only, Python 3.8 to 3.14. What `marshal` writes depends on what is interned, on reference counts and on
hash seeds, hence on all that the process did before (https://github.com/python/cpython/issues/78274). Where it may
show, its output is read back as plain values, and written again by rules that know nothing but those values.
"""

from __future__ import annotations

import gc
import marshal
import sys
import warnings
from operator import attrgetter
from struct import Struct
from types import CodeType

TYPE_CHECKING = False  # importing that takes a third of the time to start
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    Node = bytes | tuple[bytes, tuple[int, ...]]
    Layout = tuple[int, int]

FIRST, LAST = (3, 8), (3, 14)
"""The Python versions whose marshal format is known here."""
REFUSED, NO_MEMORY = 5, 7
"""Exit codes: the interpreter, or something that it wrote, is not known (stderr says what); memory was short."""
MOST_SOURCE = 16 << 20
"""Bytes. Longer sources stay uncompiled everywhere: compiling takes up to 430 times their size of memory."""
NO_BYTECODE = 0xFFFFFFFF
"""Stands where an answer's length would be when the source doesn't compile."""
NUMBER = Struct("<I")
"""Every number in the pipe."""

_ROOM, _ROOM_PER_BYTE = 64 << 20, 512
_unpack = NUMBER.unpack_from
_UNCHECKED_HASH = NUMBER.pack(0b01)
_REFERENCE, _BYTES, _CODE, _FROZENSET, _INT = b"rsc>l"
_FIXED = {**dict.fromkeys(b"NFT.", 0), **dict.fromkeys(b"i", 4), **dict.fromkeys(b"g", 8), **dict.fromkeys(b"y", 16)}
"""Leaf type → bytes after it."""
_SHORT, _LONG = b"zZ", b"sutaA"
"""Leaves whose size takes one byte, or four."""
_SIZED = {**dict.fromkeys(b":", 0), **dict.fromkeys(b")", 1), **dict.fromkeys(b"(>", 4)}
"""Container type → bytes of its size; a slice always has three members."""
_INTERNED = {**dict.fromkeys(b"zZ", b"Z"), **dict.fromkeys(b"aA", b"A"), **dict.fromkeys(b"ut", b"t")}
_PLAIN = {**dict.fromkeys(b"zZ", b"z"), **dict.fromkeys(b"aA", b"a"), **dict.fromkeys(b"ut", b"u")}
_TYPE = [bytes((number & 0x7F,)) for number in range(256)]
_FLAG = 0x80  # on a type: this object gets the next number, which references name
_SLICE = 3
_TWO = 2
_BEFORE_LINE = 8  # a code object's members that come before co_firstlineno
_OLD_LINES = {"co_lnotab"} if hasattr(CodeType, "co_linetable") else set()  # deprecated where there is a better one
_plain_parts = attrgetter(
    *(
        name
        for name in dir(CodeType)
        if name.startswith("co_") and name not in {"co_consts", *_OLD_LINES} and not callable(getattr(CodeType, name))
    )
)
"""Of a code object: all but the constants."""
_UNDERSTOOD = (3, 11, 2) <= sys.version_info[:3] < (3, 14) and "t" not in getattr(sys, "abiflags", "")
"""Whether it is known how the past shows: these sort sets, and number every string that is interned."""
_SINGLES = frozenset(map(sys.intern, ("", *map(chr, range(256)))))
"""Strings of which there is but one ever: whether anybody has interned them would show."""
_names = attrgetter("co_names", "co_varnames", "co_cellvars", "co_freevars")
_more_names = attrgetter("co_name", "co_filename", *(["co_qualname"] if sys.version_info >= (3, 12) else []))
"""Of a code object: texts that may be interned whatever they look like."""


class UnknownFormatError(Exception):
    """The interpreter writes something that isn't known here."""


def code_layout(implementation: str, version: tuple[int, ...]) -> Layout:
    """How many bytes of numbers a code object starts with, and how many members it has (Python/marshal.c)."""
    if implementation != "cpython" or not FIRST <= version[:2] <= LAST:
        found = ".".join(str(part) for part in version[:3])
        msg = f"bytecode of {implementation} {found} isn't known, only that of CPython 3.{FIRST[1]} to 3.{LAST[1]}"
        raise UnknownFormatError(msg)
    return (20, 10) if version >= (3, 11) else (24, 9)


def canonical(data: bytes, layout: Layout) -> bytes:
    """The stream that stands for the values of a stream of `marshal.dumps`, whoever wrote that.

    Every value is written once and referred to where it comes again; nothing else is numbered. Frozen sets are sorted.

    Raises:
        UnknownFormatError: It holds what no code object holds.
    """
    reader = _Reader(data, layout)
    (root,) = reader.read(1)
    return _Writer(reader.nodes).finish(root)


class _Reader:
    """Reads objects as values without identity: equal values are one node, which members of others are numbers of.

    A leaf's node is its encoding. A container's is its head and its members; co_firstlineno is part of the head.
    """

    def __init__(self, data: bytes, layout: Layout) -> None:
        self.nodes: list[Node] = []
        self._data = data
        self._at = 0
        self._layout = layout
        self._known: dict[Node, int] = {}
        self._references: list[int] = []

    def read(self, count: int) -> list[int]:
        """The nodes of the next objects. This is where the time goes."""
        data, references, known, nodes = self._data, self._references, self._known, self.nodes
        found: list[int] = []
        for _ in range(count):
            start = self._at
            kind = data[start]
            if kind == _REFERENCE:
                self._at = start + 5
                found.append(references[_unpack(data, start + 1)[0]])
                continue
            if kind & _FLAG:
                place = len(references)
                references.append(-1)  # numbers go by where objects begin, and this one isn't known before its end
                node = self._node(kind & ~_FLAG, start + 1)
                references[place] = number = known.setdefault(node, len(nodes))
            else:
                node = self._node(kind, start + 1)
                number = known.setdefault(node, len(nodes))
            if number == len(nodes):
                nodes.append(node)
            found.append(number)
        return found

    def _node(self, kind: int, start: int) -> Node:
        data = self._data
        if kind in _SHORT:
            end = self._at = start + 1 + data[start]
            return _string_type(kind, data[start + 1 : end]) + data[start:end]
        if kind in _FIXED:
            end = self._at = start + _FIXED[kind]
            return _TYPE[kind] + data[start:end]
        if kind in _LONG:
            end = self._at = start + 4 + NUMBER.unpack_from(data, start)[0]
            return (b"s" if kind == _BYTES else _string_type(kind, data[start + 4 : end])) + data[start:end]
        if kind == _INT:
            digits = int.from_bytes(data[start : start + 4], "little", signed=True)
            end = self._at = start + 4 + 2 * abs(digits)
            return b"l" + data[start:end]
        return self._code_object(start) if kind == _CODE else self._container(kind, start)

    def _container(self, kind: int, start: int) -> Node:
        if kind not in _SIZED:
            raise UnknownFormatError(f"marshal wrote an object of the unknown type {chr(kind)!r}")
        self._at = start + _SIZED[kind]
        size = self._data[start : self._at]
        members = self.read(int.from_bytes(size, "little") if size else _SLICE)
        if kind == _FROZENSET:
            members.sort(key=self._standing_alone)
        return _TYPE[kind] + size, tuple(members)

    def _code_object(self, start: int) -> Node:
        size, count = self._layout
        self._at = start + size
        members = self.read(_BEFORE_LINE)
        line = self._at
        self._at = line + 4
        members += self.read(count - _BEFORE_LINE)
        return b"c" + self._data[start : start + size] + self._data[line : line + 4], tuple(members)

    def _standing_alone(self, number: int) -> bytes:
        """A node's encoding without references: an order of values."""
        node = self.nodes[number]
        return node if isinstance(node, bytes) else node[0] + b"".join(map(self._standing_alone, node[1]))


def _string_type(kind: int, text: bytes) -> bytes:
    """Interned are strings that look like a name, as the compiler has it, and those of which there is but one ever.

    Whether others happened to be interned when `marshal` looked is what depends on the past.
    """
    single = len(text) < _TWO or (len(text) == _TWO and text[0] in b"\xc2\xc3")  # U+0000 to U+00FF as UTF-8
    return (_INTERNED if single or text.replace(b"_", b"0").isalnum() else _PLAIN)[kind]


class _Writer:
    """Writes nodes as a stream."""

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._parts: list[bytes] = []
        self._places: dict[int, int] = {}  # node → its part
        self._again: list[tuple[int, int]] = []  # part to come, and the node that it refers to

    def finish(self, root: int) -> bytes:
        """The stream of one node."""
        self._write((root,))
        parts, places = self._parts, self._places
        referred = sorted({places[node] for _, node in self._again})
        numbers = {place: b"r" + NUMBER.pack(number) for number, place in enumerate(referred)}
        for place in referred:
            parts[place] = bytes((parts[place][0] | _FLAG,)) + parts[place][1:]
        for place, node in self._again:
            parts[place] = numbers[places[node]]
        return b"".join(parts)

    def _write(self, members: tuple[int, ...]) -> None:
        parts, places = self._parts, self._places
        for number in members:
            if number in places:
                self._again.append((len(parts), number))
                parts.append(b"")
                continue
            node = self._nodes[number]
            if isinstance(node, bytes):
                if len(node) > 1:  # None, True, False and Ellipsis need no references
                    places[number] = len(parts)
                parts.append(node)
                continue
            places[number] = len(parts)
            self._container(*node)

    def _container(self, head: bytes, members: tuple[int, ...]) -> None:
        if head[0] != _CODE:
            self._parts.append(head)
            self._write(members)
            return
        self._parts.append(head[:-4])
        self._write(members[:_BEFORE_LINE])
        self._parts.append(head[-4:])
        self._write(members[_BEFORE_LINE:])


def bytecode(path: str, source: bytes, layout: Layout) -> bytes | None:
    """The .pyc of a source that will lie at `path`, or None where the interpreter can't compile it.

    As `py_compile` makes it (https://docs.python.org/3/library/py_compile.html), unchecked and hash-based (PEP 552).

    Raises:
        UnknownFormatError: What `marshal` wrote isn't known here.
        MemoryError: Memory is short.
    """
    from importlib.util import MAGIC_NUMBER, source_hash  # noqa: PLC0415 - dear, and refusing doesn't need it

    try:
        place = path.encode("utf-8").decode("utf-8")  # nobody has interned this one
        code = compile(source, place, "exec", dont_inherit=True)
    except MemoryError:  # the parser says so of a source that is too deep, too
        bytes(_ROOM + _ROOM_PER_BYTE * len(source))  # raises it again where there isn't what compiling may take
        return None
    except (SyntaxError, ValueError, OverflowError, RecursionError):
        return None
    try:
        written = marshal.dumps(code)
        if not (_UNDERSTOOD and _Parts(code).decided()):
            written = canonical(written, layout)
            _check(written, code)
    except (ValueError, OverflowError, RecursionError):
        return None
    return MAGIC_NUMBER + _UNCHECKED_HASH + source_hash(source) + written


def _check(written: bytes, code: CodeType) -> None:
    if not same(marshal.loads(written), code):  # noqa: S302 - written here
        msg = f"what was written for {code.co_filename} doesn't read back as what was compiled"
        raise UnknownFormatError(msg)


class _Parts:
    """What in code that was just compiled may show what the process did before, where `_UNDERSTOOD`.

    Then it matters only which equal parts are one object. The compiler decides, and knows nothing but the source, with
    two exceptions (Objects/codeobject.c): a name is replaced by an equal one that somebody has interned, a constant
    only when it looks like a name; and a set in which anything was replaced is made anew, for each function.
    """

    def __init__(self, code: CodeType) -> None:
        self._names: set[str] = set()
        self._texts: set[str] = set()
        self._sets: list[frozenset[object]] = []
        self._add_code(code)

    def decided(self) -> bool:
        """Whether neither exception can make a difference: an equal set elsewhere, a constant that is a name too."""
        return len(set(self._sets)) == len(self._sets) and all(map(_always_interned, self._names & self._texts))

    def _add_code(self, code: CodeType) -> None:
        self._names.update(_more_names(code), *_names(code))
        self._add(code.co_consts)

    def _add(self, values: Iterable[object]) -> None:
        for value in values:
            if isinstance(value, str):
                self._texts.add(value)
            elif isinstance(value, CodeType):
                self._add_code(value)
            elif isinstance(value, (tuple, frozenset)):
                self._add(value)
                if isinstance(value, frozenset):
                    self._sets.append(value)


def _always_interned(text: str) -> bool:
    """Whether the compiler interns a text wherever it stands."""
    return text in _SINGLES or (text.isascii() and text.replace("_", "0").isalnum())


def same(one: object, other: object) -> bool:
    """Whether two constants are equal, and of the same types.

    Not by `==`, which takes twice as long for every function inside of another: it compares their constants twice.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return bool(_plain_parts(one) == _plain_parts(other)) and same(one.co_consts, other.co_consts)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other) if isinstance(one, (float, complex)) else one == other  # 0.0 == -0.0


def serve(requests: BinaryIO, answers: BinaryIO, layout: Layout) -> None:
    """Answer requests until there are no more: how many sources, then a path and a source each, each after its length.

    A request is read as a whole first. Answers go out one by one, so that it shows which source there is none for.
    """
    while (size := requests.read(NUMBER.size)) and len(size) == NUMBER.size:
        (count,) = NUMBER.unpack(size)
        batch = [(_read_block(requests), _read_block(requests)) for _ in range(count)]
        for path, source in batch:
            if path is None or source is None:
                return
            made = bytecode(path.decode("utf-8"), source, layout)
            answers.write(NUMBER.pack(NO_BYTECODE) if made is None else NUMBER.pack(len(made)) + made)
            answers.flush()


def _read_block(stream: BinaryIO) -> bytes | None:
    """The next block, None where the stream ends."""
    size = stream.read(NUMBER.size)
    if len(size) < NUMBER.size:
        return None
    (length,) = NUMBER.unpack(size)
    data = stream.read(length)
    return data if len(data) == length else None


def main() -> int:
    """Say who this is, as a first answer, then serve; returns the exit code."""
    warnings.simplefilter("ignore")
    gc.disable()  # nothing here makes cycles
    try:
        layout = code_layout(sys.implementation.name, sys.version_info[:3])
        greeting = f"{sys.version.split()[0]} {sys.implementation.cache_tag}".encode()
        sys.stdout.buffer.write(NUMBER.pack(len(greeting)) + greeting)
        sys.stdout.buffer.flush()
        serve(sys.stdin.buffer, sys.stdout.buffer, layout)
    except (UnknownFormatError, MemoryError) as error:
        short = isinstance(error, MemoryError)
        sys.stderr.write("not enough memory\n" if short else f"{error}\n")
        return NO_MEMORY if short else REFUSED
    except BrokenPipeError:
        sys.stderr.write("nobody reads the answers\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
