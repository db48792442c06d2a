"""Do the layers fit together and fit the base? What no single layer can tell. Pure."""

from collections.abc import Collection, Iterable, Mapping

from repro.errors import IntegrityError
from repro_oci.cache import Listed

Kind = str


def check_whole(
    listings: Iterable[Iterable[Listed]], base: Mapping[str, Kind], replacing: Collection[int] = ()
) -> None:
    """Refuse layers that overwrite each other's files, or replace what the base has by another kind of thing.

    Args:
        listings: The paths of each layer.
        base: Kind of every path of the base: `file`, `directory`, `symlink`.
        replacing: Numbers of the layers that are there to change what those below them brought.

    Raises:
        IntegrityError: `problems` names each path and who brought it.
    """
    owners: dict[str, Listed] = {}
    problems: list[str] = []
    for number, listing in enumerate(listings):
        for item in listing:
            if number in replacing:
                owners[item.path] = item
            owner = owners.setdefault(item.path, item)
            if owner is not item:
                problems += _conflict(owner, item)
            problems += _against_base(item, base.get(item.path))
    if problems:
        raise IntegrityError(
            "the layers of the image do not fit together",
            problems=sorted(set(problems)),
            fix="Two packages that bring the same file can't be installed side by side: remove one of them, or "
            "choose another base image where the base is named.",
        )


def _conflict(owner: Listed, item: Listed) -> list[str]:
    if owner.kind == item.kind == "directory":
        return []
    if owner.kind == item.kind and owner.content == item.content != "":
        return []
    return [f"/{item.path} comes from {owner.origin} and, with other content, from {item.origin}"]


def _against_base(item: Listed, found: Kind | None) -> list[str]:
    if found is None or found == item.kind:
        return []
    if item.kind == "directory" or found == "directory":
        return [f"/{item.path} from {item.origin or 'the image'} is a {item.kind}, in the base a {found}"]
    return []
