"""One environment with what laptops collect over the years goes from capture to a verdict, and the lock says all of it.

A package edited by hand, a sitecustomize, a zipped egg without a RECORD, a namespace spread over two packages, code on
PYTHONPATH, a second copy of a package, and a requirements file that says otherwise.
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from repro.engines import ImageInfo
from repro.lock import load_lock
from tests.capture.packages.installed import Venv, write
from tests.capture.plain_wheels import plain_wheel

pytestmark = pytest.mark.engine

SCRIPT = """
import json, sys
import edited, local_code, zipped_egg, spread.one, spread.two
total = sys.by_hand + edited.VALUE + local_code.VALUE + zipped_egg.VALUE + spread.one.VALUE + spread.two.VALUE
json.dump({"total": total}, open("metrics.json", "w"))
"""
EXTENDED = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"


def make_egg(site: Path) -> None:
    with zipfile.ZipFile(site / "zipped_egg-1.0-py3.egg", "w") as egg:
        egg.writestr("zipped_egg/__init__.py", "VALUE = 100\n")
        egg.writestr("EGG-INFO/PKG-INFO", "Metadata-Version: 1.0\nName: zipped-egg\nVersion: 1.0\n")
        egg.writestr("EGG-INFO/top_level.txt", "zipped_egg\n")
    (site / "easy-install.pth").write_text("./zipped_egg-1.0-py3.egg\n")


def make_project(folder: Path, base: str) -> Path:
    project = folder / "project"
    venv = Venv(project / ".venv")
    site = next((venv.path / "lib").glob("python3*/site-packages"))
    venv.uv("--no-index", plain_wheel(folder, "edited", {"edited.py": "VALUE = 1\n"}))
    for part, value in (("one", 1000), ("two", 10000)):
        files = {"spread/__init__.py": EXTENDED, f"spread/{part}.py": f"VALUE = {value}\n"}
        venv.uv("--no-index", plain_wheel(folder, f"spread-{part}", files))
    (site / "edited.py").unlink()
    (site / "edited.py").write_text("VALUE = 2\n")
    (site / "sitecustomize.py").write_text("import sys; sys.by_hand = 100000\n")
    make_egg(site)
    second = folder / "second"
    venv.uv("--no-index", "--target", second, plain_wheel(folder, "spread-two", {"unused.py": ""}, "0.5"))
    (site / "second.pth").write_text(f"{second}\n")
    write(project, {"evaluation/evaluate.py": SCRIPT, "src/local_code.py": "VALUE = 10\n"})
    write(
        project,
        {
            "repro.toml": f"[base]\nimage = '{base}'\n",
            "requirements.txt": "edited==0.9\nspread-one\n",
        },
    )
    return project


def repro(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    environ = {**kept, "PYTHONPATH": str(project / "src"), "REPRO_CACHE_DIR": str(project.parent / "cache")}
    command = [sys.executable, "-m", "repro", *args]
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=600)


def test_all_of_it_is_locked_told_and_verified(tmp_path: Path, base_image: ImageInfo) -> None:
    project = make_project(tmp_path, base_image.tags[0])
    capture = ("capture", "evaluation/evaluate.py", "--no-predict")
    refused = repro(project, *capture)
    assert refused.returncode == 2
    assert "edited 1.0: edited.py was edited after it was installed" in refused.stderr
    assert "--allow-patched edited" in refused.stderr
    assert not (project / "repro.lock").exists()

    capture += ("--allow-patched", "edited")
    refused = repro(project, *capture)
    assert refused.returncode == 2
    assert "let it in with --allow-loose sitecustomize" in " ".join(refused.stderr.split())
    capture += ("--allow-loose", "sitecustomize")
    captured = repro(project, *capture)
    assert captured.returncode == 0, captured.stderr
    told = " ".join((captured.stdout + captured.stderr).split())
    for words in (
        "edited 1.0 goes into the image as it is installed, with the changes in edited.py",
        "requirements.txt: edited ==0.9 is declared, 1.0 is installed",
        "the run imported what no file declares, so that it works by accident: spread-two, zipped-egg",
        "for spread-two 0.5 (1.0 is locked)",
    ):
        assert words in told

    lock, _ = load_lock(project / "repro.lock")
    packages = {package.name: package for package in lock.packages}
    assert {name: package.patched for name, package in packages.items()} == {
        "edited": ("edited.py",),
        "loose-sitecustomize": (),
        "spread-one": (),
        "spread-two": (),
        "zipped-egg": (),
    }
    assert lock.environment.variables["PYTHONPATH"] == "../src"
    before = (project / "repro.lock").read_bytes()
    assert repro(project, *capture).returncode == 0
    assert (project / "repro.lock").read_bytes() == before, "a second capture gives the same bytes"

    tag = "repro-test/odd-environment:1"
    try:
        built = repro(project, "build", "-t", tag)
        assert built.returncode == 0, built.stderr
        verified = repro(project, "verify", tag, "--report", "json=verdict.json")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        subprocess.run(["docker", "rmi", "-f", tag], check=False, capture_output=True)
    verdict = json.loads((project / "verdict.json").read_bytes())
    assert verdict["outcome"] == "verified"
    assert lock.metrics[0].value == 111112
