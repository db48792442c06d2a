"""Where images are kept that no container engine has: OCI image layouts of a project and of a user."""

from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_data_dir

from repro.files import is_visible_file
from repro.oci.layouts import INDEX_FILE

_PROJECT = ".repro"
_IMAGES = "images"


def project_images(root: Path) -> Path:
    """The layout with the images that were built for the project at `root`."""
    return root / _PROJECT / _IMAGES


def user_images() -> Path:
    """The layout with the images of this user that belong to no project."""
    return Path(user_data_dir("repro", appauthor=False)) / _IMAGES


def image_stores(start: Path) -> Iterator[Path]:
    """Those of both that there are: of the nearest project at or above `start`, then the user's."""
    above = (project_images(folder) for folder in (start, *start.parents))
    nearest = next((store for store in above if is_visible_file(store / INDEX_FILE)), None)
    if nearest is not None:
        yield nearest
    if is_visible_file(user_images() / INDEX_FILE):
        yield user_images()
