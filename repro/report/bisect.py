"""A search for package changes, for a person at a terminal and as JSON."""

from collections.abc import Iterator

from repro.proof.bisection import Answer, Bisection, Step
from repro.report.json import document
from repro.report.style import Mark, Style
from repro.runner.documents import Value
from repro.verify.document import encode_exactly
from repro.words import count

_MARKS: dict[Answer, Mark] = {
    Answer.FOUND: "ok",
    Answer.SEVERAL: "ok",
    Answer.NOT_PACKAGES: "info",
    Answer.NOT_COMPARABLE: "bad",
    Answer.STOPPED: "warn",
}
_MOST_LISTED = 20


def bisection_text(found: Bisection, style: Style) -> str:
    """What was found; the last line says how it ended."""
    sections = [
        style.fields(_head(found)),
        list(_changes(found, style)),
        list(_beside(found, style)),
        style.wrap(f"{found.reason}", f"{style.mark(_MARKS[found.answer])} ", lead=2),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def bisection_json(found: Bisection) -> bytes:
    """`repro.bisect/1`."""
    return document(
        "repro.bisect/1",
        {
            "answer": str(found.answer),
            "exit_code": int(found.answer.exit_code),
            "reason": found.reason,
            "metric": found.metric,
            "before": encode_exactly(found.before),
            "after": encode_exactly(found.after),
            "changes": found.changes,
            "total": found.total,
            "confirmed": found.confirmed,
            "runs": found.runs,
            "reused": found.reused,
            "steps": [_step(step) for step in found.steps],
            "beside": found.beside,
        },
    )


def _head(found: Bisection) -> Iterator[tuple[str, str]]:
    yield "changes", f"{found.total} between the locks"
    if found.before is not None:
        yield f"{found.metric} with A's packages", _shown(found.before)
    if found.after is not None:
        yield f"{found.metric} with B's packages", _shown(found.after)
    kept = f", {count(found.reused, 'result')} kept from an earlier search" if found.reused else ""
    untried = sum(not step.ran for step in found.steps)
    failed = f", {count(untried, 'mixture')} that can't be installed" if untried else ""
    yield "runs", f"{count(found.runs, 'image')}{kept}{failed}"
    if found.confirmed:
        yield "way back", "all other changes without these leave it as with A"


def _changes(found: Bisection, style: Style) -> Iterator[str]:
    if found.changes:
        yield "still suspected:" if found.answer is Answer.STOPPED else f"what moves {style.text(found.metric)}:"
        yield from style.block(map(str, found.changes[:_MOST_LISTED]), 4)
    if len(found.changes) > _MOST_LISTED:
        yield f"    and {len(found.changes) - _MOST_LISTED} more"


def _beside(found: Bisection, style: Style) -> Iterator[str]:
    """What B has otherwise, which matters where packages alone don't explain a difference."""
    if found.beside and found.answer is not Answer.FOUND:
        yield "what else differs, and stayed as in A:"
        yield from style.block(found.beside[:_MOST_LISTED], 4)
    if len(found.beside) > _MOST_LISTED and found.answer is not Answer.FOUND:
        yield f"    and {len(found.beside) - _MOST_LISTED} more"


def _step(step: Step) -> dict[str, object]:
    return {
        "changes": step.changes,
        "value": encode_exactly(step.value),
        "like": step.like,
        "reason": step.reason,
        "kept": step.kept,
        "ran": step.ran,
    }


def _shown(value: Value) -> str:
    return repr(value)
