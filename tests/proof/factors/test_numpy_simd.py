"""Factor `numpy-simd`."""

import pytest

from tests.lock.samples import package
from tests.proof.factors.scenes import AVX512, FEATURES, environments, reason, scene, swap

MORE = ((*FEATURES,), (*FEATURES, *AVX512))


@pytest.mark.parametrize(
    ("version", "names"), [("2.3.5", "AVX512F AVX512CD AVX512_SKX"), ("2.4.0", "X86_V4"), ("2.4.0rc1", "X86_V4")]
)
def test_what_only_this_cpu_has_is_taken_away_by_the_names_of_that_numpy(version: str, names: str) -> None:
    one = swap(scene(features=MORE, packages=(package("numpy", version),)), "numpy-simd")
    assert environments(one) == ({"NPY_DISABLE_CPU_FEATURES": names}, {"NPY_DISABLE_CPU_FEATURES": ""})


def test_what_this_cpu_lacks_cannot_be_added() -> None:
    told = reason(scene(features=MORE[::-1], packages=(package("numpy", "2.4.0"),)), "numpy-simd")
    assert told == "this CPU has no X86_V4, which the laptop's has"


def test_without_numpy_it_plays_no_role() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        reason(scene(features=MORE), "numpy-simd")


def test_what_numpy_said_itself_counts_more_than_the_cpus() -> None:
    """The laptop had it disabled by the variable, which is the same swap and not made twice."""
    one = swap(
        scene(
            laptop={"numpy dispatch": "SSE AVX2", "$NPY_DISABLE_CPU_FEATURES": "AVX512F FMA3"},
            here={"numpy dispatch": "SSE FMA3 AVX2 AVX512F"},
        ),
        "numpy-simd",
    )
    assert environments(one)[0] == {"NPY_DISABLE_CPU_FEATURES": "FMA3 AVX512F"}
