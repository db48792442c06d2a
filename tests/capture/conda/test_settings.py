"""What repro.toml says of conda packages, and the base and interpreter that their environments get."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from repro.capture import base as base_module
from repro.capture.base import resolve_base
from repro.capture.config import CondaConfig, load_config
from repro.capture.interpreter import choose_interpreter, refuse_other_python
from repro.errors import UsageError
from repro.lock import Base, Python
from repro.progress import Silent
from repro.registry import Registry
from repro.store import ObjectStore
from tests.capture.conda.laptop import Laptop, Told
from tests.lock.samples import full_lock
from tests.registry import server


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_the_table_of_conda(tmp_path: Path) -> None:
    (tmp_path / "repro.toml").write_text('[conda]\nskip-scripts = ["ruamel.yaml"]\nmay-differ = ["libcxx"]\n')
    assert load_config(tmp_path).conda == CondaConfig(skip_scripts=("ruamel.yaml",), may_differ=("libcxx",))


@pytest.mark.parametrize("key", ["skip-scripts", "may-differ"])
def test_names_are_those_of_conda_packages(key: str, tmp_path: Path) -> None:
    (tmp_path / "repro.toml").write_text(f'[conda]\n{key} = ["ok", "Not ok"]\n')
    with pytest.raises(UsageError, match=rf"conda\.{key}\[1\]: must be the name of a conda package"):
        load_config(tmp_path)


def choose(laptop: Laptop, tmp_path: Path, supply: Literal["auto", "base", "pack"]) -> Python:
    interpreter, base = laptop.interpreter(), replace(full_lock().base, python=None, python_path=None)
    python = choose_interpreter(
        interpreter,
        base,
        supply=supply,
        allow_patch_drift=False,
        targets=("linux/amd64", "linux/arm64"),
        store=ObjectStore(tmp_path / "objects"),
        progress=Silent(),
    )
    refuse_other_python(python, base, interpreter, supply=supply, allow_patch_drift=False, targets=("linux/amd64",))
    return python


def test_condas_python_needs_none_of_the_base(laptop: Laptop, tmp_path: Path) -> None:
    assert choose(laptop, tmp_path, "auto") == Python("cpython", "3.11.7", "conda")


@pytest.mark.parametrize("supply", ["base", "pack"])
def test_no_other_python_takes_its_place(laptop: Laptop, tmp_path: Path, supply: Literal["base", "pack"]) -> None:
    with pytest.raises(UsageError, match="a package of conda's"):
        choose(laptop, tmp_path, supply)


def test_without_a_base_of_ones_own_it_is_debians(
    laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.running(tmp_path) as running:
        name = f"{running.host}/library/debian:bookworm-slim"
        digest = server.push(running.host, "library/debian:bookworm-slim", {"linux/amd64": ("PATH=/bin",)})
        monkeypatch.setattr(base_module, "WITHOUT_PYTHON", name)
        told, registry = Told(), Registry(environ={"HOME": str(tmp_path)})
        found = resolve_base(
            laptop.interpreter(), configured=None, engine=None, progress=told, registry=registry, environ={}
        )
    assert found == Base(name, digest, "registry", None, None, "2.36")
    assert told.lines[-1].endswith("Python is conda's")


def test_debians_image_is_what_stands_there() -> None:
    assert base_module.WITHOUT_PYTHON == "docker.io/library/debian:bookworm-slim"
