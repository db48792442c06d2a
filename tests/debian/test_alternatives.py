"""Links and files as update-alternatives leaves them."""

import pytest

from repro.debian.alternatives import Alternative, Slave, install_alternatives
from repro.debian.tree import Tree
from repro.errors import IntegrityError
from repro.oci.bodies import Inline
from repro.oci.entry import Entry
from tests.debian.forge import view

AWK = b"""auto
/usr/bin/awk
awk.1.gz
/usr/share/man/man1/awk.1.gz

/usr/bin/mawk
5
/usr/share/man/man1/mawk.1.gz

"""


def tree_with(*files: str, admin: bytes | None = None, links: dict[str, str] | None = None) -> Tree:
    base = view(["usr/bin"], links, {"var/lib/dpkg/alternatives/awk": admin} if admin is not None else {})
    tree = Tree(base)
    for path in files:
        tree.add(Entry(path, "file", 0o755, Inline(b"x"), origin="package"))
    return tree


def text(tree: Tree, path: str) -> str:
    return (tree.read(path) or b"").decode()


def links(tree: Tree) -> dict[str, str]:
    return {path: entry.target for path, entry in tree.entries.items() if entry.kind == "symlink"}


def test_the_highest_priority_wins_and_slaves_follow_where_their_files_are() -> None:
    tree = tree_with("usr/bin/gawk", "usr/bin/mawk", "usr/share/man/man1/gawk.1.gz")
    man = Slave("awk.1.gz", "/usr/share/man/man1/awk.1.gz", "/usr/share/man/man1/gawk.1.gz")
    low = Alternative("awk", "/usr/bin/awk", "/usr/bin/mawk", 5)
    high = Alternative(
        "awk", "/usr/bin/awk", "/usr/bin/gawk", 10, (man, Slave("nawk", "/usr/bin/nawk", "/usr/bin/gone"))
    )
    install_alternatives(tree, [low, high], "here")
    assert links(tree) == {
        "etc/alternatives/awk": "/usr/bin/gawk",
        "usr/bin/awk": "/etc/alternatives/awk",
        "etc/alternatives/awk.1.gz": "/usr/share/man/man1/gawk.1.gz",
        "usr/share/man/man1/awk.1.gz": "/etc/alternatives/awk.1.gz",
    }
    assert text(tree, "var/lib/dpkg/alternatives/awk") == (
        "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\n\n"
        "/usr/bin/gawk\n10\n/usr/share/man/man1/gawk.1.gz\n/usr/bin/gone\n/usr/bin/mawk\n5\n\n\n\n"
    )


def test_an_offer_beside_those_of_the_base() -> None:
    there = {"etc/alternatives/awk": "/usr/bin/mawk", "usr/bin/awk": "/etc/alternatives/awk"}
    tree = tree_with("usr/bin/gawk", admin=AWK, links=there)
    install_alternatives(tree, [Alternative("awk", "/usr/bin/awk", "/usr/bin/gawk", 10)], "here")
    assert links(tree)["etc/alternatives/awk"] == "/usr/bin/gawk"
    assert "/usr/bin/gawk\n10\n\n/usr/bin/mawk\n5\n" in text(tree, "var/lib/dpkg/alternatives/awk")


def test_a_choice_that_somebody_made_by_hand_stays() -> None:
    tree = tree_with("usr/bin/gawk", admin=AWK.replace(b"auto", b"manual"))
    install_alternatives(tree, [Alternative("awk", "/usr/bin/awk", "/usr/bin/gawk", 10)], "here")
    assert links(tree) == {}


def test_equal_priorities_go_by_path() -> None:
    tree = tree_with("usr/bin/a", "usr/bin/b")
    install_alternatives(tree, [Alternative("x", "/usr/bin/x", f"/usr/bin/{name}", 5) for name in "ba"], "here")
    assert links(tree)["etc/alternatives/x"] == "/usr/bin/a"


def test_an_offer_of_nothing() -> None:
    with pytest.raises(IntegrityError, match="no package brings it"):
        install_alternatives(tree_with(), [Alternative("x", "/usr/bin/x", "/usr/bin/gone", 5)], "here")


def test_a_damaged_file_of_the_base() -> None:
    tree = tree_with("usr/bin/gawk", admin=b"auto\n/usr/bin/awk\n\n/usr/bin/mawk\nmany\n\n")
    with pytest.raises(IntegrityError, match="damaged"):
        install_alternatives(tree, [Alternative("awk", "/usr/bin/awk", "/usr/bin/gawk", 10)], "here")
