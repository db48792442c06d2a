"""Reading a notebook, whatever is in the file: every way in which it can't be used has its own message."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import nbformat.reader
from nbformat import NotebookNode, ValidationError
from nbformat.validator import normalize

from repro.errors import UsageError

_FORMAT = 4
_LFS = b"version https://git-lfs"
_convert: Callable[..., NotebookNode] = nbformat.convert
_normalize: Callable[..., tuple[int, NotebookNode]] = normalize
_reads: Callable[..., NotebookNode] = nbformat.reader.reads
_CONFLICT = ("<<<<<<< ", "||||||| ", ">>>>>>> ")


def load_notebook(path: Path) -> NotebookNode:
    """Read a notebook and bring it to nbformat 4 in memory; the file stays as it is.

    Raises:
        UsageError: There is no such file, or it isn't a notebook; the message says what it is instead.
    """
    text = _text(path)
    document = _parse(text, path)
    major = document.get("nbformat") if isinstance(document, dict) else None
    if not isinstance(major, int):
        raise UsageError(
            "this is JSON, but not a notebook: it has no `nbformat` number",
            where=str(path),
            fix="Give the path of an .ipynb file that Jupyter wrote.",
        )
    if major > _FORMAT:
        raise UsageError(
            f"the notebook has format {major}, newer than the newest that is known here ({_FORMAT})",
            where=str(path),
            fix="Save it in an older format, or use a newer repro.",
        )
    return _upgraded(text, major, path)


def has_code(notebook: NotebookNode) -> bool:
    """Whether a code cell has more than blanks."""
    return any(cell.cell_type == "code" and cell.source.strip() for cell in notebook.cells)


def kernel_name(notebook: NotebookNode) -> str | None:
    """Name of the kernelspec that the notebook was last saved with, or None."""
    return _metadata(notebook, "kernelspec", "name")


def kernel_language(notebook: NotebookNode) -> str | None:
    """Language of the notebook's kernel as it says itself, such as `python` or `R`, or None."""
    return _metadata(notebook, "kernelspec", "language") or _metadata(notebook, "language_info", "name")


def language_version(notebook: NotebookNode) -> str | None:
    """Version of the language that last ran the notebook, such as `3.11.7`: a hint, for it may have been long ago."""
    return _metadata(notebook, "language_info", "version")


def _metadata(notebook: NotebookNode, table: str, key: str) -> str | None:
    found = notebook.metadata.get(table)
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) and value else None


def _text(path: Path) -> str:
    if path.is_dir():
        raise UsageError("this is a directory, not a notebook", where=str(path), fix="Give the path of an .ipynb file.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError("there is no such notebook", where=str(path), fix="Check the path.") from error
    except OSError as error:
        raise UsageError(f"the notebook can't be read: {error.strerror}", where=str(path)) from error
    if data.startswith(_LFS):
        raise UsageError(
            "the notebook itself is not here, only its Git LFS pointer", where=str(path), fix="Run `git lfs pull`."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the notebook is not UTF-8 text (byte {error.start})",
            where=str(path),
            fix="Restore it from version control, or save it again in Jupyter.",
        ) from error


def _parse(text: str, path: Path) -> Any:
    if not text.strip():
        raise UsageError("the notebook is an empty file", where=str(path), fix="Save it again in Jupyter.")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UsageError("the notebook is nested too deeply to be one", where=str(path)) from error
    except json.JSONDecodeError as error:
        cause, fix = _cause(text, error)
        raise UsageError(
            f"the notebook is not valid JSON at line {error.lineno}, column {error.colno}: {cause}",
            where=str(path),
            fix=fix,
            details=error.msg,
        ) from error


def _cause(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    """The likely reason for broken JSON, and its cure."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(_CONFLICT):
            return f"line {number} is a merge conflict marker", "Resolve the conflict (nbdime helps), then try again."
    # An unfinished string is reported where it starts: if no line ends after that, nothing follows it.
    rest = text[error.pos :].rstrip()
    if not rest or (error.msg.startswith("Unterminated string") and "\n" not in rest):
        return "the file ends in the middle", "It was cut off while it was written: restore it from version control."
    return f"{error.msg[0].lower()}{error.msg[1:]}", "Restore it from version control, or save it again in Jupyter."


def _upgraded(text: str, major: int, path: Path) -> NotebookNode:
    """The notebook in format 4, with the small faults mended that Jupyter mends itself (cell ids)."""
    try:
        with warnings.catch_warnings(action="ignore"):
            # Not from_dict: only a format's own reader joins sources that are lists of lines.
            notebook = _convert(_reads(text), _FORMAT)
            notebook = _normalize(notebook)[1]
            nbformat.validate(notebook)
    except ValidationError as error:
        raise _invalid(path, _short(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _invalid(path, f"its format {major} content can't be read: {error!r}") from error
    return notebook


def _short(error: ValidationError) -> str:
    """The first sentence of a validation error, with the place that it speaks of; the rest quotes whole cells."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path).lstrip(".")
    return f"{place}: {error.message}"[:300] if place else str(error.message)[:300]


def _invalid(path: Path, problem: str) -> UsageError:
    return UsageError(
        "this is JSON, but not a valid notebook",
        where=str(path),
        problems=[problem],
        fix="Open it in Jupyter and save it again, or restore it from version control.",
    )
