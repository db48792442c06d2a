"""Where limits are kept: control groups of either version where this user may make them, else by watching."""

import os
from pathlib import Path

import pytest

from repro.engines.bubblewrap import groups
from repro.engines.bubblewrap.groups import group_folders, limited_group
from repro.engines.bubblewrap.scratch import remove_run, scratch
from repro.engines.bubblewrap.seccomp import filter_program
from tests.engines.bubblewrap.conftest import Python, as_nobody

V2 = "30 25 0:26 / {root} rw - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "31 25 0:27 / {root}/memory rw - cgroup cgroup rw,memory\n32 25 0:28 / {root}/pids rw - cgroup cgroup rw,pids\n"


def machine(tmp_path: Path, mounts: str, membership: str) -> tuple[Path, Path]:
    (tmp_path / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/x rw\n" + mounts.format(root=tmp_path / "fs"))
    (tmp_path / "cgroup").write_text(membership)
    return tmp_path / "mountinfo", tmp_path / "cgroup"


def make(folder: Path, *controllers: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.procs").touch()
    (folder / "cgroup.subtree_control").write_text(" ".join(controllers) + "\n")
    return folder


def test_version_two_takes_the_nearest_group_that_gives_both_controllers_to_its_children(tmp_path: Path) -> None:
    files = machine(tmp_path, V2, "0::/user.slice/app.slice/term.scope\n")
    make(tmp_path / "fs", "cpu", "memory", "pids")
    app = make(tmp_path / "fs/user.slice/app.slice", "memory", "pids")
    make(tmp_path / "fs/user.slice/app.slice/term.scope")
    assert group_folders("repro-x", *files) == {"/sys/fs/cgroup": app / "repro-x"}
    (app / "cgroup.subtree_control").write_text("cpu memory\n")
    assert group_folders("repro-x", *files) == {"/sys/fs/cgroup": tmp_path / "fs/repro-x"}


def test_version_two_without_controllers_for_us_has_none(tmp_path: Path) -> None:
    files = machine(tmp_path, V2, "0::/\n")
    make(tmp_path / "fs", "cpu")
    assert group_folders("repro-x", *files) == {}


def test_version_one_takes_our_own_group_in_each_hierarchy(tmp_path: Path) -> None:
    files = machine(tmp_path, V1, "8:pids:/\n4:memory:/mine\n0::/\n")
    memory, pids = make(tmp_path / "fs/memory/mine"), make(tmp_path / "fs/pids")
    assert group_folders("repro-x", *files) == {
        "/sys/fs/cgroup/memory": memory / "repro-x",
        "/sys/fs/cgroup/pids": pids / "repro-x",
    }


def test_a_container_sees_its_own_group_as_the_mounts_root(tmp_path: Path) -> None:
    mounts = V1.replace(" / {root}", " /docker/abc {root}")
    files = machine(tmp_path, mounts, "8:pids:/docker/abc\n4:memory:/docker/abc/below\n")
    memory, pids = make(tmp_path / "fs/memory/below"), make(tmp_path / "fs/pids")
    assert set(group_folders("x", *files).values()) == {memory / "x", pids / "x"}


def test_who_may_not_write_has_no_group(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("")
    assert group_folders("repro-x", tmp_path / "none", tmp_path / "missing") == {}
    if os.geteuid() == 0:
        assert as_nobody(lambda: group_folders("repro-x")) == {}


def test_limits_of_version_two_are_written_and_its_count_of_kills_is_read(tmp_path: Path) -> None:
    """On plain files, which the kernel would have made with the directory."""
    for name in ("memory.max", "memory.swap.max", "pids.max", "cgroup.procs", "memory.events"):
        (tmp_path / name).touch()
    groups._limit(tmp_path, 1 << 30, 50)
    group = groups.Group({"/sys/fs/cgroup": tmp_path})
    group.join(4711)
    written = [(tmp_path / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max", "cgroup.procs")]
    assert written == [str(1 << 30), "0", "50", "4711"]
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 0\noom_group_kill 0\n")
    assert not group.oom_killed()
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert group.oom_killed()


def test_a_group_that_can_not_be_made_is_none(tmp_path: Path) -> None:
    for folders in ({}, {"/sys/fs/cgroup": tmp_path / "missing" / "repro-x"}):
        with limited_group(folders, 1 << 30, 50) as group:
            assert group is None


@pytest.mark.base
def test_the_runner_in_the_image_sees_its_limit_where_the_kernel_keeps_it(python: Python) -> None:
    outcome = python(
        "import pathlib\n"
        "found = [p.read_text().strip() for n in ('memory.max', 'memory/memory.limit_in_bytes')"
        " if (p := pathlib.Path('/sys/fs/cgroup', n)).exists()]\n"
        "print(found)",
        memory=1 << 30,
    )
    kept = (
        (lambda: group_folders("repro-x")) if not python.unprivileged else lambda: as_nobody(lambda: group_folders("x"))
    )
    assert outcome.log == (f"['{1 << 30}']" if kept() else "[]")


def test_directories_and_groups_of_a_process_that_was_killed_are_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ("repro-" + "0" * 32)
    (left / "mount-0" / "closed").mkdir(parents=True)
    (left / "mount-0" / "closed").chmod(0)
    (left / "lock").touch()
    group = tmp_path / "group"
    group.mkdir()
    (left / "groups.json").write_text(f'["{group}", "/sys/fs/cgroup/none"]')
    with scratch(tmp_path) as mine:
        assert not left.exists()
        assert not group.exists()
        with scratch(tmp_path) as other:
            assert mine.path.is_dir()
        assert not other.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_removed_with_its_groups_unless_its_process_lives(tmp_path: Path) -> None:
    with scratch(tmp_path / "runs") as mine:
        assert not remove_run(mine.path)
        assert mine.path.is_dir()
    for number in range(2):
        left, group = tmp_path / f"left-{number}", tmp_path / f"group-{number}"
        (left / "mount-0").mkdir(parents=True)
        group.mkdir()
        (left / "groups.json").write_text(f'["{group}"]')
        (left / "lock").touch() if number else None
        assert remove_run(left)
        assert not left.exists()
        assert not group.exists()
    assert remove_run(tmp_path / "none")


def test_every_processor_that_images_are_built_for_has_a_filter() -> None:
    for machine_name in ("x86_64", "aarch64"):
        program = filter_program(machine_name)
        assert program is not None
        assert len(program) % 8 == 0
        assert len(program) // 8 <= 4096  # BPF_MAXINSNS
    assert filter_program("riscv64") is None
