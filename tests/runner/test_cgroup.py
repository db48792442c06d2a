"""Memory limits and out-of-memory counters of both versions of control groups."""

import pytest

from repro.runner.cgroup import memory_limit, oom_kills


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
