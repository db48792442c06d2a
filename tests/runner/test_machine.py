"""What a run tells of the machine under it."""

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from repro import runner
from repro.runner.machine import ask_interpreter, cpu_features, describe_machine
from repro.runner.trace import read_choices

NVIDIA_SMI = """#!/bin/sh
case "$*" in
*--query-gpu*) printf 'NVIDIA L4, 550.54.15\\nNVIDIA L4, 550.54.15\\n' ;;
*) echo '| NVIDIA-SMI 550.54.15   Driver Version: 550.54.15   CUDA Version: 12.4 |' ;;
esac
"""


def test_the_machine_is_described_the_same_twice() -> None:
    facts = describe_machine()
    assert facts == describe_machine()
    assert {"system", "kernel", "architecture", "processor", "cpus", "all_cpus"} <= facts.keys()
    assert all(facts.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu pni sse4_2 avx2 fma avx512f avx512_vnni hypervisor\n", "avx2 avx512_vnni avx512f fma pni"),
        ("Features\t: fp asimd evtstrm aes asimdhp asimddp sve i8mm bf16\n", "asimd asimddp asimdhp bf16 i8mm sve"),
        ("processor : 0\n", ""),
    ],
)
def test_only_features_that_decide_numeric_code_are_kept(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "cpuinfo").write_text(text * 2)
    assert set(cpu_features(tmp_path / "cpuinfo")) >= set(expected.split())
    assert not {"fpu", "hypervisor", "fp", "aes"} & set(cpu_features(tmp_path / "cpuinfo"))


def test_gpus_are_told_by_the_program_of_their_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    facts = describe_machine()
    assert (facts["gpus"], facts["driver"], facts["cuda"]) == ("NVIDIA L4; NVIDIA L4", "550.54.15", "12.4")
    program.write_text("#!/bin/sh\nexit 9\n")
    assert "gpus" not in describe_machine()


def pythons() -> list[str]:
    """The interpreter that runs the tests, and those that pyenv has from 3.9 on."""
    found = sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
    return [sys.executable, *(str(one) for one in found if int(one.parent.parent.name.split(".")[1]) >= 9)]


@pytest.mark.parametrize("python", pythons())
def test_an_interpreter_of_any_age_tells_what_its_surroundings_came_to(python: str, tmp_path: Path) -> None:
    variables = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7", "MKL_CBWR": "AVX2", "MY_TOKEN": "x"}
    found = ask_interpreter(python, variables, tmp_path)
    assert found.settings is not None
    assert {"build", "libc", "encoding"} <= found.settings.keys()
    told = {"time zone": "JST +0900, JST +0900", "locale": "C.UTF-8", "hash seed": "7", "$MKL_CBWR": "AVX2"}
    assert {name: found.settings[name] for name in told} == told
    assert "x" not in found.settings.values()


def test_surroundings_that_came_to_nothing_are_told_as_what_they_are(tmp_path: Path) -> None:
    found = ask_interpreter(sys.executable, {"TZ": "Nowhere/Atall", "LC_ALL": "xx_XX.UTF-8"}, tmp_path)
    assert found.settings is not None
    assert found.settings["time zone"].split(", ")[0].endswith("+0000")
    assert found.settings["locale"].startswith("none")
    assert found.settings["hash seed"] == "random"


def test_an_interpreter_that_isnt_there_tells_nothing(tmp_path: Path) -> None:
    assert ask_interpreter("/no/such/python", {}, tmp_path).settings is None


def test_what_packages_chose_for_this_cpu_is_told_of_the_first_process(tmp_path: Path) -> None:
    lines = [
        '{"t": 2, "k": "choice", "p": "AVX2", "n": "numpy dispatch"}',
        '{"t": 1, "k": "choice", "p": "SSE", "n": "numpy dispatch"}',
    ]
    (tmp_path / "1-0.jsonl").write_text("\n".join(lines) + "\n")
    assert read_choices(tmp_path) == {"numpy dispatch": "SSE"}


def hook_module(name: str) -> ModuleType:
    """A module of the hook's folder, which nobody imports otherwise."""
    spec = importlib.util.spec_from_file_location(name, Path(runner.__file__).parent / "hook" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_packages_chose_is_asked_of_those_that_are_loaded() -> None:
    """By stand-ins with their attributes: neither package is here."""
    hook = hook_module("repro_libraries")
    core = SimpleNamespace(
        __cpu_baseline__=["SSE"], __cpu_dispatch__=["AVX2", "AVX512F"], __cpu_features__={"SSE": True, "AVX2": True}
    )
    assert hook._numpy({"numpy.core._multiarray_umath": core}) == "SSE AVX2"
    cuda = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False))
    cudnn = SimpleNamespace(allow_tf32=True, version=lambda: 90100)
    torch = SimpleNamespace(
        backends=SimpleNamespace(cuda=cuda, cudnn=cudnn), are_deterministic_algorithms_enabled=lambda: False
    )
    assert hook.choices({"torch": torch}) == {
        "torch tf32": "matmul False, cudnn True",
        "torch cudnn": "90100",
        "torch deterministic": "False",
    }


def conda_record(prefix: Path, name: str, *files: str) -> None:
    document = {"name": name, "files": list(files), "paths_data": {"paths": [{"_path": one} for one in files]}}
    place = prefix / "conda-meta" / f"{name}.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(document, indent=2))


def test_an_interpreter_tells_conda_packages_and_what_came_with_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    (site,) = tmp_path.glob("lib/python*/site-packages")
    inside = site.relative_to(tmp_path).as_posix()
    for folder, name in (("torch-2.1.dist-info", "torch"), ("By_Pip-1.0.dist-info", "By.Pip")):
        (site / folder).mkdir()
        (site / folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (site / "old-1.0-py3.11.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 1.0\n")
    conda_record(tmp_path, "pytorch-2.1-cpu_mkl_py311_0", f"{inside}/torch-2.1.dist-info/METADATA")
    conda_record(tmp_path, "old-thing-1.0-py_0", f"{inside}/old-1.0-py3.11.egg-info", "bin/old")
    conda_record(tmp_path, "replaced-1.0-py_0", f"{inside}/By_Pip-0.9.dist-info/METADATA")
    (tmp_path / "conda-meta" / "pinned").touch()
    answer = ask_interpreter(str(tmp_path / "bin" / "python"), {}, tmp_path)
    assert answer.conda == {"pytorch": "2.1 cpu_mkl_py311_0", "old-thing": "1.0 py_0", "replaced": "1.0 py_0"}
    assert answer.brought == {"torch": "pytorch", "old": "old-thing"}
    assert set(answer.packages or ()) == {"torch", "by-pip", "old"}


def test_an_interpreter_outside_of_conda_tells_nothing_of_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    answer = ask_interpreter(str(tmp_path / "bin" / "python"), {}, tmp_path)
    assert (answer.version != "", answer.conda, answer.brought) == (True, {}, {})
