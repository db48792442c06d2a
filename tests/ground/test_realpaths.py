"""Real paths of many files, as the system tells them one by one."""

import os

from repro.realpaths import RealPaths


def test_every_kind_of_path_leads_where_the_system_says(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    (tmp_path / "folder").symlink_to("a")
    (tmp_path / "a/link").symlink_to("b/file")
    (tmp_path / "a/circle").symlink_to("circle")
    (tmp_path / "a/out").symlink_to("/etc/hostname")
    real = RealPaths()
    names = ["a/b/file", "folder/b/file", "folder/link", "a/circle", "a/out", "a/gone", "gone/gone"]
    names += ["a/..", "a/.", "a/"]
    below = [f"{tmp_path}/{name}" for name in names]
    for path in [*below, *below, "/", "/etc"]:
        assert real.of(path) == os.path.realpath(path), path
