"""Factor `torch-dispatch`."""

from tests.proof.factors.scenes import environments, reason, scene, swap


def test_a_smaller_capability_is_swapped() -> None:
    one = swap(scene(laptop={"torch dispatch": "AVX2"}, here={"torch dispatch": "AVX512"}), "torch-dispatch")
    assert environments(one) == ({"ATEN_CPU_CAPABILITY": "avx2"}, {"ATEN_CPU_CAPABILITY": "avx512"})


def test_a_larger_one_would_end_with_an_illegal_instruction() -> None:
    told = reason(scene(laptop={"torch dispatch": "AVX512"}, here={"torch dispatch": "AVX2"}), "torch-dispatch")
    assert told == "AVX512 on the laptop, AVX2 here: this CPU can't be set to it"
