"""On a laptop of every kind: the right interpreter is found, described, and left as it was."""

import json
import os
import sys
from pathlib import Path

import pytest

from repro.capture.kernels import list_kernels, resolve_kernel
from repro.capture.model import Kernel
from repro.capture.notebook import load_notebook
from repro.capture.probe import probe
from tests.laptops.conftest import Laptop
from tests.laptops.tools import run, snapshot

_FACTS = """
import ipykernel, json, sys, sysconfig
purelib = sysconfig.get_path("purelib")
print(json.dumps([sys.executable, sys.prefix, purelib, ipykernel.__file__, ipykernel.__version__]))
"""


@pytest.fixture
def resolved(laptop: Laptop) -> Kernel:
    return resolve(laptop)


def resolve(laptop: Laptop) -> Kernel:
    notebook = load_notebook(laptop.notebook)
    return resolve_kernel(
        laptop.notebook, laptop.project, notebook=notebook, kernel=None, python=None, environ=laptop.environ
    )


def facts(laptop: Laptop) -> tuple[Path, Path, Path, Path, str]:
    """What the environment's own interpreter says: executable, prefix, purelib, ipykernel's place and version."""
    executable, prefix, purelib, module, version = json.loads(run(laptop.python, "-c", _FACTS, env=laptop.environ))
    return Path(executable), Path(prefix), Path(purelib), Path(module).parent.parent, version


def test_the_environments_own_interpreter_is_found(laptop: Laptop, resolved: Kernel) -> None:
    executable, prefix, *_ = facts(laptop)
    said = run(resolved.python, "-c", "import sys; print(sys.prefix)", env=laptop.environ).strip()
    assert Path(said) == prefix
    assert resolved.python.samefile(executable)
    assert resolved.python.is_absolute()
    assert Path(sys.prefix) not in resolved.python.parents


def test_a_script_gets_the_same_interpreter_as_a_notebook(laptop: Laptop, resolved: Kernel) -> None:
    script = laptop.project / "evaluate.py"
    found = resolve_kernel(script, laptop.project, notebook=None, kernel=None, python=None, environ=laptop.environ)
    assert found.python.samefile(resolved.python)
    assert (found.name, found.env) == (None, {})


def test_the_kernels_packages_are_seen_and_nothing_is_changed(laptop: Laptop) -> None:
    _, prefix, purelib, location, version = facts(laptop)
    watched = [prefix / "bin", purelib, location]
    before = [snapshot(folder) for folder in watched]

    kernel = resolve(laptop)
    interpreter = probe(kernel.python, cwd=laptop.notebook.parent, env={**laptop.environ, **kernel.env})
    list_kernels(laptop.project, laptop.notebook.parent, laptop.environ)

    assert [snapshot(folder) for folder in watched] == before
    ipykernel = next(one for one in interpreter.distributions if one.name == "ipykernel")
    assert (ipykernel.version, ipykernel.location, ipykernel.record) == (version, location, True)
    assert ipykernel.tags == ("py3-none-any",)
    assert interpreter.prefix == prefix
    assert os.access(interpreter.base_executable, os.X_OK)
    assert Path(sys.prefix) not in interpreter.base_executable.parents
