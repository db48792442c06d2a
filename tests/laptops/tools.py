"""Laptops: real Python environments with a notebook kernel in them, each made by the tool that people make them with.

`make_environment` is for any test that wants a project to capture; `laptop_environ` has the variables of its owner.
"""

import atexit
import functools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import uv

TOOLS = ("venv", "virtualenv", "uv", "poetry", "pipenv", "pdm", "pyenv", "system")

_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_SYSTEM_PYTHON = Path("/usr/bin/python3")
_OTHERS = ("PYTHON", "VIRTUAL_ENV", "CONDA", "JUPYTER", "IPYTHON", "POETRY", "PIPENV", "PDM", "PYENV", "WORKON", "XDG")


def make_environment(tool: str, project: Path) -> Path:
    """Give a project directory an environment made by `tool`, with ipykernel in it, and return its interpreter.

    The project must have a parent of its own: its owner's home directory is made beside it.
    """
    project.mkdir(parents=True, exist_ok=True)
    home_of(project).mkdir(exist_ok=True)
    return _MAKERS[tool](project)


def home_of(project: Path) -> Path:
    """The home directory of the project's owner."""
    return project.parent / "home"


def laptop_environ(tool: str, project: Path) -> dict[str, str]:
    """The owner's variables, in a shell where the environment that runs repro (these tests) is the active one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    path = [str(Path(sys.executable).parent), *_tool_path(tool), *_SYSTEM_PATH]
    kept |= {"HOME": str(home_of(project)), "PATH": os.pathsep.join(path)}
    if sys.prefix != sys.base_prefix:
        kept["VIRTUAL_ENV"] = sys.prefix
    kept |= {"UV_CACHE_DIR": _uv_cache(), "PIP_CACHE_DIR": str(_tools() / "pip-cache")}
    if tool == "pyenv":
        kept["PYENV_ROOT"] = str(_pyenv_root())
    return kept


def install(python: Path, *requirements: str) -> None:
    """Install packages into an environment."""
    run(uv.find_uv_bin(), "pip", "install", "--quiet", "--python", python, *requirements)


def run(*args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed and return what it printed."""
    done = subprocess.run(args, cwd=cwd, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def base_python() -> Path:
    """The interpreter behind the environment that runs the tests."""
    return Path(getattr(sys, "_base_executable", sys.executable))


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and modification time of all that is in a directory, the directories themselves included."""
    paths = [folder, *folder.rglob("*")]
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths}


def _venv(project: Path) -> Path:
    run(sys.executable, "-m", "venv", project / ".venv")
    return _with_kernel(project / ".venv" / "bin" / "python")


def _virtualenv(project: Path) -> Path:
    run(sys.executable, "-m", "virtualenv", "--quiet", project / "venv")
    return _with_kernel(project / "venv" / "bin" / "python")


def _uv(project: Path) -> Path:
    run(uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, project / ".venv")
    return _with_kernel(project / ".venv" / "bin" / "python")


def _poetry(project: Path) -> Path:
    poetry, env = _tool("poetry"), _quiet("poetry", project)
    run(poetry, "init", "--no-interaction", "--name", "laptop", cwd=project, env=env)
    run(poetry, "env", "use", base_python(), cwd=project, env=env)
    prefix = Path(run(poetry, "env", "info", "--path", cwd=project, env=env).strip())
    assert home_of(project) in prefix.parents
    return _with_kernel(prefix / "bin" / "python")


def _pipenv(project: Path) -> Path:
    pipenv, env = _tool("pipenv"), _quiet("pipenv", project)
    run(pipenv, "--python", base_python(), cwd=project, env=env)
    prefix = Path(run(pipenv, "--venv", cwd=project, env=env).strip())
    assert home_of(project) in prefix.parents
    return _with_kernel(prefix / "bin" / "python")


def _pdm(project: Path) -> Path:
    """An environment that pdm keeps among its own and points to by `.pdm-python`."""
    pdm, env = _tool("pdm"), {**_quiet("pdm", project), "PDM_VENV_IN_PROJECT": "false", "PDM_CHECK_UPDATE": "false"}
    (project / "pyproject.toml").write_text('[project]\nname = "laptop"\nversion = "0"\n', encoding="utf-8")
    run(pdm, "venv", "create", "--name", "laptop", base_python(), cwd=project, env=env)
    python = Path(run(pdm, "venv", "--python", "laptop", cwd=project, env=env).strip())
    assert home_of(project) in python.parents
    run(pdm, "use", "--first", python, cwd=project, env=env)
    return _with_kernel(python)


def _pyenv(project: Path) -> Path:
    """A pyenv installation named by `.python-version`, with the kernel in the owner's user site."""
    version = next(iter(_pyenv_versions(_pyenv_root())))
    (project / ".python-version").write_text(f"{version}\n", encoding="utf-8")
    python = _pyenv_root() / "versions" / version / "bin" / "python"
    return _user_kernel(python, laptop_environ("pyenv", project))


def _system(project: Path) -> Path:
    """The system's python3, with the kernel in the owner's user site, as `pip install --user` leaves it."""
    environ = laptop_environ("system", project)
    found = shutil.which("python3", path=os.pathsep.join([*_tool_path("system"), *_SYSTEM_PATH]))
    assert found, "there is no python3 on PATH"
    return _user_kernel(Path(found), environ)


def _with_kernel(python: Path) -> Path:
    install(python, "ipykernel")
    return python


def _user_kernel(python: Path, environ: Mapping[str, str]) -> Path:
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--user", "--break-system-packages", "ipykernel", env=environ)
    return python


_MAKERS: dict[str, Callable[[Path], Path]] = {
    "venv": _venv,
    "virtualenv": _virtualenv,
    "uv": _uv,
    "poetry": _poetry,
    "pipenv": _pipenv,
    "pdm": _pdm,
    "pyenv": _pyenv,
    "system": _system,
}


@functools.cache
def _tools() -> Path:
    """Where the tools themselves live, for as long as the tests run."""
    folder = Path(tempfile.mkdtemp(prefix="repro-laptop-tools-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _tool(name: str) -> Path:
    """A tool in an environment of its own, as pipx or `uv tool` would have it."""
    home = _tools() / name
    run(uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, home)
    install(home / "bin" / "python", name)
    (home / "on-path").mkdir()
    (home / "on-path" / name).symlink_to(home / "bin" / name)
    return home / "on-path" / name


@functools.cache
def _uv_cache() -> str:
    return run(uv.find_uv_bin(), "cache", "dir").strip()


def _tool_path(tool: str) -> list[str]:
    """What a tool adds to PATH."""
    if tool in {"poetry", "pipenv", "pdm"}:
        return [str(_tool(tool).parent)]
    if tool == "system" and not _runs(_SYSTEM_PYTHON):
        folder = _tools() / "system"
        folder.mkdir(exist_ok=True)
        if not (folder / "python3").exists():
            (folder / "python3").symlink_to(base_python())
        return [str(folder)]
    return []


def _quiet(tool: str, project: Path) -> dict[str, str]:
    """The owner's variables while no environment is active: how environments are made."""
    environ = laptop_environ(tool, project)
    environ.pop("VIRTUAL_ENV", None)
    return environ | {"PATH": environ["PATH"].partition(os.pathsep)[2], "PIPENV_VERBOSITY": "-1"}


@functools.cache
def _pyenv_root() -> Path:
    """This machine's pyenv, else one that knows the interpreter behind the tests."""
    real = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    if _pyenv_versions(real):
        return real
    root = _tools() / "pyenv"
    (root / "versions").mkdir(parents=True)
    (root / "versions" / platform.python_version()).symlink_to(sys.base_prefix)
    return root


def _pyenv_versions(root: Path) -> list[str]:
    """Installations that a current ipykernel runs on, the one of the tests first."""
    names = sorted(path.name for path in root.glob("versions/3.*") if _runs(path / "bin" / "python"))
    return sorted(names, key=lambda name: name != platform.python_version())


@functools.cache
def _runs(python: Path) -> bool:
    wanted = "import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix != sys.base_prefix)"
    return python.exists() and subprocess.run([python, "-c", wanted], capture_output=True, check=False).returncode == 0
