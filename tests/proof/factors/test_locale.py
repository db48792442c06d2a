"""Factor `locale`."""

from tests.proof.factors.scenes import environments, reason, scene, swap


def test_two_locales_are_swapped() -> None:
    one = swap(scene(laptop={"$LC_ALL": "POSIX", "locale": "C"}), "locale")
    assert environments(one) == ({"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"})


def test_a_locale_that_the_image_lacks_cannot_be_set() -> None:
    wanted = {"$LC_ALL": "de_DE.UTF-8", "locale": "de_DE.UTF-8"}
    told = reason(scene(laptop=wanted, here={**wanted, "locale": "none: the system has not the one"}), "locale")
    assert "the image can't be set to it" in told


def test_the_same_locale_is_not_swapped() -> None:
    assert reason(scene(), "locale") == "the same on both sides: C.UTF-8"
