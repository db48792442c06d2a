"""Whatever an .ipynb file turns out to be, the message says what it is and what to do."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from repro.capture.notebook import kernel_language, kernel_name, language_version, load_notebook
from repro.errors import UsageError


def write(folder: Path, content: str | bytes | dict[str, Any]) -> Path:
    path = folder / "my notebook ü.ipynb"
    text = json.dumps(content, indent=1) if isinstance(content, dict) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def notebook(**metadata: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "source": ["a = 1\n", "a"], "metadata": {}, "outputs": [], "execution_count": None}
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": [cell]}


def test_a_notebook_is_read(tmp_path: Path) -> None:
    kernelspec = {"name": "my-env", "display_name": "Mine", "language": "python"}
    metadata = {"kernelspec": kernelspec, "language_info": {"name": "python", "version": "3.11.7"}}
    path = write(tmp_path, notebook(**metadata))
    before = path.read_bytes()
    read = load_notebook(path)
    assert read.cells[0].source == "a = 1\na"
    assert (kernel_name(read), kernel_language(read), language_version(read)) == ("my-env", "python", "3.11.7")
    assert path.read_bytes() == before


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbf" + json.dumps(notebook()).encode())
    assert len(load_notebook(path).cells) == 1


@pytest.mark.parametrize("metadata", [{}, {"kernelspec": None}, {"kernelspec": {"display_name": "x"}}])
def test_a_notebook_may_name_no_kernel(tmp_path: Path, metadata: dict[str, Any]) -> None:
    content = nbformat.from_dict(notebook(**metadata))
    assert (kernel_name(content), kernel_language(content)) == (None, None)


def test_the_language_is_also_in_language_info() -> None:
    content = nbformat.from_dict(notebook(language_info={"name": "R"}))
    assert kernel_language(content) == "R"


def test_an_old_notebook_is_upgraded_in_memory(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "language": "python", "input": "print(1)", "outputs": [], "prompt_number": 1}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]}
    path = write(tmp_path, old)
    before = path.read_bytes()
    read = load_notebook(path)
    assert (read.nbformat, read.cells[0].source, read.cells[0].execution_count) == (4, "print(1)", 1)
    assert path.read_bytes() == before


def test_missing_and_repeated_cell_ids_are_mended_silently(tmp_path: Path) -> None:
    content = notebook()
    content["nbformat_minor"] = 5
    content["cells"] = [
        {**content["cells"][0], "id": "same"},
        {**content["cells"][0], "id": "same"},
        content["cells"][0],
    ]
    assert len({cell.id for cell in load_notebook(write(tmp_path, content)).cells}) == 3


CONFLICT = '{\n "cells": [\n<<<<<<< HEAD\n  1\n=======\n  2\n>>>>>>> theirs\n ]\n}\n'
WHOLE = json.dumps(notebook(), indent=1)
BROKEN = {
    "conflict": (CONFLICT, ["line 3, column 1", "line 3 is a merge conflict marker"], "Resolve"),
    "cut between values": (
        WHOLE[: WHOLE.index('"execution_count"')],
        ["the file ends in the middle"],
        "version control",
    ),
    "cut in a string": (WHOLE[: WHOLE.index("a = 1") + 3], ["the file ends in the middle"], "version control"),
    "comma": ('{"cells": [1,]}', ["line 1, column 1", "not valid JSON"], "save it again"),
    "quote": ('{\n"cells": "abc\n", "nbformat": 4}', ["line 2, column", "not valid JSON"], "save it again"),
    "empty": ("\n", ["empty file"], "Save it again"),
    "Git LFS": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        ["Git LFS pointer"],
        "git lfs pull",
    ),
    "Latin-1": ('{"a": "ü"}'.encode("latin-1"), ["not UTF-8", "byte 7"], "save it again"),
    "list": ("[]", ["not a notebook", "nbformat"], ".ipynb"),
    "other JSON": ('{"auc": 0.9}', ["not a notebook", "nbformat"], ".ipynb"),
    "wrong number": ('{"nbformat": "4"}', ["not a notebook"], ".ipynb"),
    "no cells": ('{"nbformat": 4, "nbformat_minor": 4, "metadata": {}}', ["not a valid notebook", "cells"], "Jupyter"),
    "cells no list": (WHOLE.replace('"cells": [', '"cells": {"a": [')[:-2] + "}}", ["not a valid notebook"], "Jupyter"),
    "old and empty": ('{"nbformat": 3}', ["not a valid notebook", "worksheets"], "Jupyter"),
    "from the future": ('{"nbformat": 9}', ["format 9", "newer"], "older format"),
    "deep": ("[" * 200_000, ["nested too deeply"], ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_notebook_is_named(tmp_path: Path, name: str) -> None:
    content, expected, fix = BROKEN[name]
    path = write(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        load_notebook(path)
    message = str(caught.value)
    assert str(path) in message
    assert all(part in message for part in expected), message
    assert fix in (caught.value.fix or "")


def test_a_wrong_cell_is_named_by_its_place(tmp_path: Path) -> None:
    content = notebook()
    content["cells"].append({"cell_type": "soup", "source": "x" * 5000, "metadata": {}})
    with pytest.raises(UsageError, match=r"cells\[1\]") as caught:
        load_notebook(write(tmp_path, content))
    assert len(str(caught.value)) < 1000


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such notebook"):
        load_notebook(tmp_path / "gone.ipynb")
    with pytest.raises(UsageError, match="a directory"):
        load_notebook(tmp_path)
