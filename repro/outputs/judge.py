"""The lock's outputs against those that a run left: bits first, then contents, compared in a process of its own."""

import json
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from repro.digest import Digest
from repro.errors import InfrastructureError, TimedOutError
from repro.lock import ComparedOutput
from repro.outputs.contents import Pair
from repro.outputs.kinds import suffix
from repro.outputs.limits import SECONDS
from repro.outputs.model import Content, OutputComparison, Status, Tolerance
from repro.process import run

_PASSING = ("same", "within")
_LOST = "other bits, and the laptop's content isn't at hand to compare with (see `*.baseline` beside the lock)"


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left of one output.

    Attributes:
        file: Its content, or None where that isn't at hand.
        sha256: Digest that the run told, for content that was too large to keep; None when there is none.
        problem: Why there is nothing, in a few words; "" where there is something.
    """

    file: Path | None = None
    sha256: Digest | None = None
    problem: str = ""


def compare_output(output: ComparedOutput, left: Left, baseline: Path | None, pictures: Path) -> OutputComparison:
    """Compare one output with what the lock says of it.

    Args:
        output: From the lock.
        left: From the run.
        baseline: Content on the laptop, whose digest is the lock's; None where it isn't at hand.
        pictures: Directory for pictures of figures that differ, made when there is one.
    """
    with tempfile.TemporaryDirectory(prefix="repro-outputs-") as folder:
        drawn = Path(folder) / "picture.png"
        content = _content(output, left, baseline, drawn)
        picture = ""
        if drawn.is_file():
            with suppress(OSError):  # a verdict counts also where there is no room for pictures
                picture = _keep_picture(output, drawn, pictures)
    return OutputComparison(
        name=output.path,
        kind=output.kind,
        status=content.status,
        passed=content.status in _PASSING or not output.gate,
        rule=rule_text(output),
        summary=content.summary,
        details=content.details,
        picture=picture,
    )


def _keep_picture(output: ComparedOutput, drawn: Path, pictures: Path) -> str:
    stem, path = PurePosixPath(output.path).stem[:60], Digest.of(output.path.encode("utf-8", "surrogatepass"))
    picture = pictures / f"{stem}-{path.hex[:8]}.png"
    pictures.mkdir(exist_ok=True)
    shutil.copyfile(drawn, picture)
    return f"{pictures.name}/{picture.name}"


def rule_text(output: ComparedOutput) -> str:
    """What is applied, in words."""
    match output.kind:
        case "bytes":
            rule = "same bits"
        case "text":
            rule = "same text, without what differs in every run" if output.sanitize else "same text"
        case "figure":
            rule = f"pixels within {output.absolute or 0:g} of 255"
        case _:
            rule = str(Tolerance(output.absolute, output.relative))
            rule += f", rows by {', '.join(output.key)}" if output.key else ""
    return rule if output.gate else f"{rule}; for information"


def compare_pair(output: ComparedOutput, baseline: Path, here: Path, picture: Path | None = None) -> Content:
    """Compare the contents of two files by an output's rule, in another process, which a hostile file may kill.

    A file compared with itself is "unread" where its content can't be compared, "moved" where the key doesn't fit.
    """
    pair = Pair(
        kind=output.kind,
        suffix=suffix(output.path),
        baseline=baseline.resolve(),
        here=here.resolve(),
        absolute=output.absolute,
        relative=output.relative,
        key=output.key,
        sanitize=output.sanitize,
        picture=picture,
    )
    return _apart(pair)


def is_regular(path: Path) -> bool:
    """Whether it is a file itself: no link, pipe or device, wherever those would lead."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _content(output: ComparedOutput, left: Left, baseline: Path | None, picture: Path) -> Content:
    found = Digest.of_file(left.file) if left.file is not None else left.sha256
    if found is None:
        return Content("missing", left.problem or "the run here did not write it")
    if found == output.sha256:
        return Content("same", "the same bits")
    if output.kind == "bytes":
        return Content("moved", "other bits", (f"laptop: {output.sha256}", f"here:   {found}"))
    if left.file is None:
        return Content("unread", f"other bits, and the content wasn't kept: {left.problem}")
    if baseline is None:
        return Content("unread", _LOST, (f"laptop: {output.sha256}", f"here:   {found}"))
    content = compare_pair(output, baseline, left.file, picture)
    unread = f"other bits, and their content can't be compared: {content.summary}"
    return replace(content, summary=unread) if content.status == "unread" else content


def _apart(pair: Pair) -> Content:
    """Compare in another process, which a hostile file may exhaust or kill."""
    asked = {name: str(one) if isinstance(one, Path) else one for name, one in asdict(pair).items()}
    try:
        with tempfile.TemporaryDirectory(prefix="repro-outputs-") as folder:
            command = [sys.executable, "-P", "-B", "-m", __package__]
            done = run(command, cwd=Path(folder), stdin=json.dumps(asked), timeout=SECONDS, check=False)
        return _answer(json.loads(done.stdout))
    except TimedOutError:
        return Content("unread", f"comparing it takes more than {SECONDS:g} s")
    except (ValueError, KeyError, TypeError):
        return Content("unread", f"the process that compares it died (exit code {done.returncode})")
    except InfrastructureError as error:
        return Content("unread", error.what)


def _answer(data: Mapping[str, Any]) -> Content:
    status: Status = data["status"]
    return Content(status, data["summary"], tuple(data["details"]))
