"""Factor `hash-seed`."""

from tests.proof.factors.scenes import environments, reason, scene, swap


def test_two_seeds_are_swapped() -> None:
    one = swap(scene(laptop={"hash seed": "1"}), "hash-seed")
    assert environments(one) == ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "0"})


def test_a_seed_that_was_random_cannot_be_set_again() -> None:
    assert "random on the laptop" in reason(scene(laptop={"hash seed": "random"}), "hash-seed")


def test_the_same_seed_is_not_swapped() -> None:
    assert reason(scene(), "hash-seed") == "the same on both sides: 0"
