"""Which interpreter is chosen, and what is said when none, several, or only a broken one could be meant."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
import uv

from repro.capture import interpreters, kernelspecs
from repro.capture.kernels import list_kernels, resolve_kernel
from repro.capture.model import Kernel
from repro.errors import InfrastructureError, UsageError

UV = uv.find_uv_bin()


def run(*args: str | Path) -> None:
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.fixture(scope="session")
def ipykernel_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a real ipykernel in it, which test environments share by a .pth file."""
    folder = tmp_path_factory.mktemp("ipykernel") / "site"
    run(UV, "pip", "install", "--quiet", "--python", sys.executable, "--target", folder, "ipykernel")
    return folder


@dataclass
class Laptop:
    """A laptop on which nothing is installed yet but a Python on PATH."""

    folder: Path
    kernel_site: Path
    environ: dict[str, str]

    @property
    def project(self) -> Path:
        return self.folder / "mein projekt ü"

    @property
    def user_data(self) -> Path:
        return self.folder / "home" / ".local" / "share" / "jupyter"

    def environment(self, path: Path, *, kernel: bool = True, spec: bool = True) -> Path:
        """A virtual environment, with ipykernel and the spec of its wheel; returns its interpreter."""
        run(UV, "venv", "--quiet", "--python", sys.executable, path)
        if kernel:
            site = next((path / "lib").glob("python3*/site-packages"))
            (site / "ipykernel.pth").write_text(f"{self.kernel_site}\n", encoding="utf-8")
            if spec:
                self.spec(path / "share" / "jupyter", "python3", ["python", "-m", "ipykernel_launcher"])
        return path / "bin" / "python"

    def spec(self, data: Path, name: str, argv: Sequence[str | Path], language: str = "python", **more: Any) -> Path:
        """Register a kernel under one of Jupyter's data directories."""
        folder = data / "kernels" / name
        folder.mkdir(parents=True)
        command = [*map(str, argv), "-f", "{connection_file}"]
        content = {"argv": command, "display_name": f"My {name}", "language": language, **more}
        (folder / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    def resolve(
        self,
        name: str | None = "python3",
        *,
        kernel: str | None = None,
        python: str | Path | None = None,
        **metadata: Any,
    ) -> Kernel:
        """Resolve the kernel of a notebook that names `name`, in a directory of the project."""
        notebook = nbformat.v4.new_notebook(metadata=metadata)
        if name:
            notebook.metadata.setdefault("kernelspec", {"name": name, "display_name": name, "language": "python"})
        return self._resolve("evaluate.ipynb", notebook, kernel, python)

    def resolve_script(self, *, kernel: str | None = None) -> Kernel:
        return self._resolve("evaluate.py", None, kernel, None)

    def _resolve(self, subject: str, notebook: Any, kernel: str | None, python: str | Path | None) -> Kernel:
        return resolve_kernel(
            self.project / "notebooks" / subject,
            self.project,
            notebook=notebook,
            kernel=kernel,
            python=None if python is None else Path(python),
            environ=self.environ,
        )

    def refused(self, *args: Any, **options: Any) -> UsageError:
        with pytest.raises(UsageError) as caught:
            self.resolve(*args, **options)
        return caught.value


@pytest.fixture
def laptop(tmp_path: Path, ipykernel_site: Path, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    monkeypatch.setattr(kernelspecs, "SYSTEM_FOLDERS", (tmp_path / "usr" / "share" / "jupyter",))
    (tmp_path / "mein projekt ü" / "notebooks").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    return Laptop(tmp_path, ipykernel_site, {"HOME": str(tmp_path / "home"), "PATH": "/nowhere"})


# --- the right one


def test_the_projects_environment(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    assert laptop.resolve() == Kernel("python3", python, {}, ".venv of the project")
    assert laptop.resolve(None) == Kernel(None, python, {}, ".venv of the project")
    assert laptop.resolve_script() == Kernel(None, python, {}, ".venv of the project")


def test_the_active_environment(laptop: Laptop) -> None:
    python = laptop.environment(laptop.folder / "active")
    laptop.environ["VIRTUAL_ENV"] = str(laptop.folder / "active")
    assert laptop.resolve().python == python


def test_a_registered_kernel_that_the_notebook_names_beats_all_environments(laptop: Laptop) -> None:
    laptop.environment(laptop.project / ".venv")
    python = laptop.environment(laptop.folder / "other", spec=False)
    folder = laptop.spec(laptop.user_data, "My-Env", [python, "-m", "ipykernel_launcher"], env={"A": "1"})
    assert laptop.resolve("my-env") == Kernel("my-env", python, {"A": "1"}, f"kernelspec my-env in {folder}")


def test_a_spec_from_a_wheel_belongs_to_the_prefix_that_owns_it(laptop: Laptop) -> None:
    """Its `python` is neither the one on PATH nor the one that runs repro."""
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        prefix = laptop.folder / f"owner of {name}"
        python = laptop.environment(prefix, spec=False)
        laptop.spec(prefix / "share" / "jupyter", f"own-{name}", [name, "-m", "ipykernel_launcher"])
        laptop.environ["JUPYTER_PATH"] = str(prefix / "share" / "jupyter")
        assert laptop.resolve(f"own-{name}").python.parent == python.parent


def test_every_directory_of_jupyter_path_is_searched(laptop: Laptop) -> None:
    python = laptop.environment(laptop.folder / "env", spec=False)
    laptop.spec(laptop.folder / "second", "shared", [python, "-m", "ipykernel_launcher"])
    laptop.environ["JUPYTER_PATH"] = f"{laptop.folder / 'first'}{os.pathsep}{os.pathsep}{laptop.folder / 'second'}"
    assert laptop.resolve("shared").python == python


@pytest.mark.parametrize(
    ("variable", "value", "data"),
    [
        ("JUPYTER_DATA_DIR", "data", "data"),
        ("XDG_DATA_HOME", "xdg", "xdg/jupyter"),
        ("IPYTHONDIR", "ipython", "ipython"),
        ("HOME", "elsewhere", "elsewhere/.ipython"),
        ("HOME", "elsewhere", "elsewhere/.local/share/jupyter"),
        ("HOME", "home", "usr/share/jupyter"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows have their own directories")
def test_every_place_of_jupyter_is_searched(laptop: Laptop, variable: str, value: str, data: str) -> None:
    python = laptop.environment(laptop.folder / "env", spec=False)
    laptop.spec(laptop.folder / data, "mine", [python])
    laptop.environ[variable] = str(laptop.folder / value)
    assert laptop.resolve("mine").python == python


def test_variables_of_the_spec_are_given_with_references_filled_in(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv", spec=False)
    env = {"THREADS": 4, "LIB": "${HOME}/lib:$MISSING"}
    laptop.spec(laptop.project / ".venv" / "share" / "jupyter", "python3", ["python"], env=env)
    filled = {"THREADS": "4", "LIB": f"{laptop.folder}/home/lib:$MISSING"}
    assert laptop.resolve() == Kernel("python3", python, filled, ".venv of the project")
    assert laptop.resolve(kernel="python3").env == filled
    assert laptop.resolve_script().env == {}


def test_the_spec_of_nb_conda_kernels_names_its_environment(laptop: Laptop) -> None:
    python = laptop.environment(laptop.folder / "conda env")
    runner = ["/opt/conda/bin/python", "-m", "nb_conda_kernels.runner"]
    metadata = {"conda_env_name": "ml", "conda_env_path": str(laptop.folder / "conda env")}
    laptop.spec(laptop.user_data, "conda-env-ml-py", runner, metadata=metadata)
    assert laptop.resolve("conda-env-ml-py").python == python


def test_options_beat_what_the_notebook_names(laptop: Laptop) -> None:
    laptop.environment(laptop.project / ".venv")
    other = laptop.environment(laptop.folder / "other")
    laptop.spec(laptop.user_data, "other", [other])
    assert laptop.resolve(kernel="OTHER").python == other
    assert laptop.resolve(python=other) == Kernel(None, other, {}, "--python")
    assert laptop.resolve(python=laptop.folder / "other").python == other, "an environment's directory"
    assert laptop.resolve_script(kernel="other").python == other
    laptop.environ["PATH"] = str(other.parent)
    assert laptop.resolve(python="python3").python == other.with_name("python3"), "a name on PATH"


def test_names_made_up_by_editors_say_nothing(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    for name in ("python3811jvsc74a57bd0916dbcbb", "pycharm-1a2b3c", "python3.11", "Python3"):
        assert laptop.resolve(name).python == python


def test_the_same_interpreter_found_twice_is_one(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    (laptop.folder / "link").symlink_to(laptop.project / ".venv")
    laptop.environ["VIRTUAL_ENV"] = str(laptop.folder / "link")
    laptop.spec(laptop.user_data, "python3", [python.with_name("python3")], env={"A": "1"})
    assert laptop.resolve().env == {"A": "1"}
    assert laptop.resolve().python.samefile(python)


def test_a_systems_kernel_gives_way_to_a_projects_environment(laptop: Laptop) -> None:
    system = laptop.environment(laptop.folder / "system", spec=False)
    laptop.spec(laptop.folder / "usr" / "share" / "jupyter", "python3", [system])
    assert laptop.resolve().python == system
    python = laptop.environment(laptop.project / ".venv")
    assert laptop.resolve().python == python
    assert laptop.resolve(kernel="python3").python == python


def test_kernels_of_less_telling_places_are_no_rivals(laptop: Laptop) -> None:
    """conda's base environment has a python3 of its own, which is no contradiction to the project's."""
    base = laptop.environment(laptop.folder / "conda")
    (laptop.folder / "conda" / "condabin").mkdir()
    laptop.environ["CONDA_PREFIX"] = str(laptop.folder / "conda")
    assert laptop.resolve(kernel="python3").python == base
    project = laptop.environment(laptop.project / ".venv")
    assert laptop.resolve(kernel="python3").python == laptop.resolve().python == project


def test_conda_base_counts_only_when_it_can_run_notebooks(laptop: Laptop) -> None:
    base = laptop.environment(laptop.folder / "conda", kernel=False)
    (laptop.folder / "conda" / "condabin").mkdir()
    laptop.environ["CONDA_PREFIX"] = str(laptop.folder / "conda")
    system = laptop.environment(laptop.folder / "system", spec=False)
    laptop.spec(laptop.folder / "usr" / "share" / "jupyter", "python3", [system])
    assert laptop.resolve().python == system
    assert laptop.resolve_script().python == base


def test_python_on_path_is_the_last_resort_and_shims_are_followed(laptop: Laptop) -> None:
    python = laptop.environment(laptop.folder / "versions" / "real")
    shims = laptop.folder / "shims"
    shims.mkdir()
    (shims / "python3").write_text(f"#!/bin/sh\nexec '{python}' \"$@\"\n")
    (shims / "python3").chmod(0o755)
    broken = laptop.folder / "broken"
    broken.mkdir()
    (broken / "python3").write_text("#!/bin/sh\necho 'pyenv: version not installed' >&2; exit 127\n")
    (broken / "python3").chmod(0o755)
    laptop.environ["PATH"] = os.pathsep.join([str(broken), str(shims), "/bin"])
    assert laptop.resolve() == Kernel("python3", python, {}, "python3 on PATH")
    assert laptop.resolve(python=shims / "python3").python == python


def test_a_spec_of_pip_install_user_means_python_on_path(laptop: Laptop) -> None:
    """~/.local owns the spec but not the interpreter, whatever lies in ~/.local/bin."""
    laptop.environment(laptop.folder / "home" / ".local", kernel=False)
    python = laptop.environment(laptop.folder / "real")
    laptop.spec(laptop.user_data, "python3", ["python", "-m", "ipykernel_launcher"], env={"A": "1"})
    laptop.environ["PATH"] = f"{python.parent}:/bin"
    found = laptop.resolve()
    assert (found.python.samefile(python), found.python.parent, found.env) == (True, python.parent, {"A": "1"})


@pytest.fixture
def own(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """repro's own environment, active, first on PATH, with a kernel in it."""
    prefix = laptop.folder / "repro tool"
    laptop.environment(prefix)
    monkeypatch.setattr(interpreters.sys, "prefix", str(prefix))
    laptop.environ |= {"VIRTUAL_ENV": str(prefix), "PATH": f"{prefix / 'bin'}:/bin"}
    return prefix


def test_repros_own_environment_never_shadows_the_users(laptop: Laptop, own: Path) -> None:
    laptop.environ["JUPYTER_PATH"] = str(own / "share" / "jupyter")
    system = laptop.environment(laptop.folder / "system", spec=False)
    laptop.spec(laptop.folder / "usr" / "share" / "jupyter", "python3", [system])
    assert laptop.resolve().python == system
    project = laptop.environment(laptop.project / "venv")
    assert laptop.resolve().python == project
    assert laptop.resolve(kernel="python3").python == project


def test_repros_own_environment_is_used_when_it_has_a_kernel_and_nothing_else_is_there(
    laptop: Laptop, own: Path
) -> None:
    assert laptop.resolve().python == own / "bin" / "python"
    assert laptop.resolve_script().python == own / "bin" / "python"
    next(own.glob("lib/python3*/site-packages/ipykernel.pth")).unlink()
    python = laptop.environment(laptop.folder / "other")
    laptop.environ["PATH"] = f"{own / 'bin'}{os.pathsep}{python.parent}"
    assert laptop.resolve_script().python.parent == python.parent
    assert laptop.resolve().python.parent == python.parent


# --- none, several, broken


def test_environments_that_differ_are_asked_about(laptop: Laptop) -> None:
    active = laptop.environment(laptop.folder / "active")
    laptop.environ["VIRTUAL_ENV"] = str(laptop.folder / "active")
    project = laptop.environment(laptop.project / ".venv")
    registered = laptop.environment(laptop.folder / "registered", spec=False)
    folder = laptop.spec(laptop.user_data, "python3", [registered])
    error = laptop.refused(language_info={"name": "python", "version": "3.9.1"})
    assert error.problems == (
        f"{registered} (kernelspec python3 in {folder})",
        f"{active} (VIRTUAL_ENV, the active environment)",
        f"{project} (.venv of the project)",
    )
    assert error.where == "notebooks/evaluate.ipynb"
    assert error.fix is not None
    assert "--python PATH" in error.fix
    assert "--kernel NAME" in error.fix
    assert "last saved under Python 3.9.1" in error.details
    assert laptop.resolve(python=project).python == project


def test_kernels_of_one_name_that_differ_are_asked_about(laptop: Laptop) -> None:
    first, second = (laptop.environment(laptop.folder / name, spec=False) for name in ("first", "second"))
    laptop.spec(laptop.user_data, "ml", [first])
    laptop.spec(laptop.folder / "shared", "ml", [second])
    laptop.environ["JUPYTER_PATH"] = str(laptop.folder / "shared")
    error = laptop.refused("ml")
    assert [problem.partition(" (")[0] for problem in error.problems] == [str(second), str(first)]


def test_a_missing_kernel_is_told_with_all_that_there_are(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    julia = laptop.spec(laptop.user_data, "julia-1.9", ["/opt/julia"], language="julia")
    for error in (laptop.refused("tf-gpu"), laptop.refused(kernel="tf-gpu")):
        assert str(error) == "notebooks/evaluate.ipynb: there is no kernel named tf-gpu here"
        assert error.details.splitlines() == [
            "Available here:",
            f"  julia-1.9 “My julia-1.9”: julia ({julia})",
            f"  python3 “My python3”: {python} ({laptop.project}/.venv/share/jupyter/kernels/python3)",
            f"  .venv of the project: {python} ({laptop.project}/.venv)",
        ]


def test_kernels_of_other_languages_are_refused(laptop: Laptop) -> None:
    laptop.environment(laptop.project / ".venv")
    laptop.spec(laptop.user_data, "ir", ["R", "--slave"], language="R")
    r = {"name": "ir", "display_name": "R", "language": "R"}
    told = [
        laptop.refused(kernelspec=r),
        laptop.refused(kernelspec=r, python=sys.executable),
        laptop.refused("ir"),
        laptop.refused(kernel="ir"),
        laptop.refused(None, language_info={"name": "R"}),
    ]
    for error in told:
        assert re.search(r"runs R; only Python can be captured", str(error)), error
        assert "ir “My ir”: R" in error.details


def test_a_kernel_that_is_no_plain_python_is_refused(laptop: Laptop) -> None:
    laptop.spec(laptop.user_data, "wrapped", ["/usr/bin/env", "bash", "start.sh"])
    laptop.spec(laptop.user_data, "relative", ["env/bin/python"])
    broken = laptop.spec(laptop.user_data, "broken", [])
    (broken / "kernel.json").write_text("{")
    assert "`/usr/bin/env bash start.sh`, not a Python interpreter" in str(laptop.refused("wrapped"))
    assert "`env/bin/python` is a relative path" in str(laptop.refused("relative"))
    assert "its kernel.json can't be read" in str(laptop.refused("broken"))


@pytest.mark.parametrize("content", ["[]", '{"argv": 5}', '{"argv": ["python"], "env": 3}', "null", "\ud800"])
def test_broken_specs_are_listed_as_broken(laptop: Laptop, content: str) -> None:
    folder = laptop.spec(laptop.user_data, "broken", [])
    (folder / "kernel.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    [entry] = list_kernels(laptop.project, laptop.project, laptop.environ)
    assert (entry.name, entry.where) == ("broken", folder)
    assert "can't be read" in str(entry)


def test_a_link_to_a_deleted_python_is_told(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    python.unlink()
    python.symlink_to("/pyenv/versions/3.9.1/bin/python3.9")
    expected = f"{python} is a link to /pyenv/versions/3.9.1/bin/python3.9, which no longer exists"
    laptop.spec(laptop.user_data, "mine", [python])
    assert f".venv of the project: its interpreter {expected}" in str(laptop.refused())
    assert f"the kernel mine can't be used: its interpreter {expected}" in str(laptop.refused("mine"))
    assert expected in str(laptop.refused(python=python))
    good = laptop.environment(laptop.folder / "good")
    laptop.environ["VIRTUAL_ENV"] = str(laptop.folder / "good")
    assert laptop.resolve().python == good, "a broken one is no rival of one that works"


def test_a_version_that_pyenv_lacks_is_told(laptop: Laptop) -> None:
    (laptop.folder / "home" / ".pyenv" / "versions").mkdir(parents=True)
    (laptop.project / ".python-version").write_text("3.9.1")
    assert "asks for Python 3.9.1, which pyenv does not have" in str(laptop.refused())


def test_no_python_at_all(laptop: Laptop) -> None:
    assert "there is no python3 on PATH" in str(laptop.refused())
    assert "does not exist" in str(laptop.refused(python="python3.99"))
    assert "there is no Python in" in str(laptop.refused(python=laptop.folder))


def test_an_environment_without_ipykernel_is_told_how_to_get_it(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv", kernel=False)
    error = laptop.refused()
    assert str(error) == (
        f"notebooks/evaluate.ipynb: {python} (.venv of the project) can't run notebooks: "
        "ipykernel is not installed there"
    )
    assert f"`uv pip install --python '{python}' ipykernel`" in (error.fix or "")
    assert laptop.resolve_script().python == python, "scripts need none"


def test_an_environment_with_pip_is_told_to_use_it(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv", kernel=False)
    (next((laptop.project / ".venv").glob("lib/python3*/site-packages")) / "pip.py").touch()
    assert f"`'{python}' -m pip install ipykernel`" in (laptop.refused().fix or "")


def test_conda_is_told_to_use_conda(laptop: Laptop) -> None:
    laptop.environment(laptop.folder / "ml", kernel=False)
    laptop.environ["CONDA_PREFIX"] = str(laptop.folder / "ml")
    assert f"`conda install --prefix {laptop.folder}/ml ipykernel`" in (laptop.refused().fix or "")


def test_an_ipykernel_that_does_not_work_shows_why(laptop: Laptop) -> None:
    laptop.environment(laptop.project / ".venv", kernel=False)
    site = next((laptop.project / ".venv").glob("lib/python3*/site-packages"))
    (site / "ipykernel.py").write_text("import zmq_that_is_not_there\n")
    error = laptop.refused()
    assert "ipykernel does not work there" in str(error)
    assert error.details == "ModuleNotFoundError: No module named 'zmq_that_is_not_there'"


def test_an_interpreter_that_does_not_start_is_told(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    python.unlink()
    shutil.copy("/bin/false", python)
    with pytest.raises(InfrastructureError, match="failed to describe itself"):
        laptop.resolve()


def test_the_list_has_kernels_and_environments(laptop: Laptop) -> None:
    python = laptop.environment(laptop.project / ".venv")
    laptop.spec(laptop.user_data, "ir", ["R"], language="R")
    laptop.spec(laptop.user_data, "path", ["python3"])
    listed = list_kernels(laptop.project, laptop.project / "notebooks", laptop.environ)
    assert [(one.name, one.language, one.python, one.problem) for one in listed] == [
        ("ir", "R", None, None),
        ("path", "python", None, None),
        ("python3", "python", python, None),
        (None, "python", python, None),
    ]
    assert "python3 on PATH" in str(listed[1])
