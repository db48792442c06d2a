"""Rules `data-changed`, `model-changed`, `code-changed`: a file is another one; `file-missing`: one isn't there."""

import re
from collections.abc import Iterator

from repro.lock import Role
from repro.verify.causes.situation import Situation
from repro.verify.causes.words import lacking
from repro.verify.model import Cause

_CHANGED = re.compile(r"(?P<path>.+?)(?: \(\d+ bytes, \S+\))?: expected (?P<expected>.+?), found (?P<found>.+)")
_RULES: dict[Role, str] = {
    "data": "data-changed",
    "model": "model-changed",
    "code": "code-changed",
    "notebook": "code-changed",
    "config": "code-changed",
}
_WORDS: dict[Role, str] = {
    "data": "the data file",
    "model": "the model",
    "code": "the code",
    "notebook": "the notebook",
    "config": "the configuration",
}
_ABSENT = re.compile(r"FileNotFoundError: .*?No such file or directory: '([^']+)'")


def changed_files(situation: Situation) -> Iterator[Cause]:
    """Files whose content is another one, with what changed in tables of data."""
    roles = {file.path: file.role for file in situation.lock.files}
    told = tuple(line for finding in situation.found("data") for line in finding.evidence)
    for finding in situation.found("layers", "mounted", "files"):
        for line in finding.evidence:
            found = _CHANGED.fullmatch(line)
            if found is None or found["path"] not in roles:
                continue
            path, role = found["path"], roles[found["path"]]
            yield Cause(
                rule=_RULES[role],
                message=f"{_WORDS[role]} {path} is not the one that the baseline was measured with",
                laptop=found["expected"],
                here=found["found"],
                where=path,
                confidence="certain",
                fix="Bring the locked file back; if the change is meant, capture again and build a new image.",
                evidence=(line, *(one for one in told if path in one)),
            )


def missing_file(situation: Situation) -> Iterator[Cause]:
    """A file that the evaluation asked for in vain."""
    failure, found = situation.failure, _ABSENT.search(situation.failed_with)
    if failure is None or found is None:
        return
    path = found.group(1)
    yield lacking(
        failure,
        "file-missing",
        f"the evaluation opens {path}, which the image doesn't have",
        laptop="there",
        here="no such file",
        where=path,
        fix="If the evaluation needs it, name it in repro.toml, [files] include, and capture again.",
    )
