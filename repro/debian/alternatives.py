"""Debian's alternatives (update-alternatives(1)): links in /etc/alternatives and the files that say who offers what."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.debian.tree import Tree
from repro.errors import IntegrityError

_ADMIN = "var/lib/dpkg/alternatives"
_LINKS = "etc/alternatives"


@dataclass(frozen=True, slots=True)
class Slave:
    """A link that follows a group's choice; its file need not exist."""

    name: str
    link: str
    path: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """One offer of a group, as `update-alternatives --install` takes it. Paths are absolute."""

    name: str
    link: str
    path: str
    priority: int
    slaves: tuple[Slave, ...] = ()


@dataclass(slots=True)
class _Group:
    """The file of one group."""

    mode: str
    link: str
    slaves: dict[str, str]
    choices: dict[str, tuple[int, dict[str, str]]]


def install_alternatives(tree: Tree, offers: Iterable[Alternative], origin: str) -> None:
    """Make the links and files that installing all of these offers leaves.

    Raises IntegrityError when the base's file of a group can't be read, or an offered file isn't there.
    """
    by_name: dict[str, list[Alternative]] = {}
    for offer in offers:
        by_name.setdefault(offer.name, []).append(offer)
    for name in sorted(by_name):
        _install(tree, name, by_name[name], origin)


def _install(tree: Tree, name: str, offers: Sequence[Alternative], origin: str) -> None:
    admin = f"{_ADMIN}/{name}"
    text = tree.read(admin)
    if text is None and tree.find(admin) is not None:
        raise IntegrityError("the base's alternatives can't be read", where=f"/{admin}")
    group = _Group("auto", offers[0].link, {}, {}) if text is None else _parse(text.decode(), admin)
    for offer in offers:
        if tree.find(offer.path) is None:
            raise IntegrityError(f"{offer.path} is offered as {name}, but no package brings it", where=origin)
        group.slaves |= {slave.name: slave.link for slave in offer.slaves}
        group.choices[offer.path] = (offer.priority, {slave.name: slave.path for slave in offer.slaves})
    tree.write(admin, _render(group).encode(), origin)
    if group.mode == "auto":
        _point(tree, name, group, origin)


def _point(tree: Tree, name: str, group: _Group, origin: str) -> None:
    """Links to the best offer: the highest priority, of equal ones the first path."""
    best = min(group.choices, key=lambda path: (-group.choices[path][0], path))
    links = {name: (group.link, best)}
    for slave, path in group.choices[best][1].items():
        if path and tree.find(path) is not None:
            links[slave] = (group.slaves[slave], path)
    for each, (link, path) in links.items():
        tree.link(f"{_LINKS}/{each}", path, origin)
        tree.link(link.lstrip("/"), f"/{_LINKS}/{each}", origin)


def _parse(text: str, where: str) -> _Group:
    """Mode, link, pairs of slaves, an empty line; then for each choice its path, priority and slaves' paths."""
    lines = iter(text.split("\n"))
    try:
        group = _Group(next(lines), next(lines), {}, {})
        while name := next(lines):
            group.slaves[name] = next(lines)
        while path := next(lines):
            group.choices[path] = (int(next(lines)), {name: next(lines) for name in group.slaves})
    except (StopIteration, ValueError) as error:
        raise IntegrityError("the base's alternatives are damaged", where=f"/{where}") from error
    return group


def _render(group: _Group) -> str:
    lines = [group.mode, group.link]
    for name in sorted(group.slaves):
        lines += [name, group.slaves[name]]
    lines.append("")
    for path in sorted(group.choices):
        priority, slaves = group.choices[path]
        lines += [path, str(priority), *(slaves.get(name, "") for name in sorted(group.slaves))]
    return "\n".join([*lines, "", ""])
