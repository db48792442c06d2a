"""What `repro pull` did, for people and for programs."""

from collections.abc import Iterator
from pathlib import Path

from repro.report.json import document
from repro.report.style import Style, human_size
from repro.sources import Pulled, PullReport
from repro.words import count

_MOST = 20
"""Files that are listed one by one."""


def pull_text(report: PullReport, style: Style) -> str:
    """Each file that was fetched, each problem with its cure, and one last line."""
    fetched = [file for file in report.files if file.status in {"fetched", "would-fetch"}]
    problems = [file for file in report.files if file.problem is not None]
    lines = [line for file in fetched[:_MOST] for line in _fetched(file, style)]
    if len(fetched) > _MOST:
        lines.append(f"  and {count(len(fetched) - _MOST, 'more file')}; --json has all")
    for fix in dict.fromkeys(file.fix for file in problems):
        for file in (one for one in problems if one.fix == fix):
            lines += style.wrap(f"{file.path}: {file.problem}", f"{style.mark('bad')} ", lead=2)
        lines += style.wrap(fix, f"{style.arrow} ") if fix else []
    return "\n".join([*lines, *_last(report, style)]) + "\n"


def pull_json(lock: Path, report: PullReport, *, dry_run: bool) -> bytes:
    """`repro.pull/1`: what came of each file that was looked at."""
    files = [
        {
            "path": file.path,
            "status": file.status,
            "size": file.size,
            "source": file.source,
            "problem": file.problem,
            "fix": file.fix,
        }
        for file in report.files
    ]
    return document("repro.pull/1", {"lock": str(lock), "dry_run": dry_run, "fetched": report.fetched, "files": files})


def _fetched(file: Pulled, style: Style) -> Iterator[str]:
    origin = f"the same as {file.like}" if file.like else f"from {file.source}"
    place = f"{file.path}, {human_size(file.size)}, {origin}"
    yield from style.wrap(place, f"{style.mark('ok' if file.status == 'fetched' else 'info')} ", lead=2)


def _last(report: PullReport, style: Style) -> list[str]:
    states = [file.status for file in report.files]
    done, planned, here = states.count("fetched"), states.count("would-fetch"), states.count("present")
    failed = sum(file.problem is not None for file in report.files)
    parts = [
        f"{count(done, 'file')} fetched, {human_size(report.fetched)}" if done else "",
        f"{count(planned, 'file')} would be fetched, {human_size(report.fetched)}" if planned else "",
        f"{count(here, 'file')} here already" if here else "",
        f"{count(failed, 'file')} not as locked" if failed else "",
    ]
    text = "; ".join(part for part in parts if part) or "the lock knows no source of any file, and all are here"
    mark = style.mark("bad" if failed else "ok")
    return style.wrap(text, f"{mark} ", lead=2)
