"""Factor `cpu-dispatch`: variables that steer libraries."""

from tests.proof.factors.scenes import environments, reason, scene, swap


def test_a_variable_that_only_the_laptop_has_is_set_and_left_out_again() -> None:
    one = swap(scene(laptop={"$ONEDNN_MAX_CPU_ISA": "AVX2"}), "cpu-dispatch:ONEDNN_MAX_CPU_ISA")
    assert environments(one) == ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, {})


def test_two_values_are_swapped() -> None:
    one = swap(scene(laptop={"$NPY_X": "1"}, here={"$NPY_X": "2"}), "cpu-dispatch:NPY_X")
    assert environments(one) == ({"NPY_X": "1"}, {"NPY_X": "2"})


def test_a_variable_of_a_library_that_was_not_loaded_is_not_tried() -> None:
    told = reason(scene(laptop={"$OPENBLAS_CORETYPE": "Nehalem"}), "cpu-dispatch")
    assert told == "differs, but no openblas was loaded"


def test_what_only_the_image_sets_cannot_be_taken_away() -> None:
    assert "it can't be unset" in reason(scene(here={"$NPY_X": "2"}), "cpu-dispatch")
