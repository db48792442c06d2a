"""Factor `time-zone`."""

from repro.proof.factors.time_zone import posix_rule
from tests.proof.factors.scenes import environments, reason, scene, swap

TOKYO = {"$TZ": "Asia/Tokyo", "time zone": "JST +0900, JST +0900"}


def test_two_zones_are_swapped() -> None:
    assert environments(swap(scene(laptop=TOKYO), "time-zone")) == ({"TZ": "Asia/Tokyo"}, {"TZ": "UTC"})


def test_a_zone_that_the_image_does_not_know_is_set_by_its_rule() -> None:
    lost = {"$TZ": "Asia/Tokyo", "time zone": "Asia +0000, Asia +0000"}
    assert environments(swap(scene(laptop=TOKYO, here=lost), "time-zone")) == ({"TZ": "JST-9"}, {"TZ": "Asia/Tokyo"})


def test_a_rule_says_when_summer_begins() -> None:
    assert posix_rule("Europe/Berlin") == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert posix_rule("Nowhere/Atall") == posix_rule("../../etc/passwd") == ""


def test_the_same_zone_is_not_swapped() -> None:
    assert reason(scene(), "time-zone") == "the same on both sides: UTC"
