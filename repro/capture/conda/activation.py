"""What activating a conda environment sets: the run on the laptop has it, and the image gets it, with its own prefix.

Told by running the scripts in `etc/conda/activate.d` as `conda activate` does, in a process of their own, and by what
`conda env config vars` and packages keep as plain variables (conda/activate.py).
"""

import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from repro.capture.conda.places import portable
from repro.capture.interpreters import prefix_of
from repro.capture.model import Interpreter, Kernel
from repro.capture.variables import SECRET
from repro.conda.environment import META, CondaPrefix, is_conda
from repro.errors import InfrastructureError, ReproError
from repro.lock import Environment
from repro.plan.evaluation import environment_variables
from repro.process import run
from repro.progress import Progress
from repro.realpaths import expanded

_TIMEOUT = 60.0
_KEPT = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "SHELL", "TERM")
"""What scripts may ask for; anything else of the user's would make what they set differ from shell to shell."""
_SHELLS = {"_", "PWD", "OLDPWD", "SHLVL", "PATH", "BASHOPTS", "SHELLOPTS", "PS1"}
_OWN = "CONDA_"
_UNSET = "***unset***"
_SCRIPT = """\
show="$1"; mark="$2"; python="$3"; shift 3
"$python" -I -S -c "$show" "$mark"
for one in "$@"; do . "$one"; done
"$python" -I -S -c "$show" "$mark"
"""
_PARTS = 5
"""Of what is printed: between marks are the variables before and those after."""
_SHOW = "import json, os, sys; mark = sys.argv[1]; sys.stdout.write(mark + json.dumps(dict(os.environ)) + mark)"


@dataclass(frozen=True, slots=True)
class Activation:
    """What of it the image gets.

    Attributes:
        variables: With the image's prefix.
        left_out: Names of those that it doesn't get, or that it has by itself.
        warnings: One sentence each.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def added_to(self, environment: Environment) -> Environment:
        """The environment with these variables; what is there already stays."""
        return replace(environment, variables={**self.variables, **environment.variables})


def activated(kernel: Kernel, environ: Mapping[str, str], progress: Progress) -> Kernel:
    """The kernel with the variables that activating its environment sets; as it was where that isn't conda's.

    Args:
        kernel: The interpreter that was chosen; what its kernelspec sets wins.
        environ: The laptop's variables.
        progress: Told when the scripts can't be run.
    """
    prefix = prefix_of(kernel.python)
    if not is_conda(prefix):
        return kernel
    given = stated_variables(prefix)
    before = _before(prefix, environ, given)
    set_by_scripts: Mapping[str, str] = {}
    scripts = sorted((prefix / "etc" / "conda" / "activate.d").glob("*.sh")) if os.name == "posix" else []
    if scripts:
        try:
            set_by_scripts = _set_by(scripts, before)
        except ReproError as error:
            progress.warn(f"what activating {prefix} sets can't be told, and is missing in the run: {error.what}")
    found = {**given, **set_by_scripts}
    kept = {name: value for name, value in found.items() if name not in _SHELLS and not name.startswith(_OWN)}
    own = {name: before[name] for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV")}
    own["PATH"] = found.get("PATH", before["PATH"])
    return replace(kernel, env={**kept, **own, **kernel.env}, activation=kept)


def activation(kernel: Kernel, interpreter: Interpreter, environment: Environment) -> Activation:
    """What the image is to have of what activation set on the laptop.

    Secrets stay out, and so does what names places of this machine, or sets what is pinned for both sides anyway.

    Args:
        kernel: What `activated` gave.
        interpreter: The captured one.
        environment: What the image has anyway; its variables are the author's word.
    """
    conda = interpreter.conda
    own = frozenset(name for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV") if name in kernel.env)
    pinned = environment_variables(environment)
    found = {name: value for name, value in kernel.activation.items() if name not in pinned}
    if conda is None:
        return _nothing(own, found)
    values = {name: _portable(value, conda) for name, value in found.items()}
    secret = sorted(name for name in values if SECRET.fullmatch(name))
    home = str(expanded("~"))
    placed = sorted(name for name, value in values.items() if name not in secret and _names_place(value, home))
    kept = {name: value for name, value in sorted(values.items()) if name not in {*secret, *placed}}
    return Activation(kept, own.union(secret, placed), tuple(_warnings(secret, placed)))


def _nothing(own: frozenset[str], found: Mapping[str, str]) -> Activation:
    """Of an environment whose Python is not conda's, which the image gets without conda's packages."""
    cure = "set it yourself and allow it in repro.toml, [run] env, if its value may be in the lock"
    told = (
        f"activating the environment sets {name}, which is not in the image, as conda's packages are not; {cure}"
        for name in sorted(found)
    )
    return Activation(left_out=own.union(found), warnings=tuple(told))


def stated_variables(prefix: Path) -> dict[str, str]:
    """Variables that packages (`etc/conda/env_vars.d`) and the user (`conda env config vars`) gave the environment."""
    documents = [_json(path) for path in sorted((prefix / "etc" / "conda" / "env_vars.d").glob("*.json"))]
    state = _json(prefix / META / "state")
    documents.append(state.get("env_vars") if isinstance(state, dict) else None)
    found: dict[str, str] = {}
    for document in documents:
        for name, value in document.items() if isinstance(document, dict) else ():
            found[str(name)] = str(value)
    return {name: value for name, value in found.items() if value != _UNSET and "=" not in name and "\0" not in value}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _before(prefix: Path, environ: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The variables that conda itself sets before it runs scripts."""
    folder = str(prefix / "bin")
    path = [one for one in environ.get("PATH", os.defpath).split(os.pathsep) if one and one != folder]
    active = environ.get("CONDA_DEFAULT_ENV") if environ.get("CONDA_PREFIX") == str(prefix) else None
    return {
        **{name: environ[name] for name in _KEPT if name in environ},
        **given,
        "PATH": os.pathsep.join([folder, *path]),
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": active or prefix.name,
        "CONDA_SHLVL": "1",
    }


def _set_by(scripts: Iterable[Path], before: Mapping[str, str]) -> dict[str, str]:
    """The variables that scripts set. Raises InfrastructureError where no shell can run them to their end."""
    mark = f"<{secrets.token_hex(16)}>"
    shell = shutil.which("bash", path=before["PATH"]) or "/bin/sh"
    options = ["--noprofile", "--norc"] if shell.endswith("bash") else []
    command: list[str | Path] = [shell, *options, "-c", _SCRIPT, "activate", _SHOW, mark, sys.executable, *scripts]
    done = run(command, env=before, timeout=_TIMEOUT)
    parts = done.stdout.split(mark)
    old, new = json.loads(parts[1]), json.loads(parts[-2])
    if len(parts) < _PARTS:
        raise InfrastructureError("one of its scripts ends the shell")
    return {name: value for name, value in new.items() if old.get(name) != value}


def _portable(value: str, conda: CondaPrefix) -> str:
    return os.fsdecode(portable(os.fsencode(value), conda))


def _names_place(value: str, home: str) -> bool:
    return len(home) > 1 and re.search(re.escape(home) + r"(?![\w.-])", value) is not None


def _warnings(secret: list[str], placed: list[str]) -> Iterator[str]:
    cure = "allow it in repro.toml, [run] env, if its value may be in the lock"
    for name in secret:
        yield f"activating the environment sets {name}, which looks like a secret and is not in the image; {cure}"
    for name in placed:
        yield f"activating the environment sets {name} to a place in your home directory, and it is not in the image"
