"""Copies a source tree for building: what its author would hand to someone else, with what its version needs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from repro.process import run

_LITTER = {"__pycache__", ".ipynb_checkpoints", ".repro", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox"}
_LITTER |= {"node_modules", ".venv", ".hypothesis", ".git"}
_PRODUCTS = {"build", "dist"}
_GENERATED = ("*.py", "*.pyi")


def copy_tree(tree: Path, destination: Path) -> Path:
    """Copy a source tree without environments, caches and earlier build products; nothing is written in `tree`.

    In a git working tree the files are what git tracks, what it doesn't ignore, and ignored Python source (it is
    generated, yet imported); the whole working tree is copied, because a version or a build may look above `tree`.

    Args:
        tree: The project's directory.
        destination: A directory that doesn't exist.

    Returns:
        The copy of `tree`: `destination`, or a directory below it when `tree` is a part of a git working tree.
    """
    top, listed = _git_files(tree)
    files = _walk(tree) if listed is None else listed
    for path in files:
        _copy(path, destination / path.relative_to(top), top)
    destination.mkdir(parents=True, exist_ok=True)
    if listed is not None:
        _borrow_history(tree, destination / ".git")
    return destination / tree.relative_to(top)


def _borrow_history(tree: Path, target: Path) -> None:
    """Make a git directory that has an index of its own and takes the rest from the user's, as a worktree does.

    Backends ask git for a version; `git status` writes to the index that it finds (gitrepository-layout, commondir).
    """
    git = Path(run(["git", "-C", tree, "rev-parse", "--absolute-git-dir"]).stdout.strip())
    common = run(["git", "-C", tree, "rev-parse", "--git-common-dir"]).stdout.strip()
    target.mkdir()
    (target / "commondir").write_text(f"{(tree / common).resolve()}\n", encoding="utf-8")
    for name in ("HEAD", "index", "sharedindex.*"):
        for path in git.glob(name):
            shutil.copyfile(path, target / path.name)


def _git_files(tree: Path) -> tuple[Path, list[Path] | None]:
    if shutil.which("git") is None:
        return tree, None
    inside = run(["git", "-C", tree, "rev-parse", "--show-cdup"], check=False)
    if inside.returncode:
        return tree, None
    up = inside.stdout.strip().rstrip("/")
    top = tree.parents[up.count("..") - 1] if up else tree
    tracked = _listed(top, "--cached", "--recurse-submodules")
    if not any(path.is_relative_to(tree) for path in tracked):
        return tree, None  # a project inside a repository that ignores it
    others = [*_listed(top, "--others", "--exclude-standard")]
    others += _listed(top, "--others", "--ignored", "--exclude-standard", "--", *_GENERATED)
    return top, [*tracked, *(path for path in others if not _is_litter(path, top, tree))]


def _listed(top: Path, *arguments: str) -> list[Path]:
    output = run(["git", "-C", top, "ls-files", "-z", *arguments]).stdout
    return [top / name for name in output.split("\0") if name]


def _is_litter(path: Path, top: Path, tree: Path) -> bool:
    for folder in path.parents:
        if folder == top:
            return False
        if _skipped(folder, tree):
            return True
    return False


def _walk(tree: Path) -> Iterator[Path]:
    for entry in sorted(tree.iterdir()):
        if entry.is_symlink() or not entry.is_dir():
            yield entry
        elif not _skipped(entry, tree):
            yield from _walk(entry)


def _skipped(folder: Path, tree: Path) -> bool:
    if folder.name in _LITTER or folder.suffix == ".egg-info":
        return True
    if folder.name in _PRODUCTS and folder.parent == tree:
        return not (folder / "__init__.py").exists()
    return (folder / "pyvenv.cfg").exists() or (folder / "conda-meta").is_dir()


def _copy(path: Path, target: Path, top: Path) -> None:
    """Copy one file; a link that stays inside of the tree stays a link, another becomes what it points to."""
    target.parent.mkdir(parents=True, exist_ok=True)
    inside = path.is_symlink() and path.resolve().is_relative_to(top.resolve())
    if inside and not path.readlink().is_absolute():
        target.symlink_to(path.readlink())
    elif path.is_file():
        shutil.copy2(path, target)
    elif path.is_symlink() and path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns(*_LITTER))
