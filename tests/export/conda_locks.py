"""A lock with conda packages for two platforms, and conda-lock itself, which reads what is exported."""

import atexit
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import uv

from repro.lock import CondaPackage, Lock, Package, PackageFile
from tests.lock.samples import conda_package, digest, package, plain_lock

AMD, ARM = "linux/amd64", "linux/arm64"
BOTH = (AMD, ARM)

_READ = """
import json, pathlib, sys
from conda_lock.conda_lock import render_lockfile_for_platform
from conda_lock.lockfile import parse_conda_lock_file, write_conda_lock_file

path, again = map(pathlib.Path, sys.argv[1:])
read = parse_conda_lock_file(path)
explicit = {
    platform: render_lockfile_for_platform(
        lockfile=read, include_dev_dependencies=True, extras=None, kind="explicit", platform=platform
    )
    for platform in read.metadata.platforms
}
write_conda_lock_file(read, again, metadata_choices=None, include_help_text=False)
print(json.dumps({"metadata": json.loads(read.metadata.model_dump_json()), "explicit": explicit}))
"""


def built(name: str, version: str, build: str, *depends: str, target: str = AMD, **more: Any) -> CondaPackage:
    """A package as conda-forge publishes it."""
    subdir = more.pop("subdir", {AMD: "linux-64", ARM: "linux-aarch64"}[target])
    plain = conda_package(name, version, build, target=target, subdir=subdir, depends=depends)
    url = f"https://conda.anaconda.org/conda-forge/{subdir}/{plain.file}"
    return replace(plain, **{"url": url, "md5": digest(f"md5 of {plain.file}").hex[:32], **more})


def conda_lock_lock() -> Lock:
    """Python and pip that need each other, a BLAS, what is of no architecture, and two packages of pip's."""
    packages = []
    for target in BOTH:
        packages += [
            built("python", "3.11.7", "hab00c5b_0_cpython", "libgcc >=12", "__glibc >=2.17", "pip", target=target),
            built("pip", "24.0", "pyhd8ed1ab_0", "python >=3.9", "python <3.13", target=target, subdir="noarch"),
            built("libgcc", "13.2.0", "h77fa898_1", "_libgcc_mutex 0.1 conda_forge", "__glibc >=2.17", target=target),
            built("_libgcc_mutex", "0.1", "conda_forge", target=target),
            built("libblas", "3.9.0", "20_openblas", "libopenblas >=0.3.25,<1.0a0", target=target),
            built("libopenblas", "0.3.25", "pthreads_h413a1c8_0", "libgcc >=12.3.0", target=target),
            built("numpy", "1.26.4", "py311h_0", "libblas >=3.9.0,<4.0a0", "python_abi 3.11.* *_cp311", target=target),
            built("python_abi", "3.11", "4_cp311", target=target, channel="bioconda"),
            built("all", "1.0", "0", "one", "other", target=target),
            built("one", "1.0", "0", "other", target=target),
            built("other", "1.0", "0", "one", "numpy", target=target),
        ]
    mine = PackageFile("mine-0.1-py3-none-any.whl", digest("mine"), 300, None, BOTH)
    six = package("six", "1.10")
    both = replace(six, files=(replace(six.files[0], targets=BOTH),))
    lock = plain_lock()
    return replace(
        lock,
        targets=BOTH,
        conda=tuple(packages),
        packages=(both, Package("mine", "0.1", "editable", ".", (mine,))),
        python=replace(lock.python, supply="conda", packed=None),
    )


def read_by_conda_lock(path: Path) -> dict[str, Any]:
    """What conda-lock takes a file for: its metadata, and the explicit file that it makes of it for each platform.

    As `again`, the file as conda-lock would have written it.
    """
    again = path.with_name("again.yml")
    command = [conda_lock_python(), "-c", _READ, path, again]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "again": again.read_text(encoding="utf-8")}


@functools.cache
def conda_lock_python() -> Path:
    """The interpreter of an environment of its own, as pipx makes it: conda-lock wants older versions than ours."""
    folder = Path(tempfile.mkdtemp(prefix="repro-conda-lock-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    python = folder / "bin" / "python"
    for arguments in (["venv", "--python", sys.executable, folder], ["pip", "install", "--python", python, _WANTED]):
        subprocess.run([uv.find_uv_bin(), "--quiet", *arguments], check=True, capture_output=True)
    return python


_WANTED = "conda-lock>=4.0,<5"
