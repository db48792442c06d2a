"""Which files the author's globs keep out of the image."""

from repro.capture.mounts import mark_mounted, mount_warnings
from repro.digest import Digest
from repro.lock import LockedFile, Role


def file_of(path: str, role: Role = "data") -> LockedFile:
    return LockedFile(path, role, Digest.of(path.encode()), 1)


FILES = (
    file_of("data/big/a.csv"),
    file_of("data/big/deep/b.csv"),
    file_of("data/big/load.py", "code"),
    file_of("data/small.csv"),
    file_of("models/m.bin", "model"),
    file_of("n.ipynb", "notebook"),
)


def mounted(*globs: str) -> list[str]:
    return [file.path for file in mark_mounted(FILES, globs) if file.mount]


def test_data_and_models_that_match_are_marked_and_code_never_is():
    assert mounted() == []
    assert mounted("data/big/**") == ["data/big/a.csv", "data/big/deep/b.csv"]
    assert mounted("data/big") == ["data/big/a.csv", "data/big/deep/b.csv"]
    assert mounted("*.bin", "data/*.csv") == ["data/small.csv", "models/m.bin"]
    assert mounted("**") == [file.path for file in FILES if file.role in ("data", "model")]


def test_everything_else_stays_as_it_is():
    marked = mark_mounted(FILES, ("data/big/**",))
    assert [file.path for file in marked] == [file.path for file in FILES]
    assert [one for one, file in zip(marked, FILES, strict=True) if one != file] == [marked[0], marked[1]]


def test_globs_that_keep_nothing_out_are_told():
    globs = ("data/big/**", "data/bgi/**", "*.py")
    first, second = mount_warnings(mark_mounted(FILES, globs), globs)
    assert first == "[files] mount: no file that was locked matches 'data/bgi/**'"
    assert "'*.py' matches no data and no model, only code" in second
    assert "data/big/load.py" in second
