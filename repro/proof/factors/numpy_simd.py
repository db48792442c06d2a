"""Factor `numpy-simd`: which instruction sets NumPy uses beyond its baseline, by NPY_DISABLE_CPU_FEATURES."""

from collections.abc import Sequence

from packaging.version import InvalidVersion, Version

from repro.lock import Lock
from repro.proof.factors.model import Found, LeftOut, Scene, Swap, same, variables
from repro.words import few

FACTOR, TITLE = "numpy-simd", "NumPy's instruction sets"
_GROUPS_SINCE = Version("2.4.dev0")
_AVX512 = (
    ("AVX512_SKX", {"avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"}),
    ("AVX512_CLX", {"avx512_vnni"}),
    ("AVX512_CNL", {"avx512ifma", "avx512vbmi"}),
    ("AVX512_ICL", {"avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq"}),
    ("AVX512_SPR", {"avx512_fp16"}),
)
_UNTIL = (("AVX2", {"avx2"}), ("FMA3", {"fma"}), ("AVX512F", {"avx512f"}), ("AVX512CD", {"avx512cd"}), *_AVX512)
_SINCE = (("X86_V3", {"avx2", "fma"}), ("X86_V4", _AVX512[0][1]), *_AVX512[3:])
"""NumPy's names for what Linux calls so; NumPy 2.4 gathered them into the levels of the x86-64 psABI."""
_FEW = 3
_FIX = (
    "Run where the CPU is of the laptop's kind, or set NPY_DISABLE_CPU_FEATURES to the same on both sides "
    '([run] env = ["NPY_DISABLE_CPU_FEATURES"]) and capture again; or allow the difference with a tolerance.'
)


def numpy_simd(scene: Scene) -> Found:
    """By what NumPy said in both runs that it uses; else by what both CPUs have, where NumPy is locked."""
    used = [None if told is None else told.split() for told in scene.setting("numpy dispatch")]
    if used[0] is not None and used[1] is not None:
        yield _found([one for one in used[1] if one not in used[0]], [one for one in used[0] if one not in used[1]])
        return
    machine, record = scene.situation.lock.evidence.machine, scene.situation.here.record
    version = numpy_version(scene.situation.lock)
    if version is None or machine is None or record is None or machine.architecture != "x86_64":
        return
    ours, here = set(machine.features), set(record.machine.get("features", "").split())
    yield _found(only_in(here, ours, version), only_in(ours, here, version))


def _found(gained: Sequence[str], lost: Sequence[str]) -> Swap | LeftOut:
    """By what only this CPU has, which can be taken away, and only the laptop's, which can't be added."""
    if gained:
        without = f"without {few(gained, _FEW)}"
        laptop = variables(without, NPY_DISABLE_CPU_FEATURES=" ".join(gained))
        return Swap(FACTOR, TITLE, laptop, variables("all of this CPU's", NPY_DISABLE_CPU_FEATURES=""), _FIX)
    if lost:
        return LeftOut(FACTOR, TITLE, f"this CPU has no {', '.join(lost)}, which the laptop's has")
    return same(FACTOR, TITLE, "those that NumPy knows")


def only_in(one: set[str], other: set[str], version: Version) -> list[str]:
    """NumPy's names of what the first CPU has whole and the second hasn't."""
    names = _SINCE if version >= _GROUPS_SINCE else _UNTIL
    return [name for name, flags in names if flags <= one and not flags <= other]


def numpy_version(lock: Lock) -> Version | None:
    """The locked version; None where NumPy isn't locked, or has one that is none."""
    wheels = [package.version for package in lock.packages if package.name == "numpy"]
    found = next(iter([*wheels, *(package.version for package in lock.conda if package.name == "numpy")]), None)
    try:
        return None if found is None else Version(found)
    except InvalidVersion:
        return None
