"""Environments that a kernel's name may mean: nb_conda_kernels makes names up, and no kernelspec has them."""

import re
from collections.abc import Mapping
from pathlib import Path

from repro.capture.environments import EnvironmentCandidate
from repro.capture.interpreters import absolute, fault, prefix_python
from repro.conda.caches import INSTALLATIONS
from repro.conda.condarc import roots
from repro.realpaths import expanded

_KERNEL = re.compile(r"conda-(?:env-(?P<name>.+)|root|base)-[^-]+")
"""As its kernel specification manager writes them: `conda-env-NAME-py`, `conda-root-py`."""


def conda_kernels(kernel: str, environ: Mapping[str, str]) -> list[EnvironmentCandidate]:
    """Conda's environments of a name, each once.

    They are looked for where conda keeps environments, and in the list of all that it ever made.

    Args:
        kernel: The kernel's name as a notebook has it.
        environ: The user's variables.
    """
    found = _KERNEL.fullmatch(kernel.lower())
    if found is None:
        return []
    home = expanded("~")
    homes = [*roots(environ), home / ".conda", *(home / name for name in INSTALLATIONS)]
    prefixes = [*homes, *(one / "envs" / str(found["name"]) for one in homes), *_made(home)]
    fitting = [one for one in prefixes if _fits(one, found["name"])]
    return [_candidate(one) for one in {one.resolve(): one for one in reversed(fitting)}.values()]


def _fits(prefix: Path, name: str | None) -> bool:
    """Whether an environment is there and has the name; only the base environment has conda's own switch directory."""
    named = (prefix / "condabin").is_dir() if name is None else prefix.name.lower() == name
    return named and prefix_python(prefix) is not None


def _made(home: Path) -> list[Path]:
    try:
        lines = (home / ".conda" / "environments.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return [Path(line.strip()) for line in lines if line.strip()]


def _candidate(prefix: Path) -> EnvironmentCandidate:
    python = absolute(prefix_python(prefix) or prefix)
    return EnvironmentCandidate(python, f"conda environment {prefix.name}", tool="conda", problem=fault(python))
