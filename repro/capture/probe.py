"""Asking an interpreter about itself, by a script that it runs itself; nothing is installed in it or written to it."""

import json
import secrets
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from repro.capture.model import Distribution, Interpreter
from repro.errors import InfrastructureError, TimedOutError, UsageError
from repro.process import Completed, run

_OLDEST = (3, 8)
_TIMEOUT = 120.0
_TAIL = 20

# Any Python runs this, 2 included, before it would stumble over newer syntax. The answer goes to the descriptor itself:
# environments replace or wrap sys.stdout, and what they print around the answer is told apart by the markers.
_FRAME = """\
import os, sys
def send(text):
    sys.stdout.flush()
    data = ({marker!r} + text + {marker!r}).encode("ascii")
    while data:
        data = data[os.write(1, data):]
if sys.version_info < {oldest!r}:
    send('{{"too_old": "%d.%d.%d"}}' % sys.version_info[:3])
else:
    import json
    scope = {{"__name__": "repro_probe"}}
    exec(compile({source!r}, "<repro probe>", "exec"), scope)
    send(json.dumps(scope["describe"]()))
"""


def probe(python: Path, *, cwd: Path, env: Mapping[str, str]) -> Interpreter:
    """What an interpreter is and what is installed for it, seen from a process like the kernel's.

    Args:
        python: The interpreter.
        cwd: Directory that the kernel starts in.
        env: The kernel's whole environment. It is used as it is, PYTHONPATH and the user's site directory included.

    Raises:
        UsageError: It is Python 2, or older than 3.8.
        InfrastructureError: It can't be run or gives no answer; the end of its error output is attached.
    """
    source = resources.files("repro.capture").joinpath("probe_script.py").read_text(encoding="utf-8")
    return interpreter_of(ask(python, source, cwd=cwd, env=env))


def interpreter_of(seen: dict[str, Any]) -> Interpreter:
    """The values of what `probe_script.py` answers, as parsed JSON."""
    seen = dict(seen)
    for key in ("executable", "base_executable", "prefix", "base_prefix"):
        seen[key] = Path(seen[key])
    for key in ("distributions", "shadowed"):
        seen[key] = tuple(_distribution(one) for one in seen[key])
    seen["sys_path"] = tuple(seen["sys_path"])
    return Interpreter(**seen)


def ask(python: Path, source: str, *, cwd: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Run Python source inside an interpreter and return what its function `describe` returns, a JSON object.

    Raises:
        UsageError: It is Python 2, or older than 3.8.
        InfrastructureError: It can't be run or gives no answer.
    """
    marker = f"<{secrets.token_hex(16)}>"
    text = _FRAME.format(marker=marker, oldest=_OLDEST, source=source)
    try:
        # -B: modules that are imported for the first time must not leave their bytecode in the user's environment.
        done = run([python, "-B", "-c", text], cwd=cwd, env=env, timeout=_TIMEOUT, check=False)
    except TimedOutError as error:
        raise InfrastructureError(
            f"the interpreter gave no answer within {_TIMEOUT:g} s", where=str(python), fix=_fix(python)
        ) from error
    except OSError as error:  # a file of another architecture, or not a program at all
        raise InfrastructureError(
            f"the interpreter can't be run: {error.strerror}", where=str(python), fix=_fix(python)
        ) from error
    return _answer(done, marker, python)


def _answer(done: Completed, marker: str, python: Path) -> dict[str, Any]:
    _, opened, rest = done.stdout.partition(marker)
    text, closed, _ = rest.partition(marker)
    if not opened or not closed:
        raise InfrastructureError(
            f"the interpreter failed to describe itself (exit code {done.returncode})",
            where=str(python),
            fix=_fix(python),
            details="\n".join((done.stderr or done.stdout).strip().splitlines()[-_TAIL:]),
        )
    found: dict[str, Any] = json.loads(text)
    if "too_old" in found:
        oldest = ".".join(map(str, _OLDEST))
        raise UsageError(
            f"the interpreter is Python {found['too_old']}; repro works with {oldest} and newer",
            where=str(python),
            fix="Move the project to a newer Python, or name another interpreter with --python.",
        )
    return found


def _fix(python: Path) -> str:
    return f"Check that `{python} -c 1` works; if it doesn't, make the environment anew."


def _distribution(seen: dict[str, Any]) -> Distribution:
    tree = seen["source_tree"]
    return Distribution(
        name=seen["name"],
        version=seen["version"],
        location=Path(seen["location"]),
        metadata=Path(seen["metadata"]),
        tags=tuple(seen["tags"]),
        purelib=seen["purelib"],
        installer=seen["installer"],
        direct_url=seen["direct_url"],
        editable=seen["editable"],
        source_tree=None if tree is None else Path(tree),
        record=seen["record"],
        requested=seen["requested"],
        build=seen["build"],
        requires=tuple(seen["requires"]),
    )
