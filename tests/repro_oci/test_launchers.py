"""The frozen texts of programs, and which entry points become one."""

import subprocess
import sys
import venv
from importlib.metadata import EntryPoint as DeclaredEntryPoint
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repro_docker import install_wheels
from repro_oci.launchers import (
    is_generated,
    parse_launchers,
    with_interpreter,
)

from repro.programs import EntryPoint, render_program

PYTHON = "/opt/env/bin/python"


def names(text: str) -> dict[str, tuple[str, str]]:
    launchers, problems = parse_launchers(text)
    assert not problems
    return {one.name: (one.module, one.attribute) for one in launchers}


def test_a_launcher_has_this_text() -> None:
    assert render_program(EntryPoint("demo", "demo.cli", "main"), PYTHON) == (
        b"#!/opt/env/bin/python\n"
        b"import sys\n"
        b"\n"
        b"from demo.cli import main\n"
        b"\n"
        b'if __name__ == "__main__":\n'
        b"    sys.exit(main())\n"
    )


def test_a_dotted_attribute_is_imported_by_its_first_part() -> None:
    text = render_program(EntryPoint("demo", "demo", "App.run.now"), PYTHON)
    assert text.splitlines()[3:] == [
        b"from demo import App",
        b"",
        b'if __name__ == "__main__":',
        b"    sys.exit(App.run.now())",
    ]


@pytest.mark.parametrize(
    ("interpreter", "quoted"),
    [
        ("/opt/my env/bin/python", b"'/opt/my env/bin/python'"),
        (f"/{'e' * 124}", b"/" + b"e" * 124),
        ("/opt/it's mine/python", b"'/opt/it'\"'\"'s mine/python'"),
    ],
)
def test_an_interpreter_that_a_first_line_can_not_hold_is_run_by_a_shell(interpreter: str, quoted: bytes) -> None:
    text = render_program(EntryPoint("demo", "demo", "main"), interpreter)
    assert text.startswith(b"#!/bin/sh\n'''exec' " + quoted + b" \"$0\" \"$@\"\n' '''\nimport sys\n")
    compile(text, "demo", "exec")


def test_127_bytes_are_a_first_line_and_128_are_not() -> None:
    longest = f"/{'e' * 123}"
    assert render_program(EntryPoint("demo", "demo", "main"), longest).startswith(f"#!{longest}\n".encode())
    assert render_program(EntryPoint("demo", "demo", "main"), longest + "e").startswith(b"#!/bin/sh\n")


@pytest.mark.parametrize("folder", ["plain", "with space", "l" * 120, "it's 'quoted'"])
def test_launchers_run_wherever_the_environment_is(tmp_path: Path, folder: str) -> None:
    home = tmp_path / folder
    venv.create(home, symlinks=True)
    (tmp_path / "demo.py").write_text(
        "import sys\nclass App:\n    def run():\n        print(sys.argv, sys.prefix)\n        return 7\n"
    )
    program = tmp_path / "demo"
    program.write_bytes(render_program(EntryPoint("demo", "demo", "App.run"), str(home / "bin" / "python")))
    program.chmod(0o755)
    done = subprocess.run(
        [program, "a b", "*"], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{[str(program), 'a b', '*']} {home}\n"


def test_scripts_get_the_interpreter_for_their_first_line() -> None:
    assert with_interpreter(b"#!python\nprint(1)\n", PYTHON) == b"#!/opt/env/bin/python\nprint(1)\n"
    assert with_interpreter(b"#!pythonw -E\r\nprint(1)\r\n", PYTHON) == b"#!/opt/env/bin/python\nprint(1)\r\n"
    assert with_interpreter(b"#!python", PYTHON) == b"#!/opt/env/bin/python\n"
    assert with_interpreter(b"#!python\nx", "/a b/python").startswith(b"#!/bin/sh\n'''exec' '/a b/python'")


def test_extras_comments_and_other_groups_say_nothing() -> None:
    text = """
        # comment
        [console_scripts]
        demo = demo.cli:main [fast,small]
        Demo=demo : App.run

        [demo.plugins]
        other = not even valid
        [gui_scripts]
        window = demo.gui:main
    """
    assert names(text) == {"Demo": ("demo", "App.run"), "demo": ("demo.cli", "main"), "window": ("demo.gui", "main")}


def test_the_later_of_two_wins_and_windows_are_later() -> None:
    assert names("[console_scripts]\na = one:f\na = two:g\n") == {"a": ("two", "g")}
    assert names("[gui_scripts]\na = gui:f\n[console_scripts]\na = console:g\n") == {"a": ("gui", "f")}


@pytest.mark.parametrize(
    "line",
    [
        "demo = demo",
        "demo",
        "demo = demo:",
        "demo = demo:main()",
        "demo = demo:main; import os",
        "demo = demo..cli:main",
        "demo = 1demo:main",
        "demo = demo:main\\\n",
        "= demo:main",
        "../demo = demo:main",
        "/bin/sh = demo:main",
        "sub/demo = demo:main",
        "sub\\demo = demo:main",
        "c:demo = demo:main",
        ".. = demo:main",
        ".wh.sh = demo:main",
        "de\x1bmo = demo:main",
    ],
)
def test_what_can_not_be_a_program_is_named(line: str) -> None:
    launchers, problems = parse_launchers(f"[console_scripts]\n{line}\ngood = demo:main\n")
    assert [one.name for one in launchers] == ["good"]
    assert len(problems) == 1
    assert problems[0].startswith("entry point ")


@pytest.mark.parametrize("name", ["demo", "demo.exe", "DEMO.EXE", "demo-script.py", "demo.pya", "demo-Script.PY"])
def test_files_that_setuptools_made_of_entry_points_are_known(name: str) -> None:
    assert is_generated(name, {"demo", "DEMO"})
    assert not is_generated(name, {"other"})


SPACE = st.sampled_from(["", " ", "  "])
WORD = st.sampled_from(["a", "b", "demo", "x1", "_y"])
DOTTED = st.lists(WORD, min_size=1, max_size=3).map(".".join)
ENTRY = st.builds(
    "{0}{1}{2}={2}{3}{2}:{2}{4}{5}".format, SPACE, WORD, SPACE, DOTTED, DOTTED, st.sampled_from(["", " [x]", " [x, y]"])
)
LINE = st.one_of(ENTRY, st.sampled_from(["", "# a = b:c", "[console_scripts]", "[gui_scripts]", "  [other]  "]))


@settings(deadline=None, max_examples=150)
@given(lines=st.lists(LINE, max_size=8))
def test_entry_points_are_read_as_the_standard_library_reads_them(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("info")
    (folder / "entry_points.txt").write_text("\n".join(lines))
    known: dict[str, dict[str, DeclaredEntryPoint]] = {"console_scripts": {}, "gui_scripts": {}}
    for point in PathDistribution(folder).entry_points:
        known.get(point.group, {})[point.name] = point
    expected = {**known["console_scripts"], **known["gui_scripts"]}
    found = names("\n".join(lines))
    assert found == {name: (point.module, point.attr) for name, point in expected.items()}
    assert install_wheels.programs("\n".join(lines)) == found
    for name, target in found.items():
        assert install_wheels.launcher(PYTHON, *target) == render_program(EntryPoint(name, *target), PYTHON)


def test_this_python_can_run_what_is_rendered() -> None:
    code = render_program(EntryPoint("demo", "builtins", "print"), sys.executable)
    assert subprocess.run([sys.executable, "-"], input=code, capture_output=True, check=True).stdout == b"\n"
