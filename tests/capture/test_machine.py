"""The machine in the lock is the one in the run's record."""

from repro.capture.machine import machine_of
from repro.lock import Machine, NativeLibrary
from repro.runner.documents import RunRecord


def test_every_fact_of_the_record_is_kept() -> None:
    blas = {"name": "openblas", "file": "libopenblas.so.0", "version": "0.3.29", "kernel": "Haswell", "threads": 2}
    openmp = {"name": "libgomp", "file": "libgomp.so.1", "version": None, "kernel": None, "threads": 2}
    facts = {
        "system": "Debian GNU/Linux 12 (bookworm)",
        "kernel": "6.1.0",
        "architecture": "x86_64",
        "glibc": "2.36",
        "processor": "AMD EPYC",
        "features": "avx2 fma",
        "cpus": "2",
        "gpus": "NVIDIA L4; NVIDIA L4",
        "driver": "550.54",
        "cuda": "12.4",
    }
    assert machine_of(RunRecord(machine=facts, libraries=(blas, openmp))) == Machine(
        system="Debian GNU/Linux 12 (bookworm)",
        kernel="6.1.0",
        architecture="x86_64",
        libc="glibc 2.36",
        processor="AMD EPYC",
        features=("avx2", "fma"),
        cpus=2,
        gpus=("NVIDIA L4", "NVIDIA L4"),
        driver="550.54",
        cuda="12.4",
        libraries=(
            NativeLibrary("openblas", "libopenblas.so.0", "0.3.29", "Haswell", 2),
            NativeLibrary("libgomp", "libgomp.so.1", None, None, 2),
        ),
    )


def test_a_machine_that_tells_little_is_no_error() -> None:
    machine = machine_of(RunRecord())
    assert (machine.system, machine.libc, machine.cpus, machine.libraries) == ("unknown", None, 0, ())
