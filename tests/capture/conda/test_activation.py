"""What activating an environment sets: by scripts, packages and the user; on the laptop, and in the image."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.conda.activation import activated, activation, stated_variables
from repro.capture.model import Kernel
from repro.lock import Environment
from repro.progress import Silent
from tests.capture.conda.laptop import Laptop, Told

ENVIRON = {"PATH": "/usr/bin:/bin"}
PINNED = Environment("UTC", "C.UTF-8", 1, {"PYTHONHASHSEED": "0"})


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def script(laptop: Laptop, name: str, text: str) -> None:
    folder = laptop.prefix / "etc/conda/activate.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def kernel(laptop: Laptop, **env: str) -> Kernel:
    return activated(Kernel(None, laptop.prefix / "bin/python", env), ENVIRON, Silent())


def variables(laptop: Laptop, environment: Environment = PINNED) -> dict[str, str]:
    return dict(activation(kernel(laptop), laptop.interpreter(), environment).variables)


def test_scripts_run_in_order_in_a_process_of_their_own(laptop: Laptop) -> None:
    script(laptop, "a.sh", 'export DATA="$CONDA_PREFIX/share/data"\nexport CONDA_OWN=1\necho noise\n')
    script(laptop, "b.sh", 'export MORE="$DATA:/usr/share"\nfalse\nexport PATH="$CONDA_PREFIX/x:$PATH"\n')
    found = kernel(laptop)
    assert found.activation == {"DATA": f"{laptop.prefix}/share/data", "MORE": f"{laptop.prefix}/share/data:/usr/share"}
    assert found.env["CONDA_PREFIX"] == str(laptop.prefix)
    assert found.env["PATH"] == f"{laptop.prefix}/x:{laptop.prefix}/bin:/usr/bin:/bin"
    assert variables(laptop) == {"DATA": "/opt/env/share/data", "MORE": "/opt/env/share/data:/usr/share"}


def test_what_packages_and_the_user_gave_the_environment_is_there(laptop: Laptop) -> None:
    folder = laptop.prefix / "etc/conda/env_vars.d"
    folder.mkdir(parents=True)
    (folder / "x.json").write_text(json.dumps({"X_HOME": "package", "Y": "1"}))
    state = {"version": 1, "env_vars": {"X_HOME": "mine", "Z": "***unset***"}}
    (laptop.prefix / "conda-meta/state").write_text(json.dumps(state))
    assert stated_variables(laptop.prefix) == {"X_HOME": "mine", "Y": "1"}
    script(laptop, "a.sh", "export SEEN=$X_HOME\n")
    assert variables(laptop) == {"SEEN": "mine", "X_HOME": "mine", "Y": "1"}


def test_damaged_notes_say_nothing(laptop: Laptop) -> None:
    (laptop.prefix / "conda-meta/state").write_text("{")
    assert stated_variables(laptop.prefix) == {}


def test_secrets_and_places_of_this_machine_stay_out_of_the_image(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    script(laptop, "a.sh", "export MY_TOKEN=abc\nexport CACHE=/home/ann/cache\nexport FINE=/home/anna\n")
    found = activation(kernel(laptop), laptop.interpreter(), PINNED)
    assert found.variables == {"FINE": "/home/anna"}
    assert {"MY_TOKEN", "CACHE", "CONDA_PREFIX"} <= found.left_out
    assert len(found.warnings) == 2
    assert not any("abc" in line for line in found.warnings)


def test_what_the_author_or_the_kernelspec_says_wins(laptop: Laptop) -> None:
    script(laptop, "a.sh", "export DATA=a\nexport OTHER=b\n")
    environment = Environment("UTC", "C.UTF-8", 1, {"DATA": "mine"})
    found = activation(kernel(laptop), laptop.interpreter(), environment)
    assert found.added_to(environment).variables == {"DATA": "mine", "OTHER": "b"}
    assert kernel(laptop, OTHER="spec").env["OTHER"] == "spec"


def test_what_is_pinned_for_both_sides_is_not_set_in_the_image_alone(laptop: Laptop) -> None:
    script(laptop, "a.sh", "export TZ=Asia/Tokyo LC_ALL=C OMP_NUM_THREADS=3 PYTHONHASHSEED=5 DATA=a\n")
    assert variables(laptop) == {"DATA": "a"}


def test_a_python_that_is_not_condas_gets_none_of_it_and_that_is_told(laptop: Laptop) -> None:
    script(laptop, "a.sh", "export DATA=a\n")
    found = activation(kernel(laptop), replace(laptop.seen(), version="3.12.0"), PINNED)
    assert found.variables == {}
    assert "DATA" in found.left_out
    assert [line.partition(",")[0] for line in found.warnings] == ["activating the environment sets DATA"]


def test_the_users_own_variables_change_nothing(laptop: Laptop) -> None:
    script(laptop, "a.sh", 'export DATA="${MINE:-none}"\n')
    environ = {**ENVIRON, "MINE": "x", "DATA": "old"}
    found = activated(Kernel(None, laptop.prefix / "bin/python"), environ, Silent())
    assert found.activation == {"DATA": "none"}


def test_scripts_that_end_the_shell_are_told(laptop: Laptop) -> None:
    script(laptop, "a.sh", "exit 3\n")
    told = Told()
    found = activated(Kernel(None, laptop.prefix / "bin/python"), ENVIRON, told)
    assert found.activation == {}
    assert "can't be told" in told.lines[0]


def test_other_environments_stay_as_they_are(tmp_path: Path) -> None:
    plain = Kernel(None, tmp_path / "bin/python", {"A": "b"})
    assert activated(plain, ENVIRON, Silent()) is plain
