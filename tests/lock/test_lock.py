"""The lock's text: canonical, exact, strict, and every fault named with its path."""

import math
import random
import re
import struct
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.errors import IntegrityError, UsageError
from repro.lock import Lock, Metric, load_lock, parse_lock, render_lock
from repro.lock.writer import canonical
from tests.lock.samples import full_lock

FIXTURES = Path(__file__).parent / "fixtures"


def _bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value


def test_every_version_ever_written_is_still_read() -> None:
    for path in sorted(FIXTURES.glob("lock-*.toml")):
        lock = parse_lock(path.read_bytes(), where=path.name)
        assert render_lock(lock) == path.read_bytes(), f"{path.name} is not canonical any more"


def test_the_text_of_a_full_lock_is_the_one_on_record() -> None:
    assert render_lock(full_lock()).decode() == (FIXTURES / "lock-1.0.toml").read_text(encoding="utf-8")


def test_reading_gives_back_what_was_written_bit_for_bit() -> None:
    lock = canonical(full_lock())
    read = parse_lock(render_lock(lock))
    assert [(m.name, type(m.value), _bits(m.value)) for m in read.metrics] == [
        (m.name, type(m.value), _bits(m.value)) for m in lock.metrics
    ]
    assert replace(read, metrics=()) == replace(lock, metrics=())


def test_the_order_of_what_was_found_does_not_matter() -> None:
    lock = full_lock()
    shuffler = random.Random(7)

    def shuffled(items: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(shuffler.sample(items, len(items)))

    for _ in range(5):
        other = replace(
            lock,
            metrics=shuffled(lock.metrics),
            files=shuffled(lock.files),
            packages=shuffled(lock.packages),
            outputs=shuffled(lock.outputs),
        )
        assert render_lock(other) == render_lock(lock)


@given(st.floats())
def test_every_float_survives(value: float) -> None:
    lock = replace(full_lock(), metrics=(Metric("m", value, "x"),))
    read = parse_lock(render_lock(lock)).metrics[0].value
    assert isinstance(read, float)
    assert _bits(read) == _bits(value) or (math.isnan(read) and math.isnan(value))


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_every_text_survives(text: str) -> None:
    lock = full_lock()
    lock = replace(
        lock,
        metrics=(Metric(text, text, text),),
        environment=replace(lock.environment, variables={text: text}),
    )
    read = parse_lock(render_lock(lock))
    assert read.metrics[0] == Metric(text, text, text)
    assert read.environment.variables == {text: text}


def _edited(old: str, new: str) -> bytes:
    text = render_lock(full_lock()).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('kind = "notebook"', 'kind = "novel"', "subject.kind: must be one of notebook, script"),
        ("threads = 4", 'threads = "4"', "environment.threads: must be an integer"),
        ("threads = 4", "threads = -4", "environment.threads: must not be negative"),
        ("rerun = true", "rerun = 1", "baseline.rerun: must be true or false"),
        ('name = "auc"', 'nom = "auc"', "metrics[0].name: is missing"),
        ('name = "auc"', 'name = "auc"\nnom = "auc"', "metrics[0].nom: unknown field"),
        ('path = "models/m.ubj"', 'path = "../m.ubj"', "files[1].path: must be a relative path inside the project"),
        ('path = "models/m.ubj"', 'path = "/m.ubj"', "files[1].path: must be a relative path inside the project"),
        ('supply = "packed"', 'supply = "base"', "python.supply: must be"),
        ('name = "mine-0.1', 'name = "../mine-0.1', "packages[0].files[0].name: must be a plain file name"),
        ('path = "models/m.ubj"', 'path = "."', "files[1].path: must be a relative path inside the project"),
        ('path = "models/m.ubj"', 'path = "src/features.py"', "files[3].path: comes twice"),
        ('name = "floor"', 'name = "auc"', "metrics[2].name: comes twice"),
        ('name = "six"', 'name = "numpy"', "packages[2].name: comes twice"),
        ('targets = ["linux/amd64"]', "targets = []", "targets: must name at least one platform"),
        ('targets = ["linux/amd64"]', 'targets = ["linux/vax"]', "targets[0]: must be linux/amd64 or linux/arm64"),
        ('targets = ["linux/amd64"]', 'targets = ["linux/arm64"]', "packages[0].files[0].targets: the lock is not for"),
        ('glibc = "2.34"', 'glibc = "2"', "python.packed.glibc: must be a version such as 2.36"),
        ('glibc = "2.36"', 'glibc = "2.36-9+deb12u4"', "base.glibc: must be a version such as 2.36"),
        ("size = 10\n", f"size = 0x{'f' * 5000}\n", "files[2].size: is too large"),
        ("timeout = 3600.0", f"timeout = 1{'0' * 400}", "policy.timeout: is too large"),
        ('digest = "sha256:', 'digest = "md5:', "base.digest: not a sha256 digest"),
    ],
)
def test_a_fault_is_named_with_its_path(old: str, new: str, problem: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_lock(_edited(old, new))
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems


def test_all_faults_are_told_at_once() -> None:
    data = _edited("threads = 4", "threads = -4").replace(b"rerun = true", b"rerun = 0")
    with pytest.raises(IntegrityError) as caught:
        parse_lock(data)
    assert len(caught.value.problems) == 2


def test_a_truncated_digest_is_named() -> None:
    text = render_lock(full_lock()).decode()
    start = text.index('sha256 = "', text.index("[[files]]")) + len('sha256 = "')
    with pytest.raises(IntegrityError) as caught:
        parse_lock((text[:start] + text[start + 1 :]).encode())
    assert caught.value.problems == ("files[0].sha256: must be 64 lower-case hex digits",)


@pytest.mark.parametrize("version", ['"2.0"', '"0.9"', "1.0", '"one"', '"1"'])
def test_an_unknown_major_version_is_refused(version: str) -> None:
    with pytest.raises(IntegrityError, match="format"):
        parse_lock(_edited('version = "1.0"', f"version = {version}"))


def test_an_unknown_minor_version_is_read_with_a_warning() -> None:
    class Warned:
        lines: list[str]

        def __init__(self) -> None:
            self.lines = []

        def note(self, text: str) -> None:
            raise AssertionError(text)

        def warn(self, text: str) -> None:
            self.lines.append(text)

        def start(self, title: str, total: float | None = None, unit: str = "items") -> None:
            raise AssertionError(title, total, unit)

    data = _edited('version = "1.0"', 'version = "1.7"').replace(b"rerun = true", b"rerun = true\nsoon = 1")
    progress = Warned()
    lock = parse_lock(data, progress=progress)
    assert isinstance(lock, Lock)
    assert len(progress.lines) == 1
    assert "1.7" in progress.lines[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size = 10\n", f"size = {'9' * 5000}\n"),
        ("size = 10\n", f"size = {'[' * 5000}\n"),
        ('version = "1.0"', f'version = "1.{"9" * 5000}"'),
        ('version = "1.0"', f'version = "{"9" * 5000}.0"'),
    ],
    ids=["integer", "nesting", "minor version", "major version"],
)
def test_what_python_itself_refuses_is_a_damaged_lock(old: str, new: str) -> None:
    with pytest.raises(IntegrityError):
        parse_lock(_edited(old, new))


_WHOLE = render_lock(full_lock())
_PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b'"', b"\n", b"[", b"]]", b"-1", b"nan", b"1e999", b"1979-05-27", b"true", b"{}", b"=", b"\\u0000"]
    ),
    st.sampled_from([b"9" * 18, b"9" * 400, b"9" * 5000, b"[" * 5000]),
)
_PLACES = st.one_of(
    st.sampled_from([found.end() for found in re.finditer(rb' = "?', _WHOLE)]), st.integers(0, len(_WHOLE))
)
_EDITS = st.lists(st.tuples(_PLACES, st.integers(0, 80), _PIECES), min_size=1, max_size=3)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_EDITS)
def test_no_mutation_does_more_than_damage_a_lock(edits: list[tuple[int, int, bytes]]) -> None:
    data = _WHOLE
    for start, length, piece in edits:
        data = data[:start] + piece + data[start + length :]
    try:
        lock = parse_lock(data)
    except IntegrityError:
        return
    assert parse_lock(render_lock(lock)).targets == lock.targets


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"version = ", b"<<<<<<< HEAD\nversion = '1.0'\n"])
def test_what_is_not_a_lock_is_refused_and_left_alone(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "repro.lock"
    path.write_bytes(data)
    with pytest.raises(IntegrityError) as caught:
        load_lock(path)
    assert str(path) in (caught.value.where or "")
    assert path.read_bytes() == data


def test_a_missing_lock_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_lock(tmp_path / "repro.lock")
    assert "repro capture" in (caught.value.fix or "")


def test_the_lock_is_toml_that_others_read() -> None:
    document = tomllib.loads(render_lock(full_lock()).decode())
    assert document["packages"][1]["files"][0]["name"].startswith("numpy-2.4.1")
