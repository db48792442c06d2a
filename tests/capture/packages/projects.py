"""Source trees of small projects that exercise every part of a wheel."""

import sys
from pathlib import Path

from tests.capture.packages.installed import run, write

GRAND_TOUR = {
    "pyproject.toml": '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n',
    "setup.py": """
from setuptools import Extension, setup
setup(
    name="Grand.Tour", version="1.02+local.3",
    packages=["tour", "space.part"],
    package_data={"tour": ["*.txt", "*.sh"]},
    ext_modules=[Extension("tour._fast", ["fast.c"])],
    headers=["tour.h"],
    scripts=["scripts/tour-python", "scripts/tour-env", "scripts/tour-shell"],
    data_files=[("share/tour", ["share/thing.dat"]), ("etc/tour", ["etc/tour.conf"])],
    entry_points={"console_scripts": ["tour-main = tour:main"], "gui_scripts": ["tour-gui=tour:main"]},
)
""",
    "MANIFEST.in": "include tour.h fast.c etc/* share/* scripts/*\n",
    "tour/__init__.py": "def main():\n    print('touring')\n",
    "tour/Größe.txt": "größe\n",
    "tour/run.sh": "#!/bin/sh\necho run\n",
    "space/part/__init__.py": "PART = 1\n",
    "fast.c": """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, NULL};
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
""",
    "tour.h": "#define TOUR 1\n",
    "scripts/tour-python": "#!/usr/bin/python3\nimport tour; tour.main()\n",
    "scripts/tour-env": "#!/usr/bin/env bash\necho env\n",
    "scripts/tour-shell": "#!/bin/sh\necho shell\n",
    "share/thing.dat": "thing\n",
    "etc/tour.conf": "key = 1\n",
}

PLAIN = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "plain-thing"
version = "2.0"
requires-python = ">=3.8"
[project.scripts]
plain = "plain_thing:main"
""",
    "src/plain_thing/__init__.py": "def main():\n    print('plain')\n",
    "src/plain_thing/data.csv": "a,b\n1,2\n",
}

FLIT = {
    "pyproject.toml": """
[build-system]
requires = ["flit_core>=3.9"]
build-backend = "flit_core.buildapi"
[project]
name = "flit-thing"
version = "0.1"
description = "A thing."
requires-python = ">=3.8"
""",
    "flit_thing.py": '"""A thing."""\n',
}

POETRY = {
    "pyproject.toml": """
[tool.poetry]
name = "poetry-thing"
version = "0.3"
description = "A thing."
authors = ["Ada <ada@example.org>"]
packages = [{ include = "poetry_thing", from = "src" }]
[tool.poetry.dependencies]
python = ">=3.8"
[build-system]
requires = ["poetry-core>=1.9"]
build-backend = "poetry.core.masonry.api"
""",
    "src/poetry_thing/__init__.py": "POETRY = True\n",
}

PDM = {
    "pyproject.toml": """
[project]
name = "pdm-thing"
version = "0.4"
requires-python = ">=3.8"
[build-system]
requires = ["pdm-backend>=2.3"]
build-backend = "pdm.backend"
""",
    "src/pdm_thing/__init__.py": "PDM = True\n",
}

SETUPTOOLS = {
    "pyproject.toml": """
[project]
name = "src-thing"
version = "0.5"
requires-python = ">=3.8"
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"
""",
    "src/src_thing/__init__.py": "SRC = True\n",
    "src/src_thing/part/__init__.py": "",
}

LEGACY = {
    "setup.py": 'from setuptools import setup\nsetup(name="old-thing", version="0.9", py_modules=["old_thing"])\n',
    "old_thing.py": "OLD = True\n",
}


def make(folder: Path, files: dict[str, str]) -> Path:
    write(folder, files)
    if "tour/run.sh" in files:
        (folder / "tour/run.sh").chmod(0o755)
    return folder


def sdist(tree: Path, out: Path) -> Path:
    run(sys.executable, "-m", "build", "--sdist", "--outdir", out, tree)
    return next(out.glob("*.tar.gz"))
