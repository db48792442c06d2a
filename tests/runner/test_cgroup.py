"""Limits of memory and CPU, and out-of-memory counters, of both versions of control groups."""

import pytest

from repro.runner.cgroup import cpu_quota, memory_limit, oom_kills


def lay_out(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root / "fs", root / "cgroup"


V2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"


@pytest.mark.parametrize(
    ("files", "kills", "limit"),
    [
        ({"cgroup": "0::/\n", "fs/memory.events": V2, "fs/memory.max": "1048576\n"}, 2, 1048576),
        ({"cgroup": "0::/a/b\n", "fs/a/b/memory.events": V2, "fs/a/b/memory.max": "max\n"}, 2, None),
        (
            {
                "cgroup": "5:cpu:/docker/x\n4:memory:/docker/x\n",
                "fs/memory/memory.oom_control": V1,
                "fs/memory/memory.limit_in_bytes": "2097152\n",
            },
            4,
            2097152,
        ),
        ({"cgroup": "4:memory:/\n", "fs/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0, None),
        ({}, 0, None),
    ],
)
def test_both_versions(tmp_path, files, kills, limit):
    root, membership = lay_out(tmp_path, files)
    assert oom_kills(root, membership) == kills
    assert memory_limit(root, membership) == limit


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cgroup": "0::/a\n", "fs/a/cpu.max": "150000 100000\n", "fs/cpu.max": "max 100000\n"}, 1.5),
        ({"cgroup": "0::/\n", "fs/cpu.max": "max 100000\n"}, None),
        (
            {
                "cgroup": "3:cpu,cpuacct:/x\n",
                "fs/cpu/x/cpu.cfs_quota_us": "50000",
                "fs/cpu/x/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ({"cgroup": "3:cpu,cpuacct:/\n", "fs/cpu/cpu.cfs_quota_us": "-1", "fs/cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cgroup": "0::/\n", "fs/cpu.max": "1 0\n"}, None),
        ({}, None),
    ],
)
def test_a_quota_of_cpus(tmp_path, files, cpus):
    assert cpu_quota(*lay_out(tmp_path, files)) == cpus
