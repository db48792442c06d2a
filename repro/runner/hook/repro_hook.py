"""The trace inside an interpreter: an audit hook (PEP 578) that writes JSON lines into the directory $REPRO_TRACE.

A line is {"t": monotonic nanoseconds, "k": kind, "p": path or text, "n": module name}. Each (kind, path) is written
once a process, when it is first seen, because only the order of first reads and writes matters.
"""
# Every interpreter pays for what is imported here: pathlib, contextlib and typing are dear.
# ruff: noqa: BLE001, PTH100, PTH109, PTH110, PTH112, PTH113, PTH116, PTH118, PTH120, S110, SIM105

from __future__ import annotations

import os
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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
        self.descriptor = -1
        self.identity = (-1, -1)
        self.last = 0
        self.opening = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._leave)

    def write(self, kind: str, path: str, name: str = "") -> None:
        """Write one line. It is there at once: a program may be killed at any moment."""
        if self.opening:
            return
        line = self._line(kind, path, name).encode("ascii")
        if not self._mine():
            self._open()
        os.write(self.descriptor, line)

    def write_all(self, lines: Iterable[tuple[str, str, str]]) -> None:
        """Write lines in one go."""
        text = "".join([self._line(*line) for line in lines]).encode("ascii")
        if text and not self.opening:
            if not self._mine():
                self._open()
            os.write(self.descriptor, text)

    def _line(self, kind: str, path: str, name: str) -> str:
        now = time.monotonic_ns()
        self.last = now = now if now > self.last else self.last + 1
        if name:
            return '{"t":%d,"k":"%s","p":%s,"n":%s}\n' % (now, kind, _quote(path), _quote(name))
        return '{"t":%d,"k":"%s","p":%s}\n' % (now, kind, _quote(path))

    def _mine(self) -> bool:
        """Whether the descriptor still is our file: a program may close it and get the number again for its own."""
        try:
            info = os.fstat(self.descriptor)
        except OSError:
            return False
        return (info.st_dev, info.st_ino) == self.identity

    def _leave(self) -> None:
        """Let go of the file, which is another process's; where that wasn't told, both append to it."""
        self.descriptor = -1

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self.opening = True
        try:
            for number in range(_MOST_FILES):
                try:
                    path = os.path.join(self.directory, "%d-%d.jsonl" % (os.getpid(), number))
                    self.descriptor = os.open(path, flags, 0o644)
                    break
                except FileExistsError:
                    pass
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
        self.installed = tuple({os.path.join(place, "") for place in (sys.prefix, sys.base_prefix)})
        self.seen: set[tuple[str, str]] = set()
        self.intents: dict[tuple[object, object], tuple[bool, bool]] = {}
        self.asked = False
        self.ended = False
        self.handlers: dict[str, Callable[..., None]] = {
            "open": self._on_open,
            "os.listdir": self._on_list,
            "os.scandir": self._on_list,
            "os.chdir": self._on_enter,
            "os.mkdir": self._on_make,
            "os.rename": self._on_rename,
            "os.remove": self._on_remove,
            "os.truncate": self._on_truncate,
            "os.link": self._on_link,
            "os.symlink": self._on_link,
            "sqlite3.connect": self._on_database,
            "ctypes.dlopen": self._on_library,
            "socket.connect": self._on_connect,
            "socket.getaddrinfo": self._on_resolve,
            "subprocess.Popen": self._on_child,
            "os.exec": self._on_process,
            "os.posix_spawn": self._on_process,
            "os.system": self._on_shell,
        }

    def hook(self) -> Callable[[str, tuple[object, ...]], None]:
        """What is called with each audit event: a plain function, for nearly all of very many events mean nothing."""
        handlers = self.handlers

        def audit(event: str, args: tuple[object, ...]) -> None:
            if event in handlers:
                try:
                    handlers[event](*args)
                except Exception:  # never in the program's way
                    pass

        return audit

    def note(self, kind: str, path: str | None, name: str = "") -> None:
        """Write a line unless it was written before; a `path` of None is nothing."""
        if path is not None and self._is_new(kind, path, name):
            self.log.write(kind, path, name)

    def _is_new(self, kind: str, path: str, name: str = "") -> bool:
        """Whether it was not noted before, and counts; from now on it was."""
        key = (kind + name, path)
        if key in self.seen or path.startswith(self.ours):
            return False
        if self.ended and (kind == "module" or path.endswith(".py")):
            return False  # what a kernel imports to shut down, when it gets that far before it is killed
        self.seen.add(key)
        return True

    def modules(self) -> None:
        """Note the file of every module imported so far."""
        lines = []
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            path = _absolute(file) if type(file) is str and type(name) is str else None
            if path is not None and self._is_new("module", path, name):
                lines.append(("module", path, name))
        self.log.write_all(lines)

    def libraries(self) -> None:
        """Note libraries with thread pools and what was chosen for this CPU, where packages may have brought any."""
        if self.asked or not _NATIVE.intersection(sys.modules):
            return
        self.asked = True
        asked = _load("repro_libraries")
        for name, choice in asked.choices().items():
            self.note("choice", choice, name)
        from json import dumps  # noqa: PLC0415 - packages with such libraries have loaded it long since

        for one in asked.libraries():
            self.note("library", dumps(one, sort_keys=True))

    def _on_open(self, opened: object, mode: object, flags: object) -> None:
        how = (mode, flags)
        if how not in self.intents:
            self.intents[how] = _intent(mode, flags)
        reads, writes = self.intents[how]
        if not writes and type(opened) is str and opened.endswith(".pyc") and opened.startswith(self.installed):
            source = _beside_cache(opened)
            if source:  # an import, which has just looked at the source
                self.note("read", source)
                return
        path = _absolute(opened)
        if path is None:
            return
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

    def _on_enter(self, path: object) -> None:
        self.note("enter", _absolute(path))

    def _on_make(self, path: object, *_: object) -> None:
        self.note("make", _absolute(path))

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

    def _on_child(self, program: object, args: object, cwd: object, *_: object) -> None:
        self._on_process(program, args)
        if cwd is not None:
            self.note("enter", _absolute(cwd))

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
    sys.addaudithook(recorder.hook())
    try:
        _load("repro_observe").start(recorder)
    except Exception:
        pass
    if os.path.exists(os.path.join(os.path.dirname(__file__), "repro_swaps.py")):  # an experiment puts it there
        try:
            _load("repro_swaps").start()
        except Exception:
            pass


def modules() -> None:
    """Write the files of the modules imported so far; also asked for while a kernel lives, for it may be killed."""
    for recorder in _recorders:
        try:
            recorder.modules()
        except Exception:
            pass


def end() -> None:
    """Write what is known when the program is done: its modules, and the libraries that computed for it."""
    modules()
    for recorder in _recorders:
        try:
            recorder.libraries()
        except Exception:
            pass
        recorder.ended = True


def metrics(source: str, count: int) -> str:
    """Exact values of the cell that has just run as number `count` (see `repro_values.metrics`)."""
    modules()
    return str(_load("repro_values").metrics(source, count))


def _load(name: str) -> ModuleType:
    """A module beside this file, under a private name and not in sys.modules."""
    from importlib.machinery import SourceFileLoader  # noqa: PLC0415 - few interpreters need it

    loader = SourceFileLoader("_" + name, os.path.join(os.path.dirname(__file__), name + ".py"))
    module = type(sys)(loader.name)
    module.__file__ = loader.path
    loader.exec_module(module)
    return module


def _absolute(path: object) -> str | None:
    """An absolute path, or None for descriptors. Raises TypeError for what is no path."""
    if isinstance(path, int):
        return None
    text: str = path if type(path) is str else os.fsdecode(path)  # type: ignore[arg-type]
    if os.sep != "/":
        return os.path.normpath(os.path.join(os.getcwd(), text))
    if not text.startswith("/"):
        text = os.getcwd().rstrip("/") + "/" + text
    return text if _is_plain(text) else os.path.normpath(text)  # which is dear


def _is_plain(path: str) -> bool:
    """Whether an absolute path has no `.`, no `..` and no slash too many in it."""
    if "//" in path or path.endswith("/"):
        return False
    return "/." not in path or not ("/./" in path or "/../" in path or path.endswith(("/.", "/..")))


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
    source = _beside_cache(path)
    try:
        os.stat(source)
    except OSError:
        return path
    return source


def _beside_cache(path: str) -> str:
    """Where the source of a .pyc lies (PEP 3147), "" for one that is none of a cache."""
    folder, cache, name = path.rpartition("/__pycache__/")
    if cache and "/" not in name and name.count(".") in {2, 3} and not sys.pycache_prefix:
        return folder + "/" + name.partition(".")[0] + ".py"
    from importlib.util import source_from_cache  # noqa: PLC0415 - the cache is elsewhere, or this is another system

    try:
        return source_from_cache(path)
    except (ValueError, NotImplementedError):
        return ""


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
