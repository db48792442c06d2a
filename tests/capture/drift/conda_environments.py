"""An environment as conda leaves it, with records and nothing else, and the Python packages that are in it."""

import json
from dataclasses import replace
from pathlib import Path

from repro.capture.drift import Drift, drift
from repro.capture.model import Distribution, Interpreter
from tests.capture.drift.projects import interpreter
from tests.capture.packages.installed import write

CHANNEL = "https://conda.anaconda.org/conda-forge"
INSTALLED = (
    "numpy=1.26.4=py311h_0",
    "libblas=3.9.0=20_openblas",
    "openssl=1.1.1w=hd590300_0",
    "python=3.11.7=h_cpython",
)
SITE = "lib/python3.11/site-packages"


def record(label: str, projects: tuple[str, ...] = (), depends: tuple[str, ...] = ()) -> dict[str, object]:
    """What conda-meta says of a package, and that it brings these projects."""
    name, version, build = label.split("=")
    fn = f"{name}-{version}-{build}.conda"
    return {
        "name": name,
        "version": version,
        "build": build,
        "build_number": 0,
        "subdir": "linux-64",
        "channel": f"{CHANNEL}/linux-64",
        "url": f"{CHANNEL}/linux-64/{fn}",
        "fn": fn,
        "depends": list(depends),
        "files": [f"{SITE}/{project}-{version}.dist-info/METADATA" for project in projects],
    }


def conda_environment(prefix: Path, *records: dict[str, object], pip: tuple[Distribution, ...] = ()) -> Interpreter:
    """An interpreter in such an environment; what the records bring is installed as they say."""
    meta = prefix / "conda-meta"
    meta.mkdir(parents=True, exist_ok=True)
    found = list(pip)
    for one in records:
        (meta / f"{one['name']}.json").write_text(json.dumps(one), encoding="utf-8")
        for path in one["files"]:  # type: ignore[attr-defined]
            folder = prefix / Path(path).parent
            project = folder.name.split("-")[0]
            found.append(Distribution(project, str(one["version"]), folder.parent, folder, installer="conda"))
    version = next((str(one["version"]) for one in records if one["name"] == "python"), "3.11.7")
    return replace(interpreter(*found, version=version), prefix=prefix)


def plain_environment(prefix: Path, *labels: str, pip: tuple[Distribution, ...] = ()) -> Interpreter:
    """The same from `name=version=build`; of these numpy is a Python package."""
    made = (
        record(label, ("numpy",), ("python >=3.11,<3.12.0a0",)) if label.startswith("numpy=") else record(label)
        for label in labels or INSTALLED
    )
    return conda_environment(prefix, *made, pip=pip)


def found(root: Path, files: dict[str, str], installed: Interpreter, **imported: tuple[str, ...]) -> list[Drift]:
    write(root, files)
    return list(drift(root, installed, imported))


def said(drifts: list[Drift]) -> list[str]:
    """Kind, level and what is said of each."""
    return [f"{one.kind} {one.level}: {one.what}" for one in drifts]
