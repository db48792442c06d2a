"""A verdict as one HTML page that works offline: it asks for nothing from anywhere and runs no script."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from repro import __version__
from repro.report import metrics, notebook
from repro.report.dossier import Dossier
from repro.report.environment import surroundings
from repro.report.explained import differing, gate_value, series
from repro.report.hashes import hashes
from repro.report.plot import WIDTH, plot_of
from repro.report.style import human_size, human_time, printable
from repro.runner.documents import CellRun
from repro.runner.report import difference_text
from repro.verify.model import Verdict
from repro.words import count


def render(dossier: Dossier) -> bytes:
    """The page."""
    pages = _environment()
    verdict = dossier.verdict
    runs = {metric.name: metric for metric in verdict.runs.metrics} if verdict.runs else {}
    captured = {metric.name: metric.runs for metric in dossier.lock.metrics} if dossier.lock else {}
    rows = notebook.rows(dossier.here, dossier.laptop, _cells(verdict)) if dossier.here else None
    text = pages.get_template("report.html.jinja").render(
        dossier=dossier,
        verdict=verdict,
        version=__version__,
        word=str(verdict.outcome).replace("-", " "),
        plots={item.name: plot_of(item, runs.get(item.name), captured.get(item.name, ())) for item in verdict.metrics},
        plot_width=WIDTH,
        surroundings=surroundings(dossier),
        hashes=hashes(dossier),
        shown=None if rows is None else pages.get_template("notebook.html.jinja").render(rows=rows),
        different=sum(bool(row.difference) for row in rows or ()),
        height=_height(dossier),
    )
    return text.encode("utf-8", "replace")


def _environment() -> Environment:
    """Templates that escape everything, control characters first."""
    pages = Environment(
        loader=PackageLoader("repro.report"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {
        "lines": _lines,
        "attribute": escape,
        "value": metrics.value_text,
        "word": metrics.verdict_word,
        "remark": metrics.remark,
        "rule": metrics.rule_cell,
        "difference": difference_text,
        "measured": gate_value,
        "series": series,
        "differing": differing,
        "size": human_size,
        "time": human_time,
        "count": count,
    }
    pages.globals["css"] = _css
    return pages


def _finalized(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    return escape("\n".join(map(printable, text.splitlines())))


def _css(name: str) -> Markup:
    """A style sheet of this package's."""
    text = files("repro.report").joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - it is ours


def _height(dossier: Dossier) -> int | None:
    """Of the frame, in lines and some air; None for as much as there is."""
    if dossier.here is None or dossier.here.kind != "output":
        return None
    return 8 + 2 * dossier.here.data.count(b"\n")


def _cells(verdict: Verdict) -> tuple[CellRun, ...]:
    return verdict.run.cells if verdict.run else ()
