"""scripts/demo: what it sets up on which machine, and what it runs. Engine, repro and base are stand-ins."""

import shutil
from pathlib import Path

import pytest

from tests.scripts.machines import SCRIPTS, Machine, bwrap, needs_debian, needs_linux

pytestmark = needs_linux

REPRO = """#!/bin/bash
echo "${PWD##*/}: $* (${REPRO_BASE:-no REPRO_BASE})" >> "$MACHINE/repro.calls"
[ "$1" != build ] || [ ! -e "$MACHINE/no-engine" ] || mkdir -p .repro/images
"""
DOCKER = """#!/bin/bash
echo "$*" >> "$MACHINE/docker.calls"
"""
MAKE_BASE = """#!/bin/bash
echo "make-base $*" >> "$MACHINE/make-base.calls"
exit "$(cat "$MACHINE/make-base.code")"
"""
EXAMPLES = {"breast-cancer": "breast_cancer.ipynb", "house-prices": "evaluate.ipynb"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A clone of the project with everything that `make demo` makes before the demo."""
    made = Machine(tmp_path)
    made.has("dirname", "realpath", "basename", "cmp", "du")
    clone = tmp_path / "clone"
    (clone / "scripts").mkdir(parents=True)
    for name in ("demo", "setup-engine"):
        shutil.copy(SCRIPTS / name, clone / "scripts" / name)
    (tmp_path / "make-base.code").write_text("0")
    programs = {"scripts/make-base": MAKE_BASE, "venv/bin/repro": REPRO}
    for example in EXAMPLES:
        programs[f"examples/{example}/.venv/bin/python"] = ""
    for place, text in programs.items():
        (clone / place).parent.mkdir(parents=True, exist_ok=True)
        (clone / place).write_text(text)
        (clone / place).chmod(0o755)
    for example in EXAMPLES:
        for place in ("requirements.txt", ".venv/requirements.txt"):
            (clone / "examples" / example / place).write_text("numpy==2.2.1\n")
    return made


def demo(machine: Machine) -> tuple[int, str]:
    clone = machine.root / "clone"
    return machine.run(clone / "scripts" / "demo", str(clone / "venv"))


def loop(base: str) -> list[str]:
    """The calls of repro, all with that base."""
    return [
        f"{example}: {call} ({base})"
        for example, notebook in EXAMPLES.items()
        for call in (f"capture {notebook}", f"build -t repro-demo/{example}", f"verify repro-demo/{example}")
    ]


def test_with_an_engine(machine: Machine) -> None:
    machine.program("docker", DOCKER)
    code, output = demo(machine)
    assert code == 0, output
    assert machine.calls("make-base") == ["make-base "]
    assert machine.calls("repro") == loop("no REPRO_BASE")
    assert machine.calls("docker")[-1] == "run --rm --network none repro-demo/breast-cancer"
    assert machine.calls("apt") == machine.calls("bwrap") == []


@needs_debian
@pytest.mark.parametrize("installed", [True, False])
def test_without_an_engine(machine: Machine, installed: bool) -> None:
    (machine.root / "no-engine").touch()
    if installed:
        machine.program("bwrap", bwrap())
    code, output = demo(machine)
    assert code == 0, output
    base = machine.root / ".local" / "share" / "repro" / "bases" / "repro-base-bookworm.tar"
    assert machine.calls("make-base") == [f"make-base --archive {base}"]
    assert machine.calls("repro") == loop(f"docker-archive:{base}")
    wanted = [] if installed else ["update -qq", "install -y -qq --no-install-recommends bubblewrap"]
    assert machine.calls("apt") == wanted
    assert "$ du -sh examples/breast-cancer/.repro/images" in output
    assert output.splitlines()[-1] == "  $ docker run --rm --network none repro-demo/breast-cancer"


def test_podman_without_its_socket_is_no_engine_that_repro_can_use(machine: Machine) -> None:
    (machine.root / "no-engine").touch()
    machine.program("podman", "#!/bin/bash\nexit 0\n")
    machine.program("bwrap", bwrap())
    machine.env["XDG_DATA_HOME"] = str(machine.root / "data")
    code, output = demo(machine)
    assert code == 0, output
    assert machine.calls("repro") == loop(f"docker-archive:{machine.root}/data/repro/bases/repro-base-bookworm.tar")


def test_a_base_that_is_named_is_used(machine: Machine) -> None:
    machine.program("bwrap", bwrap())
    machine.env["REPRO_BASE"] = "oci:/bases"
    code, output = demo(machine)
    assert code == 0, output
    assert machine.calls("make-base") == []
    assert machine.calls("repro") == loop("oci:/bases")


def test_without_a_base_captures_ask_a_registry(machine: Machine) -> None:
    machine.program("bwrap", bwrap())
    (machine.root / "make-base.code").write_text("4")
    code, output = demo(machine)
    assert code == 0, output
    assert "captures ask a registry" in output
    assert machine.calls("repro") == loop("no REPRO_BASE")


def test_an_interrupted_base_ends_the_demo(machine: Machine) -> None:
    machine.program("bwrap", bwrap())
    (machine.root / "make-base.code").write_text("130")
    code, _ = demo(machine)
    assert code == 130
    assert machine.calls("repro") == []


@needs_debian
def test_with_nothing_to_run_images_it_does_not_start(machine: Machine) -> None:
    machine.user(1000)
    code, output = demo(machine)
    assert code == 4
    assert "sudo apt-get install bubblewrap" in output
    assert machine.calls("repro") == machine.calls("make-base") == []
