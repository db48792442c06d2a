"""Makes the recordings anew: real wheels of other systems, described by the probe, looked up on the real index.

Usage: python -m tests.capture.recorded.record   in the root of the repository; takes a few GB below the temporary
directory for a while.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import uv

from repro.capture.model import Distribution
from repro.capture.packages.choose import MACHINES, best_wheel, target_tags
from repro.capture.packages.core_metadata import published_requirements
from repro.capture.packages.index import IndexClient, IndexFile
from repro.capture.packages.lock_packages import lock_packages
from repro.capture.packages.origins import LocalWheel
from repro.capture.packages.settings import IndexSettings
from repro.capture.probe import interpreter_of
from repro.progress import Silent
from repro.store import ObjectStore

FOLDER = Path(__file__).parent
GLIBC = "2.36"


@dataclass(frozen=True)
class Laptop:
    file: str
    uv_platform: str
    site: str
    facts: dict[str, Any]
    tool: str
    packages: tuple[str, ...]


def _facts(
    version: str, system: str, machine: str, platform: str, soabi: str, prefix: str, base: str
) -> dict[str, Any]:
    windows = system == "Windows"
    library = f"{prefix}\\Lib\\site-packages" if windows else f"{prefix}/lib/python{version[:4]}/site-packages"
    scripts = f"{prefix}\\Scripts" if windows else f"{prefix}/bin"
    stdlib = f"{base}\\Lib" if windows else f"{base}/lib/python{version[:4]}"
    return {
        "executable": f"{scripts}\\python.exe" if windows else f"{scripts}/python",
        "base_executable": f"{base}\\python.exe" if windows else f"{base}/bin/python{version[:4]}",
        "prefix": prefix,
        "base_prefix": base,
        "implementation": "cpython",
        "version": version,
        "system": system,
        "machine": machine,
        "platform": platform,
        "soabi": soabi,
        "glibc": None,
        "paths": {
            "stdlib": stdlib,
            "platstdlib": stdlib,
            "purelib": library,
            "platlib": library,
            "scripts": scripts,
            "data": prefix,
            "include": f"{base}\\Include" if windows else f"{base}/include/python{version[:4]}",
        },
        "sys_path": [stdlib, library],
    }


_MAC = _facts(
    "3.11.9",
    "Darwin",
    "arm64",
    "macosx-11.0-arm64",
    "cpython-311-darwin",
    "/Users/ada/churn/.venv",
    "/opt/homebrew/opt/python@3.11/Frameworks/Python.framework/Versions/3.11",
)
_WINDOWS = _facts(
    "3.12.5",
    "Windows",
    "AMD64",
    "win-amd64",
    "cp312-win_amd64",
    "C:\\Users\\ada\\churn\\.venv",
    "C:\\Users\\ada\\AppData\\Local\\Programs\\Python\\Python312",
)

LAPTOPS = (
    Laptop(
        "macos-arm64.json",
        "aarch64-apple-darwin",
        _MAC["paths"]["purelib"],
        _MAC,
        "uv",
        ("numpy==1.26.4", "pandas==2.2.2", "scikit-learn==1.5.1", "ipykernel==6.29.5", "torch==2.5.1"),
    ),
    Laptop(
        "windows-amd64.json",
        "x86_64-pc-windows-msvc",
        _WINDOWS["paths"]["purelib"],
        _WINDOWS,
        "pip",
        (
            "numpy==2.1.1",
            "pandas==2.2.3",
            "scikit-learn==1.5.2",
            "ipykernel==6.29.5",
            "jupyter-core==5.7.2",
            "tqdm==4.66.5",
        ),
    ),
)


class Recorder(IndexClient):
    """An index client that remembers which releases it was asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(IndexSettings(), cache=ObjectStore(folder / "cache"), pages=folder / "pages")
        self.releases: dict[tuple[str, str], list[IndexFile]] = {}

    def files(self, name: str, version: str) -> list[IndexFile]:
        found = super().files(name, version)
        if found:
            self.releases[name, version] = found
        return found


def main() -> None:
    """Write every recording."""
    for laptop in LAPTOPS:
        with tempfile.TemporaryDirectory() as folder:
            recording = _record(laptop, Path(folder))
        (FOLDER / laptop.file).write_text(json.dumps(recording, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _record(laptop: Laptop, folder: Path) -> dict[str, Any]:
    site = folder / "site"
    version = laptop.facts["version"]
    where = ["--python-platform", laptop.uv_platform, "--python-version", version, "--only-binary", ":all:"]
    subprocess.run([uv.find_uv_bin(), "pip", "install", *where, "--target", site, *laptop.packages], check=True)
    probe = {**laptop.facts, "distributions": _distributions(laptop, site), "shadowed": []}
    client = Recorder(folder)
    lock_packages(
        interpreter_of(probe),
        targets=tuple(MACHINES),
        glibc=GLIBC,
        client=client,
        local_wheels=lambda _: None,
        built_wheels=_nothing,
        store=ObjectStore(folder / "objects"),
        progress=Silent(),
    )
    index = {
        f"{name}=={release}": list(_facts_of(files, version, client))
        for (name, release), files in client.releases.items()
    }
    return {"probe": probe, "index": index}


def _nothing(distribution: Distribution, files: object) -> LocalWheel:
    raise AssertionError(distribution.name, files)


def _distributions(laptop: Laptop, site: Path) -> list[dict[str, Any]]:
    """What the probe says of the folder, moved to where the laptop has it."""
    source = resources.files("repro.capture").joinpath("probe_script.py").read_text(encoding="utf-8")
    script = f"import sys, json\nexec({source!r})\nprint(json.dumps(_choose(_scan([{str(site)!r}]))[0]))"
    found = json.loads(subprocess.check_output([sys.executable, "-c", script]))
    asked = {package.partition("==")[0] for package in laptop.packages}
    slash = "\\" if laptop.facts["system"] == "Windows" else "/"
    for one in found:
        one["metadata"] = laptop.site + slash + Path(one["metadata"]).name
        one["location"] = laptop.site
        one["installer"] = laptop.tool
        one["requested"] = laptop.tool == "uv" or one["name"] in asked
    return found


def _facts_of(files: Iterable[IndexFile], version: str, client: IndexClient) -> Iterable[dict[str, Any]]:
    """Files that the laptop or Linux could use, and the requirements of the wheels that Linux would take."""
    short = f"cp{version[0]}{version[2:4]}"
    kept = [file for file in files if any(part in file.name for part in (short, "abi3", "-none-", ".tar.gz", ".zip"))]
    taken = {best_wheel(kept, target_tags(version, "cpython", target, GLIBC)) for target in MACHINES}
    completed = client.complete(taken - {None})  # type: ignore[arg-type] # None is left out
    for file in kept:
        assert file.sha256 is not None
        facts = {"name": file.name, "sha256": file.sha256.hex, "requires-python": file.requires_python}
        if file in taken:
            requires = [str(one) for one in published_requirements(file, client)]
            facts |= {"requires": requires, "size": completed[file].size}
        yield facts


if __name__ == "__main__":
    main()
