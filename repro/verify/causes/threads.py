"""Rule `threads`: another number of threads or CPUs, which changes the order of sums and how work is cut up."""

import re
from collections.abc import Iterator
from typing import Literal

from repro.verify.causes.calls import calls
from repro.verify.causes.situation import Difference, Situation
from repro.verify.causes.words import lines
from repro.verify.model import Cause

VARIABLES = re.compile(
    r"\$(OMP_\w+|GOMP_\w+|KMP_\w+|(OPENBLAS|GOTO|MKL|BLIS|VECLIB|NUMEXPR|NUMBA)_(MAXIMUM_)?(NUM_)?THREADS"
    r"|TF_NUM_INT(RA|ER)OP_THREADS)"
)
"""Variables by which libraries size their thread pools."""

_COUNTERS = {
    *("os.cpu_count", "os.process_cpu_count", "os.sched_getaffinity", "multiprocessing.cpu_count"),
    *("joblib.cpu_count", "psutil.cpu_count"),
}
_FIX = "Set [run] threads in repro.toml to what both sides can have, give n_jobs a number, and capture again."


def threads(situation: Situation) -> Iterator[Cause]:
    """Sizes of thread pools and variables that set them; then the CPUs, where the code asks for their number."""
    pools = [*_variables(situation), *_pools(situation)]
    cpus = _cpus(situation)
    asks = _asks(situation)
    if pools:
        yield _cause(situation, "another number of threads computed", pools, "likely", "thread pools")
    if cpus:
        message = "another number of CPUs is usable" + (f", and {asks} asks for it" if asks else "")
        yield _cause(situation, message, cpus, "likely" if asks else "possible", asks or "CPUs")


def _cause(
    situation: Situation,
    message: str,
    differences: list[Difference],
    confidence: Literal["likely", "possible"],
    where: str,
) -> Cause:
    return Cause(
        rule="threads",
        message=message,
        laptop=differences[0].laptop or "not set",
        here=differences[0].here or "not set",
        where=where,
        confidence="certain" if not situation.ran else confidence,
        fix=_FIX,
        evidence=lines(differences),
    )


def _variables(situation: Situation) -> list[Difference]:
    return [one for name, one in situation.settings().items() if VARIABLES.fullmatch(name)]


def _pools(situation: Situation) -> list[Difference]:
    machine, record = situation.lock.evidence.machine, situation.here.record
    if machine is None or record is None:
        return []
    here = {str(one.get("file")): str(one.get("threads")) for one in record.libraries}
    return [
        Difference(one.name, str(one.threads), here[one.file])
        for one in machine.libraries
        if one.file in here and here[one.file] != str(one.threads)
    ]


def _cpus(situation: Situation) -> list[Difference]:
    machine, record = situation.lock.evidence.machine, situation.here.record
    if machine is None or record is None or "cpus" not in record.machine:
        return []
    found = [Difference("CPUs", str(machine.cpus), record.machine["cpus"])]
    if situation.laptop.record is not None:
        ours, here = situation.laptop.record.machine, record.machine
        found += [Difference(name, ours.get(key), here.get(key)) for name, key in _MORE.items()]
    return [one for one in found if one.laptop != one.here]


_MORE = {"CPUs of the machine": "all_cpus", "CPU quota": "cpu_quota"}


def _asks(situation: Situation) -> str:
    """Where the sources ask how many CPUs there are; "" where they don't."""
    for call in calls(situation.sources):
        if call.name in _COUNTERS or call.keywords.get("n_jobs") == -1:
            return f"{call.where}, line {call.line}"
    return ""
