"""What a request needs beside the base, decided one way only."""

import pytest

from repro.debian.index import Index
from repro.debian.resolve import Request, UnresolvableError, choose
from tests.debian.forge import control, status, view

TAIL = "Filename: pool/{}.deb\nSize: 1\nSHA256: " + "a" * 64 + "\n"


def index(*packages: str) -> Index:
    text = "\n".join(package + TAIL.format(number) for number, package in enumerate(packages))
    return Index([("http://deb.example/debian", text)])


def chosen(names: str, offered: Index, *installed: str, architecture: str = "amd64") -> list[str]:
    base = view(files={"var/lib/dpkg/status": status(*installed)})
    requests = [Request(name, "asked", version) for name, _, version in (each.partition("=") for each in names.split())]
    return [
        f"{one.candidate.name} {one.candidate.version} {one.reason}"
        for one in choose(requests, offered, base, architecture)
    ]


def problems(names: str, offered: Index, *installed: str) -> tuple[tuple[str, ...], bool]:
    with pytest.raises(UnresolvableError) as caught:
        chosen(names, offered, *installed)
    return caught.value.problems, caught.value.base_too_old


def test_a_closure_with_reasons_ordered_by_name() -> None:
    offered = index(
        control("b", depends="c, d"), control("a", pre_depends="b (>= 1)"), control("c"), control("d", depends="a, c")
    )
    assert chosen("a", offered) == ["a 1.0-1 asked", "b 1.0-1 depends:a", "c 1.0-1 depends:b", "d 1.0-1 depends:b"]


def test_recommendations_are_not_followed() -> None:
    assert chosen("a", index(control("a", recommends="b", suggests="b"), control("b"))) == ["a 1.0-1 asked"]


def test_what_the_base_has_is_not_chosen_again() -> None:
    offered = index(control("a", "2", depends="c (>= 1), v, w (>= 3)"), control("c", "5"))
    assert chosen("a", offered, control("c", "1"), control("p", provides="v, w (= 3)")) == ["a 2 asked"]
    assert chosen("c a=2 p", offered, control("c", "1"), control("p", provides="v, w (= 3)")) == ["a 2 asked"]


def test_the_highest_version_that_fits() -> None:
    offered = index(control("a", depends="b (<< 3)"), control("b", "1"), control("b", "2"), control("b", "3"))
    assert chosen("a", offered) == ["a 1.0-1 asked", "b 2 depends:a"]


def test_the_first_alternative_that_can_be_had() -> None:
    offered = index(control("a", depends="gone | c | b"), control("b"), control("c"))
    assert chosen("a", offered) == ["a 1.0-1 asked", "c 1.0-1 depends:a"]


def test_an_alternative_that_is_asked_for_is_enough() -> None:
    offered = index(control("a", depends="b | c"), control("b"), control("c"))
    assert chosen("a c", offered) == ["a 1.0-1 asked", "c 1.0-1 asked"]


def test_virtual_packages_and_their_versions() -> None:
    offered = index(
        control("a", depends="v (>= 2)"), control("p", provides="v"), control("q", provides="v (= 1)"),
        control("r", provides="v (= 2)"),
    )  # fmt: skip
    assert chosen("a", offered) == ["a 1.0-1 asked", "r 1.0-1 depends:a"]
    assert chosen("v", offered) == ["p 1.0-1 asked"]


def test_an_exact_version() -> None:
    offered = index(control("a", "1"), control("a", "2"))
    assert chosen("a=1", offered) == ["a 1 asked"]
    there = "a (= 3), which no archive of the base image offers for amd64; there is a 2, a 1"
    assert problems("a=3", offered) == ((there,), False)


def test_packages_of_another_architecture_are_not_here() -> None:
    foreign = control("a", architecture="i386")
    assert chosen("a", index(control("a")), foreign) == ["a 1.0-1 asked"]


def test_an_older_version_where_the_newest_would_replace_a_package_of_the_base() -> None:
    """As libgomp1 and gcc-12-base: both are made from one source and need each other's exact version."""
    offered = index(
        control("gomp", "2", depends="gcc (= 2)"), control("gomp", "1", depends="gcc (= 1)"), control("gcc", "2")
    )
    assert chosen("gomp", offered, control("gcc", "1")) == ["gomp 1 asked"]


def test_a_base_that_is_too_old_is_refused_by_name() -> None:
    offered = index(control("a", depends="b"), control("b", depends="c (>= 2)"), control("c", "2"))
    found, too_old = problems("a", offered, control("c", "1"))
    assert found == ("a 1.0-1 needs b 1.0-1 needs c (>= 2), but the base image has c 1",)
    assert too_old


def test_conflicts_with_the_base_both_ways() -> None:
    offered = index(control("a", breaks="b (<< 2)"), control("c"))
    assert problems("a", offered, control("b", "1")) == (("a 1.0-1 can't be beside b 1 of the base image",), True)
    assert chosen("a", offered, control("b", "2")) == ["a 1.0-1 asked"]
    assert problems("c", offered, control("b", conflicts="c"))[0] == ("b can't be beside c 1.0-1 of the base image",)


def test_conflicts_among_the_chosen() -> None:
    offered = index(control("a", conflicts="v"), control("b", provides="v"), control("c", provides="v", conflicts="v"))
    assert problems("a b", offered)[0] == ("a 1.0-1 can't be beside b, which provides v",)
    assert chosen("c", offered) == ["c 1.0-1 asked"]


def test_two_requests_that_need_different_versions() -> None:
    offered = index(
        control("a", depends="c (= 1)"), control("b", depends="c (= 2)"), control("c", "1"), control("c", "2")
    )
    found, too_old = problems("a b", offered)
    assert found == ("b 1.0-1 needs c (= 2), but c 1 is needed as well",)
    assert not too_old


def test_every_request_that_fails_is_named_with_names_alike() -> None:
    found, _ = problems("libgl2 nothing", index(control("libgl1"), control("libgl-dev")))
    assert found == (
        "libgl2, which no archive of the base image offers for amd64; there is libgl-dev, libgl1",
        "nothing, which no archive of the base image offers for amd64",
    )


def test_circles_of_dependencies() -> None:
    offered = index(control("a", depends="b"), control("b", depends="a"))
    assert chosen("b", offered) == ["a 1.0-1 depends:b", "b 1.0-1 asked"]


def test_the_order_of_requests_changes_nothing() -> None:
    offered = index(control("a", depends="x | y"), control("b", depends="y | x"), control("x"), control("y"))
    assert chosen("a b", offered) == chosen("b a", offered)
