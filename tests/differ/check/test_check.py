"""A lock against its project: what is true stays silent, and each thing that isn't is named with its cure."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from repro.differ.check import Finding, Report, check
from repro.differ.tree import TreeOptions
from repro.digest import Digest
from repro.errors import IntegrityError, UsageError
from repro.lock import Gates, Lock, Metric, Policy, PredictedImage, PredictedLayer, Subject, Tolerance, render_lock
from repro.progress import Silent
from repro.report.check import check_text
from repro.report.style import Style
from tests.differ import projects
from tests.lock.samples import conda_package

NOTHING = {"PATH": ""}
"""An environment in which no Python is found."""


def look(path: Path, **options: object) -> Report:
    return check(path, TreeOptions(**{"surroundings": False, "environ": NOTHING, **options}), Silent())  # type: ignore[arg-type]


def found(report: Report, name: str) -> tuple[Finding, ...]:
    return next(item for item in report.items if item.name == name).findings


def stale(report: Report) -> dict[str, list[str]]:
    """What is stale, by what was looked at."""
    levels = {item.name: [one.subject for one in item.findings if one.level == "stale"] for item in report.items}
    return {name: subjects for name, subjects in levels.items() if subjects}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return projects.write(tmp_path / "my projekt ü")


def test_a_true_lock_is_true(path: Path) -> None:
    report = look(path)
    assert not report.stale
    assert not report.edited
    assert [item.name for item in report.items] == [
        *("lock", "subject", "files", "inputs", "settings", "requirements", "environment"),
    ]
    assert found(report, "files") == ()
    environment = report.items[-1]
    assert environment.status == "skipped"
    assert "--python" in environment.what
    assert report.digest == str(Digest.of(path.read_bytes()))


def test_nothing_is_written_but_what_git_ignores(path: Path) -> None:
    before = {one: one.read_bytes() for one in path.parent.rglob("*") if one.is_file()}
    look(path)
    after = {one for one in path.parent.rglob("*") if one.is_file() and ".repro" not in one.parts}
    assert after == set(before)


def test_changed_code_is_named_with_what_changed(path: Path) -> None:
    root = path.parent
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, "commit", "-qm", "one"], cwd=root, check=True)
    (root / "helpers.py").write_text("def auc(path):\n    return 0.5\n", encoding="utf-8")
    (root / "conf.yaml").write_text("# changed\na: 1\n", encoding="utf-8")
    report = look(path)
    assert stale(report) == {"files": ["helpers.py", "conf.yaml"]}
    code, layout = found(report, "files")
    assert code.details[0] == "function auc: changed"
    assert "only its layout differs" in layout.what


def test_without_the_old_content_the_file_is_named_all_the_same(path: Path) -> None:
    (path.parent / "helpers.py").write_text("def auc(path):\n    return 0.5\n", encoding="utf-8")
    (finding,) = found(look(path), "files")
    assert finding.subject == "helpers.py"
    assert "not at hand" in finding.details[0]


def test_data_that_changed_or_is_gone(path: Path) -> None:
    (path.parent / "data" / "x.csv").write_text("a,b\n1,2\n3,5\n", encoding="utf-8")
    (path.parent / "conf.yaml").unlink()
    report = look(path)
    assert stale(report) == {"files": ["conf.yaml", "data/x.csv"]}
    assert "there is no such file" in found(report, "files")[0].what
    (files,) = (item for item in report.items if item.name == "files")
    assert "hashed" in files.what
    assert " of " in files.what  # the one that is gone wasn't


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such mode")
def test_a_file_that_became_executable(path: Path) -> None:
    (path.parent / "evaluate.py").chmod(0o755)
    assert stale(look(path)) == {"files": ["evaluate.py"]}


def test_files_that_come_from_elsewhere_need_not_be_here(tmp_path: Path) -> None:
    lock = projects.lock()
    files = tuple(replace(f, source="s3://bucket/x.csv") if f.path == "data/x.csv" else f for f in lock.files)
    path = projects.write(tmp_path, replace(lock, files=files))
    (tmp_path / "data" / "x.csv").unlink()
    report = look(path)
    assert not report.stale
    (finding,) = found(report, "files")
    assert (finding.level, finding.cure) == ("note", "repro pull data/x.csv")
    (tmp_path / "data").rename(tmp_path / "a b")
    spaced = tuple(replace(f, path=f.path.replace("data/", "a b/")) for f in files)
    (finding,) = found(look(projects.write(tmp_path, replace(lock, files=spaced))), "files")
    assert finding.cure == "repro pull 'a b/x.csv'"


def test_a_subject_that_is_gone_is_told_once(path: Path) -> None:
    (path.parent / "evaluate.py").unlink()
    report = look(path)
    assert stale(report) == {"subject": ["evaluate.py"]}
    assert "repro capture evaluate.py" not in check_text(report, Style(80))  # there is nothing to capture


def test_a_notebook_with_another_kernel_and_only_other_outputs(tmp_path: Path) -> None:
    files = {"n.ipynb": projects.notebook("a = 1")}
    lock = replace(projects.lock(files), subject=Subject("notebook", "n.ipynb", "python3"))
    path = projects.write(tmp_path, lock, files)
    assert not look(path).stale
    document = json.loads(files["n.ipynb"])
    document["metadata"]["kernelspec"] = {"name": "other", "display_name": "x", "language": "python"}
    (tmp_path / "n.ipynb").write_text(json.dumps(document), encoding="utf-8")
    report = look(path)
    assert stale(report) == {"subject": ["n.ipynb"], "files": ["n.ipynb"]}
    assert "other" in found(report, "subject")[0].what


def test_files_that_changed_sources_name_for_the_first_time(path: Path, tmp_path: Path) -> None:
    root = path.parent
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"], cwd=root, check=True
    )
    (root / "more.csv").write_text("1\n", encoding="utf-8")
    (root / "extra.py").write_text("x = 1\n", encoding="utf-8")
    text = projects.SCRIPT + 'import extra\nopen("more.csv").read()\n'
    (root / "evaluate.py").write_text(text, encoding="utf-8")
    assert stale(look(path)) == {"files": ["evaluate.py"], "inputs": ["extra.py", "more.csv"]}


def test_files_that_were_always_named_and_never_read_are_no_news(tmp_path: Path) -> None:
    files = {**projects.FILES, "evaluate.py": b'if False:\n    open("train.csv").read()\n    import never\n'}
    path = projects.write(tmp_path, projects.lock(files), files)
    (tmp_path / "train.csv").write_text("1\n", encoding="utf-8")
    (tmp_path / "never.py").write_text("x = 1\n", encoding="utf-8")
    assert not look(path).stale
    assert found(look(path), "inputs") == ()


@pytest.mark.parametrize("name", ["json", "local_settings"])
def test_a_module_that_would_be_imported_now(tmp_path: Path, name: str) -> None:
    source = b"import json\ntry:\n    import local_settings\nexcept ImportError:\n    pass\n"
    files = {**projects.FILES, "evaluate.py": source}
    path = projects.write(tmp_path, replace(projects.lock(files), modules={"python": ("json",)}), files)
    assert not look(path).stale
    (tmp_path / f"{name}.py").write_text("x = 1\n", encoding="utf-8")
    assert stale(look(path)) == {"inputs": [f"{name}.py"]}


@pytest.mark.parametrize(
    ("settings", "subjects"),
    [
        ("[run]\ntimeout = 90\n", ["timeout"]),
        ("[run]\nthreads = 1\n", ["threads"]),
        ('[run]\nenv = ["MODE"]\n', ["MODE"]),
        ('[limits]\nmemory = "1g"\n', ["memory"]),
        ("[metrics.policy.auc]\nrelative = 0.5\n", ["auc relative"]),
        ('[metrics.policy.auc]\ndirection = "higher"\nmin = 0.05\n', ["auc direction", "auc minimum"]),
        ('[metrics.policy.f1]\ndirection = "higher"\n', ["[metrics.policy.f1]"]),
        ("[metrics.policy.auc]\nband = true\n", ["auc"]),
        ("[metrics.policy.auc]\nsamples = 7\n", ["auc samples", "auc"]),
        ('[metrics]\nexclude = ["a*"]\n', ["auc", "metrics-exclude"]),
        ('[image]\nencoding = "gzip"\n', ["layers"]),
        ('[base]\nimage = "python:3.12"\n', ["base image"]),
        ('[python]\nsupply = "pack"\n', ["supply of Python"]),
        ('[files]\nmount = ["data"]\n', ["data/x.csv"]),
        ('[files]\ndata = ["conf.yaml"]\n', ["conf.yaml"]),
        ('[sources]\n"data/x.csv" = "s3://bucket/x.csv"\n', ["data/x.csv"]),
    ],
)
def test_settings_that_would_make_another_lock(path: Path, settings: str, subjects: list[str]) -> None:
    (path.parent / "repro.toml").write_text(settings, encoding="utf-8")
    assert stale(look(path)) == {"settings": subjects}


def test_settings_that_include_and_exclude_files(path: Path) -> None:
    (path.parent / "new.yaml").write_text("a: 1\n", encoding="utf-8")
    (path.parent / "repro.toml").write_text('[files]\ninclude = ["*.yaml"]\nexclude = ["data"]\n', encoding="utf-8")
    assert stale(look(path)) == {"files": ["data/x.csv"], "inputs": ["new.yaml"]}


def test_what_was_said_on_the_command_line_is_a_note(tmp_path: Path) -> None:
    lock = projects.lock()
    policy = Policy(600.0, 60.0, None, allow_patch_drift=False, metrics_files=("metrics.json",))
    path = projects.write(tmp_path, replace(lock, policy=policy, subject=replace(lock.subject, args=("--fast",))))
    report = look(path)
    assert not report.stale
    assert [(one.level, one.subject) for one in found(report, "settings")] == [
        ("note", "timeout"),
        ("note", "cell-timeout"),
        ("note", "arguments"),
    ]


def test_what_activating_a_conda_environment_sets_is_a_note(tmp_path: Path) -> None:
    lock = projects.lock()
    environment = replace(lock.environment, variables={"PYTHONHASHSEED": "0", "GDAL_DATA": "/opt/env/share/gdal"})
    path = projects.write(tmp_path, replace(lock, environment=environment))
    assert stale(look(path)) == {"settings": ["GDAL_DATA"]}
    conda = (conda_package("gdal"),)
    path = projects.write(tmp_path, replace(lock, environment=environment, conda=conda))
    report = look(path)
    assert not report.stale
    assert [(one.level, one.subject) for one in found(report, "settings")] == [("note", "variables")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('skip-scripts = ["gdk-pixbuf"]', []),
        ('run-scripts = ["gdk-pixbuf"]', ["post-link script of gdk-pixbuf for linux/amd64: run is said, and skip"]),
        ("", ["[conda]: neither skip-scripts nor run-scripts names gdk-pixbuf"]),
    ],
)
def test_what_becomes_of_condas_scripts_is_a_setting(tmp_path: Path, settings: str, said: list[str]) -> None:
    conda = (conda_package("gdk-pixbuf", scripts="skip"), conda_package("zlib"))
    path = projects.write(tmp_path, replace(projects.lock(), conda=conda))
    (tmp_path / "repro.toml").write_text(f"[conda]\n{settings}\n", encoding="utf-8")
    found_stale = [one.what for one in found(look(path), "settings") if one.level == "stale"]
    assert len(found_stale) == len(said)
    assert all(what.startswith(start) for what, start in zip(found_stale, said, strict=True))


def test_policies_that_are_said_and_locked_are_true(tmp_path: Path) -> None:
    metric = Metric("auc", 0.1, "metrics.json", "higher", Tolerance(relative=0.5), gates=Gates(minimum=0.05))
    path = projects.write(tmp_path, replace(projects.lock(), metrics=(metric,)))
    text = '[metrics.policy.auc]\ndirection = "higher"\nrelative = 0.5\nmin = 0.05\n'
    (tmp_path / "repro.toml").write_text(text, encoding="utf-8")
    assert not look(path).stale
    (tmp_path / "repro.toml").write_text("", encoding="utf-8")
    assert stale(look(path)) == {"settings": ["auc direction", "auc absolute", "auc relative", "auc minimum"]}


def with_packages(**versions: str) -> Lock:
    chosen = tuple(
        replace(one, version=versions.get(one.name, one.version)) for one in projects.packages() if one.name in versions
    )
    return replace(projects.lock(), packages=chosen)


def test_declared_packages_are_compared_with_the_lock_without_an_environment(tmp_path: Path) -> None:
    path = projects.write(tmp_path, with_packages(click="8.1.0", rich="13.0"))
    (tmp_path / "requirements.txt").write_text("click==8.1.0\nrich>=13\n", encoding="utf-8")
    assert not look(path).stale
    (tmp_path / "requirements.txt").write_text("click==8.2.0\nrich>=13\nnumpy\n", encoding="utf-8")
    report = look(path)
    assert stale(report) == {"requirements": ["click", "numpy"]}
    assert found(report, "requirements")[0].what == "click ==8.2.0 is declared, 8.1.0 is locked"


def here(path: Path, **options: object) -> Report:
    return look(path, python=Path(sys.executable), environ=dict(os.environ), **options)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Lock:
    """A lock of the environment that runs the tests."""
    return replace(projects.lock(), packages=projects.packages())


def test_the_installed_environment_is_what_is_locked(tmp_path: Path, environment: Lock) -> None:
    path = projects.write(tmp_path, environment)
    report = here(path)
    assert stale(report) == {}
    assert report.items[-1].status == "true"
    (tmp_path / "requirements.txt").write_text("click==1.0\n", encoding="utf-8")
    drifted = here(path)
    assert not drifted.stale
    assert drifted.warned


def test_each_package_that_differs_is_named_with_its_cure(tmp_path: Path, environment: Lock) -> None:
    changed = {"click": "1.0"}
    gone = {"rich"}
    packages = [replace(p, version=changed.get(p.name, p.version)) for p in environment.packages if p.name not in gone]
    more = replace(
        packages[0], name="not-here", version="2.0", origin="index", files=(projects.wheel("not_here", "2.0"),)
    )
    native = projects.wheel("six", "1.0", "cp311-cp311-manylinux_2_28_x86_64")
    packages = [replace(p, files=(native,)) if p.name == "packaging" else p for p in packages]
    path = projects.write(tmp_path, replace(environment, packages=(*packages, more)))
    told = {one.subject: one for one in found(here(path), "environment")}
    assert set(told) - {"repro"} == {"click", "rich", "not-here", "packaging"}
    assert told["repro"].level == "note"  # an editable install: its locked wheel is not here
    assert told["click"].cure == "pip install click==1.0, or capture again"
    assert told["rich"].cure == "pip uninstall rich, or capture again"
    assert told["not-here"].cure == "pip install not-here==2.0, or capture again"
    assert "another build" in told["packaging"].what


def test_another_python_is_named(tmp_path: Path, environment: Lock) -> None:
    path = projects.write(tmp_path, replace(environment, python=replace(environment.python, version="3.8.1")))
    assert stale(here(path)) == {"environment": ["Python"]}


@pytest.mark.parametrize("locked", [0, 1])
def test_a_python_of_nobody_is_not_compared(path: Path, locked: int) -> None:
    packages = (replace(projects.packages()[0], name="torch", version="2.0"),)[:locked]
    lock = replace(projects.lock(), packages=packages)
    path.write_bytes(render_lock(lock))
    folder = str(Path(sys.executable).parent)
    report = look(path, environ={**os.environ, "PATH": folder, "VIRTUAL_ENV": "", "CONDA_PREFIX": ""})
    assert report.items[-1].status == "skipped"


def test_what_is_to_be_known_of_the_lock(tmp_path: Path) -> None:
    lock = projects.lock()
    images = (
        PredictedImage("linux/amd64", 0, Digest.of(b"c"), None, (PredictedLayer("code", Digest.of(b"d"), None, None),)),
    )
    path = projects.write(
        tmp_path, replace(lock, runner=replace(lock.runner, sha256=Digest.of(b"x")), predicted=images)
    )
    report = look(path)
    assert not report.stale
    assert [(one.level, one.subject) for one in found(report, "lock")] == [
        ("warning", "runner"),
        ("warning", "predicted"),
    ]
    old = path.read_bytes().replace(b'version = "1.4"', b'version = "1.3"', 1)
    path.write_bytes(old)
    assert found(look(path), "lock")[0].subject == "format"


def test_errors_are_those_of_the_lock_and_the_settings(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no lock here"):
        look(tmp_path / "none.lock")
    with pytest.raises(UsageError, match="no lock"):
        look(path.parent / "helpers.py")
    (path.parent / "repro.toml").write_text("[run]\nno = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="settings"):
        look(path)
    path.write_bytes(path.read_bytes().replace(b"[subject]", b"[subjects]"))
    with pytest.raises(IntegrityError):
        look(path)
    with pytest.raises(UsageError):
        look(projects.write(tmp_path / "b"), python=tmp_path / "none")
