"""What a run tells of the machine under it."""

import os
import stat
from pathlib import Path

import pytest

from repro.runner.machine import cpu_features, describe_machine

NVIDIA_SMI = """#!/bin/sh
case "$*" in
*--query-gpu*) printf 'NVIDIA L4, 550.54.15\\nNVIDIA L4, 550.54.15\\n' ;;
*) echo '| NVIDIA-SMI 550.54.15   Driver Version: 550.54.15   CUDA Version: 12.4 |' ;;
esac
"""


def test_the_machine_is_described_the_same_twice() -> None:
    facts = describe_machine()
    assert facts == describe_machine()
    assert {"system", "kernel", "architecture", "processor", "cpus"} <= facts.keys()
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
