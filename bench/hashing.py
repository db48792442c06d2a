"""How fast files are hashed, against `openssl dgst -sha256` on all cores, and again with the stat cache.

Usage: python bench/hashing.py [DIRECTORY]   where the files are made, removed afterwards; a temporary one by default.

Large files (8 of 128 MiB), middling (50,000 of 20 kB) and tiny ones (100,000 of 1 kB). Both take turns and the best of
several rounds counts, so that a busy machine spoils neither. openssl gets as many processes as there are cores, the
files dealt out evenly.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from repro.capture.hashing import lock_files
from repro.capture.snapshot import take_snapshot
from repro.cpus import usable_cpus
from repro.store.hashing import hash_files
from repro.store.stat_cache import open_stat_cache

_ROUNDS = 3
_SETS = {"large": (8, 128 << 20), "middling": (50_000, 20_000), "tiny": (100_000, 1_000)}
_PER_FOLDER = 1000
_RACY_SECONDS = 2.5


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        os.environ["REPRO_CACHE_DIR"] = f"{folder}/cache"
        for name, (count, size) in _SETS.items():
            root = Path(folder, name)
            paths = list(_files(root, count, size))
            ours, theirs = _best(lambda: hash_files(paths), lambda: _openssl(paths))  # noqa: B023 - called at once
            speed = count * size / ours / 1e6
            print(
                f"{name}: {count} files of {size} bytes: repro {ours:.2f} s ({speed:.0f} MB/s), "
                f"openssl {theirs:.2f} s: {theirs / ours:.2f} of its speed"
            )
        time.sleep(_RACY_SECONDS)
        first, second, last = (_captured(root) for _ in range(3))
        print(f"{count} files as capture hashes them: {first:.2f} s, again {min(second, last):.2f} s")


def _files(root: Path, count: int, size: int) -> Iterator[str]:
    noise = os.urandom(size)
    for number in range(count):
        path = root / f"{number // _PER_FOLDER:03}" / f"{number:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(number.to_bytes(8) + noise[8:])
        yield str(path)


def _best(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    rounds = [(_timed(one), _timed(other)) for _ in range(_ROUNDS)]
    return min(first for first, _ in rounds), min(second for _, second in rounds)


def _openssl(paths: list[str]) -> None:
    """As many processes as cores; each gets as many files at once as fit on a command line."""
    cores = usable_cpus()
    each = max(1, min(500, len(paths) // cores))
    command = ["xargs", "-0", "-P", str(cores), "-n", str(each), "openssl", "dgst", "-sha256"]
    subprocess.run(command, input="\0".join(paths).encode(), stdout=subprocess.DEVNULL, check=True)


def _captured(root: Path) -> float:
    """All that capture does to hash: open the cache, look at every file, save the cache."""
    states = take_snapshot(root).files

    def work() -> None:
        cache = open_stat_cache(root)
        files, problems = lock_files(
            root, states, states=states, role=lambda _: "data", hash_all=lambda paths: hash_files(paths, cache=cache)
        )
        cache.save()
        if problems or len(files) != len(states):
            raise SystemExit(f"{len(problems)} problems: {problems[:3]}")

    return _timed(work)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
