"""Which files outside of the project a run may read: the environment's, the system's, its own temporary ones."""

import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import repro
from repro.capture.config import MARKERS
from repro.capture.model import Interpreter
from repro.capture.roles import CONFIG_SUFFIXES
from repro.words import few

_SYSTEM = (
    *("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libexec", "/usr/share", "/usr/include"),
    *("/usr/bin", "/usr/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/etc", "/proc", "/sys"),
    *("/var/cache/fontconfig", "/var/lib/dbus", "/System", "/Library", "/private/etc", "/private/var/db"),
    "/usr/local/share/fonts",
)
_SHARED = ("/", "/usr", "/usr/local")  # prefixes that hold more than Python
_OWN = ("bin", "include", "lib", "lib32", "lib64", "etc/jupyter", "etc/ipython", "share/jupyter")
_SITES = ("site-packages", "dist-packages")
_HOME = (
    *(".jupyter", ".ipython", ".matplotlib", ".fonts", ".fontconfig", ".fonts.conf", ".nv", ".python_history"),
    *(".config/jupyter", ".config/ipython", ".config/matplotlib", ".config/fontconfig", ".config/pip"),
    *(".cache/matplotlib", ".cache/fontconfig", ".cache/ipython", ".cache/mesa_shader_cache"),
    *(".local/share/jupyter", ".local/share/fonts", ".local/share/ipython", ".triton"),
    *("Library/Jupyter", "Library/Fonts", "Library/Caches/matplotlib"),
)
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - only asked about, never written to
_VARIABLES = (
    *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR"),
    *("PYTHONPYCACHEPREFIX", "NUMBA_CACHE_DIR", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


class Outside:
    """Decides about absolute paths outside of the project root."""

    def __init__(
        self, interpreter: Interpreter, own: Iterable[Path] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        """Learn what belongs to the environment.

        Args:
            interpreter: The kernel's; editable installs count, for they become wheels.
            own: Folders of `repro` itself, such as the run's directory.
            environ: Variables of the run that move configuration folders; ours by default.
        """
        places = {*_environment(interpreter), *_home(os.environ if environ is None else environ), *_SYSTEM}
        places |= {os.fspath(path) for path in own} | {os.path.dirname(repro.__file__)}  # noqa: PTH120
        self._places = _beginnings(place for place in places if place)
        self._temporary = _beginnings((tempfile.gettempdir(), *_TEMPORARY))

    def belongs(self, path: str) -> bool:
        """Whether a file is part of the environment, the system, or a tool's own configuration and caches."""
        return _within(path, self._places) or _within(os.path.realpath(path), self._places) or _device(path)

    def made_by_run(self, path: str, started_ns: int) -> bool:
        """Whether it is a temporary file that is gone again or was made since `started_ns` (since 1970)."""
        if not _within(path, self._temporary):
            return False
        try:
            return os.stat(path).st_ctime_ns >= started_ns  # noqa: PTH116
        except OSError:
            return True


NOT_NEEDED = "if the run can do without it, exclude it in repro.toml, [files] exclude"
"""The cure that always holds: no image has an excluded file."""
_NOT_SETTINGS = {".cache", ".local"}
"""Hidden folders of the home directory that hold data."""
_MOST_NAMED = 5
_LEAST = 3
"""Parts of the path of a folder that may be a project: `/`, and one folder below it, are none."""


def bring_inside(root: Path, path: str, *, module: bool) -> str:
    """What to do about a file outside of the project that a run read, as the end of a sentence.

    Args:
        root: Project root, absolute.
        path: The file, absolute.
        module: Whether it was imported.
    """
    above = _common(root, path)
    settings = None if module else _settings_at_home(path)
    if settings is not None:
        return (
            "no image has settings or logins of a home directory: give what the run needs in its code or in files of "
            f'the project, and exclude this one in repro.toml, [files] exclude = ["{settings}"]'
        )
    begins = f"put an empty repro.toml into {above}, where the project begins then, or " if above else ""
    if module:
        return f"{begins}copy it into {root.name}/ and import it from there, or install it as a package"
    return f"{begins}copy it into {root.name}/ and read it there, or, {NOT_NEEDED}"


def outside_problems(paths: Collection[str], cure: str) -> Iterator[str]:
    """Files outside of the project that one cure is for: each by itself, or very many by the folder they are below."""
    names = sorted(paths)
    if len(names) <= _MOST_NAMED:
        yield from (f"{name} lies outside the project; {cure}" for name in names)
    else:
        place = os.path.commonpath(names)
        yield f"{len(names)} files in {place} lie outside the project: {few(names, _MOST_NAMED)}; {cure}"


def _settings_at_home(path: str) -> str | None:
    """How a glob calls a file of settings or logins in the home directory, such as ~/.netrc; None for other files."""
    home = Path.home()
    inside = Path(path).relative_to(home) if Path(path).is_relative_to(home) else None
    if inside is None or inside.parts[0] in _NOT_SETTINGS or not inside.parts[0].startswith("."):
        return None
    return f"~/{inside.as_posix()}" if inside.suffix.lower() in {"", *CONFIG_SUFFIXES} else None


def _common(root: Path, path: str) -> Path | None:
    """The folder above both that could be the project, where nothing marks the root that was taken for it."""
    if any((root / marker).exists() for marker in MARKERS):
        return None
    home = Path.home()
    found = Path(os.path.commonpath([root, path])) if Path(path).anchor == root.anchor else home
    return None if found in {home, *home.parents} or len(found.parts) < _LEAST else found


def put_instead(target: str) -> str:
    """What to do about a link of the project that leads out of it."""
    return f"put the {'folder' if Path(target).is_dir() else 'file'} itself there"


def leaving_link(root: Path, path: str) -> str:
    """The part of a path, from its left, whose link leaves the project."""
    steps: Iterable[PurePosixPath] = [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]
    for step in steps:
        if not Path(os.path.realpath(root / step)).is_relative_to(root):
            return str(step)
    return path


class Links:
    """The links below a root by where they lead, because there may be as many as files.

    Args:
        links: Relative path of each link → where it leads, absolute.
    """

    def __init__(self, links: Mapping[str, str]) -> None:
        self._by_target: dict[str, list[str]] = {}
        for link, target in links.items():
            self._by_target.setdefault(target, []).append(link)

    def to(self, target: str) -> list[str]:
        """The relative paths that lead to a file, absolute, by way of a link: its own, or one of a folder above it."""
        found: list[str] = []
        above = target if self._by_target else ""
        while above:
            found += [link + target[len(above) :] for link in self._by_target.get(above, ())]
            above = above.rpartition(os.sep)[0]
        return found


def _environment(interpreter: Interpreter) -> Iterator[str]:
    for prefix in (os.fspath(interpreter.prefix), os.fspath(interpreter.base_prefix)):
        if os.path.normpath(prefix) in {*_SHARED, os.path.expanduser("~"), os.path.expanduser("~/.local")}:  # noqa: PTH111
            yield from (os.path.join(prefix, folder) for folder in _OWN)  # noqa: PTH118
        else:
            yield prefix
    yield from (path for path in interpreter.sys_path if os.path.basename(path) in _SITES)  # noqa: PTH119
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    yield from (interpreter.paths[name] for name in names if name in interpreter.paths)
    for one in (*interpreter.distributions, *interpreter.shadowed):
        yield os.fspath(one.location)
        if one.source_tree is not None:
            yield os.fspath(one.source_tree)


def _home(environ: Mapping[str, str]) -> Iterator[str]:
    home = Path.home()
    yield from (os.fspath(home / name) for name in _HOME)
    yield from (environ.get(name, "") for name in _VARIABLES)
    for variable, name in (("XDG_CONFIG_HOME", ".config/"), ("XDG_CACHE_HOME", ".cache/"), ("XDG_DATA_HOME", None)):
        folder = environ.get(variable)
        tools = [one.removeprefix(name or ".local/share/") for one in _HOME if one.startswith(name or ".local/share/")]
        yield from (os.fspath(Path(folder) / tool) for tool in tools if folder)
    if environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(environ["XDG_RUNTIME_DIR"], "jupyter")  # noqa: PTH118 - next to it lie mounted shares


def _device(path: str) -> bool:
    """Whether it is a terminal, `/dev/null` or the like: nothing that a lock could hold."""
    try:
        return _within(path, ("/dev/",)) and stat.S_ISCHR(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _spellings(place: str) -> set[str]:
    return {os.path.normpath(place), os.path.realpath(place)}


def _beginnings(places: Iterable[str]) -> tuple[str, ...]:
    """How the paths of files and folders in these places begin, however they are spelled."""
    return tuple({f"{spelled.rstrip('/')}/" for place in places for spelled in _spellings(place)})


def _within(path: str, beginnings: tuple[str, ...]) -> bool:
    return f"{path}/".startswith(beginnings)
