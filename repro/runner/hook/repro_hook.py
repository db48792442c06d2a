"""The trace inside an interpreter: an audit hook (PEP 578) that writes JSON lines into the directory $REPRO_TRACE.

A line is {"t": monotonic nanoseconds, "k": kind, "p": path or text, "n": module name}. Each (kind, path) is written
once a process, when it is first seen, because only the order of first reads and writes matters.
"""
# Every interpreter pays for what is imported here, and pathlib is dear.
# ruff: noqa: PTH100, PTH109, PTH110, PTH112, PTH113, PTH116, PTH117, PTH118, PTH120

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable
from types import ModuleType

try:  # json's own accelerator; json itself would cost every process 10 ms
    from _json import encode_basestring_ascii as _quote
except ImportError:
    from json import dumps as _quote

_NATIVE = frozenset({"numpy", "torch", "lightgbm", "xgboost", "catboost", "faiss", "tensorflow"})
_O_ACCMODE = getattr(os, "O_ACCMODE", 3)
_MOST_FILES = 1000  # process ids come round again; nobody has come round a thousand times within one run


class _Log:
    """One append-only file a process, opened anew after a fork or when the program closed its descriptor."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.pid = -1
        self.descriptor = -1
        self.identity = (-1, -1)
        self.last = 0
        self.opening = False

    def write(self, kind: str, path: str, name: str = "") -> None:
        if self.opening:
            return
        if os.getpid() != self.pid or not self._mine():
            self._open()
        self.last = max(time.monotonic_ns(), self.last + 1)
        extra = ',"n":' + _quote(name) if name else ""
        line = '{"t":%d,"k":"%s","p":%s%s}\n' % (self.last, kind, _quote(path), extra)
        os.write(self.descriptor, line.encode("ascii"))

    def _mine(self) -> bool:
        """Whether the descriptor still is our file: a program may close it and get the number again for its own."""
        try:
            info = os.fstat(self.descriptor)
        except OSError:
            return False
        return (info.st_dev, info.st_ino) == self.identity

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self.opening = True
        try:
            self.pid = os.getpid()
            for number in range(_MOST_FILES):
                with contextlib.suppress(FileExistsError):
                    path = os.path.join(self.directory, "%d-%d.jsonl" % (self.pid, number))
                    self.descriptor = os.open(path, flags, 0o644)
                    break
            info = os.fstat(self.descriptor)
            self.identity = (info.st_dev, info.st_ino)
        finally:
            self.opening = False


class _Recorder:
    """Turns audit events into lines. Every `_on_…` takes the arguments of its event."""

    def __init__(self, directory: str) -> None:
        self.log = _Log(directory)
        private = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.ours = (directory + os.sep, private + os.sep)
        self.seen: set[tuple[str, str]] = set()
        self.asked = False
        self.ended = False
        self.handlers: dict[str, Callable[..., None]] = {
            "open": self._on_open,
            "os.listdir": self._on_list,
            "os.scandir": self._on_list,
            "os.rename": self._on_rename,
            "os.remove": self._on_remove,
            "os.truncate": self._on_truncate,
            "os.link": self._on_link,
            "os.symlink": self._on_link,
            "sqlite3.connect": self._on_database,
            "ctypes.dlopen": self._on_library,
            "socket.connect": self._on_connect,
            "socket.getaddrinfo": self._on_resolve,
            "subprocess.Popen": self._on_process,
            "os.exec": self._on_process,
            "os.posix_spawn": self._on_process,
            "os.system": self._on_shell,
        }

    def audit(self, event: str, args: tuple[object, ...]) -> None:
        handler = self.handlers.get(event)
        if handler is not None:
            try:  # noqa: SIM105 - a context manager would cost every open() a microsecond
                handler(*args)
            except Exception:  # noqa: BLE001, S110 - never in the program's way
                pass

    def note(self, kind: str, path: str | None, name: str = "") -> None:
        """Write a line unless it was written before; a `path` of None is nothing."""
        key = (kind + name, path or "")
        if path is None or key in self.seen or path.startswith(self.ours):
            return
        if self.ended and (kind == "module" or path.endswith(".py")):
            return  # what a kernel imports to shut down, when it gets that far before it is killed
        self.seen.add(key)
        self.log.write(kind, path, name)

    def modules(self) -> None:
        """Note the file of every module imported so far."""
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and isinstance(name, str):
                self.note("module", _absolute(path), name)

    def libraries(self) -> None:
        """Note the libraries with thread pools, where packages are loaded that may have brought some."""
        if self.asked or not _NATIVE.intersection(sys.modules):
            return
        self.asked = True
        found = _load("repro_libraries").libraries()
        from json import dumps  # noqa: PLC0415 - packages with such libraries have loaded it long since

        for one in found:
            self.note("library", dumps(one, sort_keys=True))

    def _on_open(self, opened: object, mode: object, flags: object) -> None:
        path = _absolute(opened)
        if path is None:
            return
        reads, writes = _intent(mode, flags)
        if (not reads or ("read", path) in self.seen) and (not writes or ("write", path) in self.seen):
            return
        try:
            regular = stat.S_ISREG(os.stat(path).st_mode)
        except OSError:  # not there: a read is going to fail, a write is going to make it
            regular, reads = writes, False
        if regular and reads:
            self.note("read", _source_of(path))
        if regular and writes:
            self.note("write", path)

    def _on_list(self, path: object) -> None:
        self.note("list", _absolute(os.curdir if path is None else path))

    def _on_rename(self, source: object, target: object, *_: object) -> None:
        self.note("remove", _absolute(source))
        self.note("write", _absolute(target))

    def _on_remove(self, path: object, *_: object) -> None:
        self.note("remove", _absolute(path))

    def _on_truncate(self, path: object, *_: object) -> None:
        self.note("write", _absolute(path))

    def _on_link(self, _: object, target: object, *__: object) -> None:
        self.note("write", _absolute(target))

    def _on_database(self, name: object) -> None:
        path = None if _text(name) in ("", ":memory:") else _absolute(name)
        if path is not None:
            self.note("read" if os.path.exists(path) else "write", path)

    def _on_library(self, name: object) -> None:
        if name and os.sep in _text(name):
            path = _absolute(name)
            self.note("read", path if path and os.path.isfile(path) else None)

    def _on_connect(self, _: object, address: object) -> None:
        if isinstance(address, tuple) and len(address) > 1:  # text is a Unix socket: this machine
            self.note("network", "%s:%s" % (_text(address[0]), _text(address[1])))

    def _on_resolve(self, host: object, port: object, *_: object) -> None:
        self.note("network", "%s:%s" % (_text(host), _text(port)))

    def _on_process(self, program: object, args: object, *_: object) -> None:
        words = args if isinstance(args, (list, tuple)) else [args]
        self.note("process", " ".join(_text(word) for word in words) or _text(program))

    def _on_shell(self, command: object) -> None:
        self.note("process", _text(command))


_recorders: list[_Recorder] = []


def install() -> None:
    """Begin to record, when $REPRO_TRACE says where."""
    directory = os.environ.get("REPRO_TRACE")
    if not directory or not os.path.isdir(directory) or _recorders:
        return
    import atexit  # noqa: PLC0415 - not in interpreters that aren't traced

    recorder = _Recorder(os.path.abspath(directory))
    _recorders.append(recorder)
    atexit.register(end)
    sys.addaudithook(recorder.audit)
    if os.path.exists(os.path.join(os.path.dirname(__file__), "repro_observe.py")):  # a capture puts it there
        with contextlib.suppress(Exception):
            _load("repro_observe").start(recorder)


def modules() -> None:
    """Write the files of the modules imported so far; also asked for while a kernel lives, for it may be killed."""
    for recorder in _recorders:
        with contextlib.suppress(Exception):
            recorder.modules()


def end() -> None:
    """Write what is known when the program is done: its modules, and the libraries that computed for it."""
    modules()
    for recorder in _recorders:
        with contextlib.suppress(Exception):
            recorder.libraries()
        recorder.ended = True


def metrics(source: str, count: int) -> str:
    """Exact values of the cell that has just run as number `count` (see `repro_values.metrics`)."""
    modules()
    return str(_load("repro_values").metrics(source, count))


def _load(name: str) -> ModuleType:
    """A module beside this file, under a private name and not in sys.modules."""
    from importlib.machinery import SourceFileLoader  # noqa: PLC0415 - few interpreters need it
    from importlib.util import module_from_spec, spec_from_loader  # noqa: PLC0415

    loader = SourceFileLoader("_" + name, os.path.join(os.path.dirname(__file__), name + ".py"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None  # noqa: S101 - a file loader always gives one
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _absolute(path: object) -> str | None:
    """An absolute path, or None for descriptors. Raises TypeError for what is no path."""
    if isinstance(path, int):
        return None
    text: str = path if type(path) is str else os.fsdecode(path)  # type: ignore[arg-type]
    if not os.path.isabs(text):
        text = os.path.join(os.getcwd(), text)
    plain = os.sep == "/" and not (text.endswith("/") or "/." in text or "//" in text)
    return text if plain else os.path.normpath(text)  # which is dear


def _intent(mode: object, flags: object) -> tuple[bool, bool]:
    """(reads, writes) of an `open` event. os.open has no mode, open_code no flags; flags decide where given."""
    if isinstance(flags, int) and (flags or mode is None):
        access = flags & _O_ACCMODE
        writes = access != os.O_RDONLY or bool(flags & (os.O_CREAT | os.O_TRUNC))
        starts_empty = bool(flags & (os.O_TRUNC | os.O_EXCL))
        return access != os.O_WRONLY and not starts_empty, writes
    letters = mode if isinstance(mode, str) else "r"
    return "r" in letters, any(letter in letters for letter in "wax+")


def _source_of(path: str) -> str:
    """The .py that a cached .pyc was compiled from: with a warm cache the source itself is never opened."""
    if not path.endswith(".pyc"):
        return path
    from importlib.util import source_from_cache  # noqa: PLC0415

    try:
        source = source_from_cache(path)
    except (ValueError, NotImplementedError):
        return path
    return source if os.path.exists(source) else path


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
