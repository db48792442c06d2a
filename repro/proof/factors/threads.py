"""Factor `threads`: the size of thread pools, and how many CPUs joblib and Python count."""

from repro.plan.evaluation import THREAD_VARIABLES
from repro.proof.factors.model import Found, LeftOut, Scene, Setting, Swap, same, variables

FACTOR, TITLE = "threads", "the number of threads"
_COUNTED = ("LOKY_MAX_CPU_COUNT", "PYTHON_CPU_COUNT")
_FIX = "Set [run] threads in repro.toml to what both sides can have, give n_jobs a number, and capture again."


def threads(scene: Scene) -> Found:
    """By the pools that both runs had, else by their CPUs."""
    machine, record = scene.situation.lock.evidence.machine, scene.situation.here.record
    if record is None:
        return
    if machine is None:
        yield LeftOut(FACTOR, TITLE, "the lock doesn't say how many the laptop had")
        return
    pinned = scene.situation.lock.environment.threads
    here = {str(one.get("file")): int(str(one.get("threads") or 0)) for one in record.libraries}
    pools = [(one.threads, here[one.file]) for one in machine.libraries if one.file in here] or [(pinned, pinned)]
    pool = next((pair for pair in pools if pair[0] != pair[1]), pools[0])
    cpus = machine.cpus, int(record.machine.get("cpus", "0"))
    if pool[0] == pool[1] and cpus[0] == cpus[1]:
        yield same(FACTOR, TITLE, str(pool[0]))
    elif min(*pool, *cpus) > 0:
        yield Swap(FACTOR, TITLE, _setting(pool[0], cpus[0]), _setting(pool[1], cpus[1]), _FIX)


def _setting(threads: int, cpus: int) -> Setting:
    pools, counted = dict.fromkeys(THREAD_VARIABLES, str(threads)), dict.fromkeys(_COUNTED, str(cpus))
    return variables(f"{threads} on {cpus} CPUs", **pools, **counted)
