"""Real environments for tests: venvs, and installs by pip and uv in them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import uv

from repro.capture.model import Distribution, Interpreter
from repro.capture.probe import probe

UV = uv.find_uv_bin()


class Venv:
    """A virtual environment made by uv, without pip unless asked for."""

    def __init__(self, path: Path, *, seed: bool = False) -> None:
        self.path = path
        self.python = path / "bin" / "python"
        run(UV, "venv", "--quiet", "--python", sys.executable, *(["--seed"] if seed else []), path)

    def pip(self, *args: str | Path) -> None:
        run(sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-compile", *args)

    def uv(self, *args: str | Path) -> None:
        run(UV, "pip", "install", "--quiet", "--python", self.python, *args)

    def install(self, tool: str, *args: str | Path) -> None:
        (self.pip if tool == "pip" else self.uv)(*args)

    def interpreter(self) -> Interpreter:
        return probe(self.python, cwd=self.path, env=os.environ)

    def distribution(self, name: str) -> tuple[Distribution, Interpreter]:
        interpreter = self.interpreter()
        return next(one for one in interpreter.distributions if one.name == name), interpreter

    def files(self, name: str) -> dict[str, tuple[bytes, bool]]:
        """Path below the prefix → content and execute bit of all that an install put there, but for its own traces."""
        distribution, _ = self.distribution(name)
        traces = {"INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json", "RECORD", "WHEEL"}
        found = {}
        for path in self.path.rglob("*"):
            if not path.is_file() or path.is_symlink() or "__pycache__" in path.parts or path.name in _VENV:
                continue
            if path.parent == distribution.metadata and path.name in traces:
                continue
            content = path.read_bytes().replace(str(self.path).encode(), b"@PREFIX@")
            # Installers name a distribution's include directory after what they were asked to install.
            place = str(path.relative_to(self.path)).replace("Grand.Tour", "grand-tour")
            found[place] = (content, bool(path.stat().st_mode & 0o100))
        return found


_VENV = {"pyvenv.cfg", "_virtualenv.py", "_virtualenv.pth", "CACHEDIR.TAG", ".gitignore", ".lock", "activate_this.py"}
_VENV |= {
    f"{name}{end}"
    for name in ("activate", "deactivate", "pydoc")
    for end in ("", ".bat", ".csh", ".fish", ".nu", ".ps1")
}


def run(*args: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(args, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def git(folder: Path, *args: str) -> str:
    identity: Sequence[str] = (
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "init.defaultBranch=main",
    )
    return run("git", *identity, *args, cwd=folder).strip()
