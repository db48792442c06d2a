"""One laptop for each tool, made once for all tests."""

from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tests.laptops.tools import TOOLS, laptop_environ, make_environment


@dataclass(frozen=True)
class Laptop:
    """A project with a notebook, in an environment of its own. Tests must not change it.

    Attributes:
        tool: What made the environment.
        project: Project root.
        notebook: Path of the notebook, in a directory below the root.
        python: The environment's interpreter.
        environ: The owner's variables.
    """

    tool: str
    project: Path
    notebook: Path
    python: Path
    environ: dict[str, str]


@pytest.fixture(scope="session", params=TOOLS)
def laptop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Laptop:
    project = tmp_path_factory.mktemp(f"laptop-{request.param}") / "mein projekt ü"
    python = make_environment(request.param, project)
    notebook = project / "notebooks" / "evaluate.ipynb"
    notebook.parent.mkdir()
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(content, notebook)
    return Laptop(request.param, project, notebook, python, laptop_environ(request.param, project))
