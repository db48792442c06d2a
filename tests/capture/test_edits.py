"""Which installed files are not as they were installed: real installs, then edited in every way that people do it."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from repro.capture.edits import find_edits
from repro.capture.model import Distribution, Interpreter
from tests.capture.packages.installed import Venv, write
from tests.capture.plain_wheels import plain_wheel

PLAIN = {"plain_thing/__init__.py": "def main():\n    print('plain')\n", "plain_thing/data.csv": "a,b\n1,2\n"}


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    """A package installed by pip and one by uv."""
    venv = Venv(tmp_path / "laptop")
    venv.pip("--no-index", plain_wheel(tmp_path, "plain-thing", PLAIN, "2.0"))
    venv.uv("--no-index", plain_wheel(tmp_path, "flit-thing", {"flit_thing.py": ""}, "0.1"))
    return venv


def site(venv: Venv) -> Path:
    return next((venv.path / "lib").glob("python3*/site-packages"))


def edits(interpreter: Interpreter, *thorough: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {one.label: (one.changed, one.gone) for one in find_edits(interpreter, thorough)}


def changed(path: Path, content: str) -> None:
    """New content in a new file, as editors save; the old one may be a link into an installer's cache."""
    path.unlink()
    path.write_text(content, encoding="utf-8")


def test_fresh_installs_have_no_edits_whatever_is_made_beside_them(venv: Venv) -> None:
    cache = site(venv) / "plain_thing" / "__pycache__" / "__init__.cpython-311.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"compiled")
    write(site(venv), {"plain_thing/notes.txt": "mine"})
    (site(venv) / "plain_thing-2.0.dist-info" / "INSTALLER").write_text("another")
    assert edits(venv.interpreter()) == edits(venv.interpreter(), "plain-thing", "flit-thing") == {}


def test_bytecode_that_a_wheel_brought_may_be_compiled_anew(venv: Venv) -> None:
    path = "plain_thing/__pycache__/__init__.cpython-311.pyc"
    record = site(venv) / "plain_thing-2.0.dist-info" / "RECORD"
    text = record.read_text(encoding="utf-8")
    changed(record, f"{text}{path},sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n")
    write(site(venv), {path: "compiled by pip"})
    assert edits(venv.interpreter()) == edits(venv.interpreter(), "plain-thing") == {}


def test_every_edited_and_every_missing_file_is_named(venv: Venv) -> None:
    changed(site(venv) / "plain_thing" / "data.csv", "a,b\n1,3\n")
    changed(site(venv) / "plain_thing" / "__init__.py", "def main():\n    print('PLAIN')\n")
    (site(venv) / "flit_thing.py").unlink()
    assert edits(venv.interpreter()) == {
        "flit-thing 0.1": ((), ("flit_thing.py",)),
        "plain-thing 2.0": (("plain_thing/__init__.py", "plain_thing/data.csv"), ()),
    }


@pytest.mark.parametrize("content", ["def main():\n    print('PLAIN')\n", "def main():\n    print('a longer text')\n"])
def test_a_time_that_is_put_back_hides_nothing(venv: Venv, content: str) -> None:
    file = site(venv) / "plain_thing" / "__init__.py"
    before = file.stat()
    changed(file, content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert edits(venv.interpreter()) == {"plain-thing 2.0": (("plain_thing/__init__.py",), ())}


def test_what_only_hashes_show_is_found_on_request(venv: Venv) -> None:
    """A RECORD that is newer than the edit, as after a copy of the whole environment."""
    changed(site(venv) / "plain_thing" / "data.csv", "a,b\n1,3\n")
    later = time.time() + 60
    os.utime(site(venv) / "plain_thing-2.0.dist-info" / "RECORD", (later, later))
    assert edits(venv.interpreter()) == {}
    assert edits(venv.interpreter(), "plain-thing") == {"plain-thing 2.0": (("plain_thing/data.csv",), ())}


def test_times_alone_are_no_edit(venv: Venv) -> None:
    for file in site(venv).rglob("*.py"):
        file.touch()
    assert edits(venv.interpreter()) == {}


def test_a_file_of_two_packages_is_right_when_it_is_either_ones(venv: Venv, tmp_path: Path) -> None:
    other = plain_wheel(tmp_path, "other-thing", {**PLAIN, "plain_thing/data.csv": "a,b\n9,9\n"}, "2.0")
    venv.pip("--no-index", other)
    assert edits(venv.interpreter()) == {}, "the second install overwrote a file of the first"
    changed(site(venv) / "plain_thing" / "data.csv", "neither\n")
    assert edits(venv.interpreter()).keys() == {"other-thing 2.0", "plain-thing 2.0"}


def test_packages_that_cannot_tell_have_no_edits(venv: Venv) -> None:
    changed(site(venv) / "plain_thing" / "data.csv", "a,b\n1,3\n")
    plain, interpreter = venv.distribution("plain-thing")

    def seen(one: Distribution) -> dict[str, object]:
        return dict(edits(replace(interpreter, distributions=(one,))))

    assert seen(plain)
    assert seen(replace(plain, editable=True)) == {}
    assert seen(replace(plain, record=False)) == {}
    debian = site(venv).with_name("dist-packages")
    debian.symlink_to(site(venv))
    assert seen(replace(plain, location=debian, installer="")) == {}, "Debian patches and keeps the RECORD of before"


def test_prefixes_that_conda_writes_are_no_edit(venv: Venv) -> None:
    changed(site(venv) / "plain_thing" / "data.csv", f"{venv.path}\n")
    changed(site(venv) / "plain_thing" / "__init__.py", "edited\n")
    plain, interpreter = venv.distribution("plain-thing")
    relocated = replace(interpreter, distributions=(replace(plain, installer="conda"),))
    assert edits(relocated) == {"plain-thing 2.0": (("plain_thing/__init__.py",), ())}
