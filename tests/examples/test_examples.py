"""The examples as they are committed: run once, in order, tidy, pinned and whole. Nothing is executed here."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.capture.config import load_config
from repro.lock import Tolerance

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECTS = ("breast-cancer", "house-prices", "wine-conda")
PINNED = ("breast-cancer", "house-prices")
"""Those with a requirements.txt; conda's has an environment.yml."""
NOTEBOOKS = (
    "breast-cancer/breast_cancer.ipynb",
    "house-prices/train.ipynb",
    "house-prices/evaluate.ipynb",
    "wine-conda/wine.ipynb",
)
COMMITTED = (
    "breast-cancer/features.py",
    "house-prices/data/holdout.parquet",
    "house-prices/data/train.csv",
    "house-prices/housing/__init__.py",
    "house-prices/models/house-prices.ubj",
)

_ABSOLUTE = re.compile(r"(?<![\w.:/<>-])/(?:\w[\w.-]*/)+\w|\b[A-Za-z]:\\\w|file://")
_LARGEST = 200_000


def code_cells(notebook: str) -> list[Any]:
    content = nbformat.read(EXAMPLES / notebook, as_version=4)
    return [cell for cell in content.cells if cell.cell_type == "code"]


def outputs(notebook: str) -> Iterator[Any]:
    for cell in code_cells(notebook):
        yield from cell.outputs


def requirements(project: str, name: str) -> list[Requirement]:
    lines = (EXAMPLES / project / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_every_notebook_is_listed_here() -> None:
    found = {
        path.relative_to(EXAMPLES).as_posix() for project in PROJECTS for path in (EXAMPLES / project).glob("*.ipynb")
    }
    assert found == set(NOTEBOOKS)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_is_valid_and_asks_for_the_usual_kernel(notebook: str) -> None:
    content = nbformat.read(EXAMPLES / notebook, as_version=4)
    nbformat.validate(content)
    assert content.metadata.kernelspec.name == "python3"
    assert content.metadata.language_info.version.startswith("3.11.")


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_cells_were_run_once_in_order(notebook: str) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_outputs_hold_results_only(notebook: str) -> None:
    kinds = {output.output_type for output in outputs(notebook)}
    assert kinds <= {"execute_result", "display_data"}
    assert kinds


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebook_names_no_path_of_a_machine(notebook: str) -> None:
    text = "\n".join([*(cell.source for cell in code_cells(notebook)), *(json.dumps(one) for one in outputs(notebook))])
    assert _ABSOLUTE.findall(text) == []


@pytest.mark.parametrize("path", ["/home/me/data.csv", 'open("/tmp/x/y")', r"C:\Users", "file:///srv/wheels"])
def test_paths_of_a_machine_would_be_found(path: str) -> None:
    assert _ABSOLUTE.search(path)


@pytest.mark.parametrize("project", PINNED)
def test_requirements_are_pinned_and_whole(project: str) -> None:
    pins = requirements(project, "requirements.txt")
    assert {tuple(spec.operator for spec in pin.specifier) for pin in pins} == {("==",)}
    assert not [pin for pin in pins if pin.url or "*" in str(pin.specifier)]
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(names) == len(set(names))
    assert {canonicalize_name(one.name) for one in requirements(project, "requirements.in")} < set(names)
    assert "ipykernel" in names


@pytest.mark.parametrize("path", COMMITTED)
def test_what_runs_read_is_committed_and_small(path: str) -> None:
    assert 0 < (EXAMPLES / path).stat().st_size < _LARGEST


def test_evaluation_reports_through_one_tagged_cell() -> None:
    tagged = [cell for cell in code_cells("house-prices/evaluate.ipynb") if "metrics" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert tagged[0].outputs[0].output_type == "execute_result"


@pytest.mark.parametrize(
    ("project", "notebook"),
    [("breast-cancer", "breast_cancer.ipynb"), ("house-prices", "evaluate.ipynb"), ("wine-conda", "wine.ipynb")],
)
def test_readme_and_settings_agree_with_the_stored_metrics(project: str, notebook: str) -> None:
    shown = "\n".join(json.dumps(output.data.get("text/plain", "")) for output in outputs(f"{project}/{notebook}"))
    readme = (EXAMPLES / project / "README.md").read_text(encoding="utf-8")
    values = re.findall(r"^\| `(\w+)` \| (\S+) \|", readme, re.MULTILINE)
    assert values
    for name, value in values:
        assert f"'{name}': {value}" in shown
    policies = load_config(EXAMPLES / project).metric_policies
    assert policies
    assert set(policies) <= {name for name, _ in values}
    for policy in policies.values():
        assert policy.tolerance == Tolerance()
