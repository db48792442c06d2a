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
from repro.lock import (
    Evidence,
    Gates,
    ImageOptions,
    Lock,
    Metric,
    Python,
    Tolerance,
    load_lock,
    lock_body,
    parse_lock,
    render_body,
    render_lock,
)
from repro.lock.model import SCHEMA_VERSION
from repro.lock.writer import canonical
from tests.lock.samples import full_lock, lock_1_1, lock_1_2, lock_1_3, plain_lock, predicted_image, system_package

_SIX_FILE = next(
    line for line in render_lock(full_lock()).decode().splitlines(keepends=True) if '"six-1.0-py3-none-any.whl"' in line
)

FIXTURES = Path(__file__).parent / "fixtures"


def _bits(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value


def test_every_version_ever_written_is_still_read() -> None:
    versions = set()
    for path in sorted(FIXTURES.glob("lock-*.toml")):
        lock = parse_lock(path.read_bytes(), where=path.name)
        versions.add(tomllib.loads(path.read_text(encoding="utf-8"))["version"])
        assert render_lock(parse_lock(render_lock(lock))) == render_lock(lock)
    assert {"1.0", SCHEMA_VERSION} <= versions


def test_the_text_of_a_full_lock_is_the_one_on_record() -> None:
    assert render_lock(full_lock()).decode() == (FIXTURES / "lock-1.4.toml").read_text(encoding="utf-8")


def test_a_lock_of_format_1_0_has_the_later_fields_at_their_defaults() -> None:
    lock, body = load_lock(FIXTURES / "lock-1.0.toml")
    assert body == (FIXTURES / "lock-1.0.toml").read_bytes()
    assert (lock.image, lock.system, lock.modules, lock.predicted) == (ImageOptions(), (), {}, ())
    assert not any(package.requested for package in lock.packages)
    assert render_lock(lock) == render_lock(plain_lock())


@pytest.mark.parametrize("field", ["[image]\nencoding = 'tar'\nbytecode = 'all'", "[[system]]", "[modules]"])
def test_fields_of_format_1_1_are_unknown_to_1_0(field: str) -> None:
    data = (FIXTURES / "lock-1.0.toml").read_text(encoding="utf-8") + field + "\n"
    with pytest.raises(IntegrityError, match=r": unknown field"):
        parse_lock(data.encode())


def test_a_lock_of_format_1_1_has_the_later_fields_at_their_defaults() -> None:
    lock, _ = load_lock(FIXTURES / "lock-1.1.toml")
    assert lock.evidence == Evidence()
    assert render_lock(lock) == render_lock(lock_1_1())


@pytest.mark.parametrize("field", ["[machine]\nsystem = 'x'", "[revision]\ncommit = 'x'", "[[profiles]]\npath = 'x'"])
def test_fields_of_format_1_2_are_unknown_to_1_1(field: str) -> None:
    body = lock_body((FIXTURES / "lock-1.1.toml").read_bytes()).decode()
    with pytest.raises(IntegrityError, match=r": unknown field"):
        parse_lock(f"{body}\n{field}\n".encode())


def test_a_lock_of_format_1_2_has_the_later_fields_at_their_defaults() -> None:
    """Nothing said exact when it was written, and says so for good."""
    lock, _ = load_lock(FIXTURES / "lock-1.2.toml")
    assert {metric.tolerance for metric in lock.metrics} == {Tolerance(), Tolerance(1e-9, 1e-6)}
    assert all(metric.gates == Gates() and metric.runs == () for metric in lock.metrics)
    assert render_lock(lock) == render_lock(lock_1_2())


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("field", ["ulp = 1", "digits = 2", "samples = 9", "band = false", "min = 0.9", "runs = [1.0]"])
def test_fields_of_format_1_3_are_unknown_before(version: str, field: str) -> None:
    body = lock_body((FIXTURES / f"lock-{version}.toml").read_bytes()).decode()
    with pytest.raises(IntegrityError) as caught:
        parse_lock(body.replace("direction = ", f"{field}\ndirection = ", 1).encode())
    assert caught.value.problems == (f"metrics[0].{field.partition(' ')[0]}: unknown field",)


def test_a_lock_of_format_1_3_has_no_conda_packages() -> None:
    lock, _ = load_lock(FIXTURES / "lock-1.3.toml")
    assert lock.conda == ()
    assert render_lock(lock) == render_lock(lock_1_3())


def test_conda_is_unknown_to_1_3() -> None:
    text = render_lock(full_lock()).decode().replace('version = "1.4"', 'version = "1.3"', 1)
    with pytest.raises(IntegrityError) as caught:
        parse_lock(text.replace('supply = "packed"', 'supply = "conda"', 1).encode())
    assert "conda: unknown field" in caught.value.problems
    assert "python.supply: must be one of base, packed" in caught.value.problems


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('subdir = "noarch"', 'subdir = "linux-aarch64"', "conda[2].subdir: linux-aarch64 is not for linux/amd64"),
        ('name = "tzdata"', 'name = "numpy"', "conda[2].name: comes twice: 'numpy'"),
        ('name = "tzdata"', 'name = "../tzdata"', "conda[2].name: must be the name of a conda package"),
        ('build = "conda_forge"', 'build = "a/b"', "conda[0].build: must be a build string"),
        ('without = ["bin/f2py"', 'without = ["/bin/f2py"', "conda[1].without[0]: must be a relative path"),
        (
            'path = "lib/python3.11/site-packages/numpy/version.py"',
            'path = "../x"',
            "conda[1].patched[0].path",
        ),
        ('supply = "packed"', 'supply = "conda"', 'python.supply: must be "packed" exactly when'),
        ('"conda:numpy" = ', '"conda:scipy" = ', "modules.conda:scipy: the lock has no such package"),
    ],
)
def test_faults_of_conda_packages_are_named(old: str, new: str, problem: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_lock(_edited(old, new))
    assert any(one.startswith(problem) for one in caught.value.problems), caught.value.problems


def test_conda_supplies_python_only_with_its_package() -> None:
    lock = replace(full_lock(), python=Python("cpython", "3.11.7", "conda"))
    with pytest.raises(IntegrityError) as caught:
        parse_lock(render_lock(lock))
    assert "python.supply: there is no conda package python for linux/amd64" in caught.value.problems


def test_a_profile_of_a_file_that_is_not_locked_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_lock(_edited('[[profiles]]\npath = "data/test set ü.csv"', '[[profiles]]\npath = "data/other.csv"'))
    assert caught.value.problems == ("profiles[0].path: the lock has no such file: 'data/other.csv'",)


def test_packages_of_format_1_0_do_not_say_whether_they_were_requested() -> None:
    data = (FIXTURES / "lock-1.0.toml").read_text(encoding="utf-8")
    with pytest.raises(IntegrityError) as caught:
        parse_lock(data.replace('source = "libs/mine"\n', 'source = "libs/mine"\nrequested = true\n').encode())
    assert caught.value.problems == ("packages[0].requested: unknown field",)


def test_reading_gives_back_what_was_written_bit_for_bit() -> None:
    lock = canonical(full_lock())
    read = parse_lock(render_lock(lock))
    assert [(m.name, type(m.value), _bits(m.value)) for m in read.metrics] == [
        (m.name, type(m.value), _bits(m.value)) for m in lock.metrics
    ]
    assert replace(read, metrics=()) == replace(lock, metrics=())


def test_only_requested_packages_say_so() -> None:
    document = tomllib.loads(render_lock(full_lock()).decode())
    assert {package["name"]: package.get("requested") for package in document["packages"]} == {
        "mine": True,
        "numpy": None,
        "six": None,
    }


def test_the_order_of_what_was_found_does_not_matter() -> None:
    lock = _for_both(full_lock())
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
            system=shuffled(lock.system),
            modules={name: shuffled(lock.modules[name]) for name in shuffled(tuple(lock.modules))},
            predicted=shuffled(lock.predicted),
        )
        assert render_lock(other) == render_lock(lock)


_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_SIZES = st.none() | st.integers(1, 10**9)
_VALUES = st.floats(allow_nan=False) | st.integers(-(10**18), 10**18) | st.booleans() | st.text(min_size=1)
_METRICS = st.builds(
    Metric,
    st.text(min_size=1),
    _VALUES,
    st.text(min_size=1),
    st.sampled_from([None, "higher", "lower"]),
    st.builds(
        Tolerance,
        st.none() | st.floats(0, 1e9),
        st.none() | st.floats(0, 1),
        _SIZES,
        st.none() | st.integers(-300, 300),
        st.integers(1, 10**9),
        st.integers(0, 10**9),
    ),
    st.booleans(),
    st.builds(Gates, st.none() | _FINITE, st.none() | _FINITE),
    st.lists(_VALUES, max_size=4).map(tuple),
)


@given(_METRICS)
@settings(deadline=None, max_examples=100)
def test_everything_about_a_metric_survives(metric: Metric) -> None:
    (read,) = parse_lock(render_lock(replace(full_lock(), metrics=(metric,)))).metrics
    assert repr(read) == repr(metric)


@given(st.lists(st.floats(-1e100, 1e100) | st.integers(-(10**15), 10**15), min_size=3, max_size=6))
@settings(deadline=None, max_examples=50)
def test_the_runs_of_a_band_survive(values: list[float | int]) -> None:
    metric = Metric("m", values[0], "x", tolerance=Tolerance(band=True), runs=tuple(values[1:]))
    (read,) = parse_lock(render_lock(replace(full_lock(), metrics=(metric,)))).metrics
    assert repr(read) == repr(metric)
    assert repr(read.band) == repr(tuple(map(float, values)))


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


def _for_both(lock: Lock) -> Lock:
    """The same lock for two platforms."""
    other = replace(system_package("libgomp1"), architecture="arm64", target="linux/arm64")
    return replace(
        lock,
        targets=("linux/amd64", "linux/arm64"),
        system=(other, *lock.system),
        predicted=(predicted_image("linux/arm64"), *lock.predicted),
    )


def test_one_lock_serves_several_platforms() -> None:
    read = parse_lock(render_lock(_for_both(full_lock())))
    assert [(one.target, one.name) for one in read.system] == [
        ("linux/amd64", "libgomp1"),
        ("linux/amd64", "libstdc++6"),
        ("linux/arm64", "libgomp1"),
    ]
    assert [image.target for image in read.predicted] == ["linux/amd64", "linux/arm64"]


@given(
    st.dictionaries(st.sampled_from(["numpy", "six", "python"]), st.sets(st.from_regex(r"\w{1,70}", fullmatch=True)))
)
@settings(deadline=None, max_examples=50)
def test_arrays_of_modules_are_wrapped_at_the_margin(modules: dict[str, set[str]]) -> None:
    lock = replace(full_lock(), modules={name: tuple(names) for name, names in modules.items()})
    text = render_body(lock).decode()
    assert parse_lock(text.encode()).modules == {name: tuple(sorted(names)) for name, names in modules.items() if names}
    assert all(len(line) <= 120 for line in text.partition("\n[modules]\n")[2].splitlines())


def test_a_name_wider_than_the_page_has_a_line_of_its_own() -> None:
    names = ("a", "b" * 200, "c")
    text = render_body(replace(full_lock(), modules={"six": names})).decode()
    assert text.endswith(f'\nsix = [\n  "a",\n  "{"b" * 200}",\n  "c",\n]\n')


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
        (_SIX_FILE, _SIX_FILE * 2, "packages[2].files[1].targets: another file of six is for linux/amd64 already"),
        ("band = true\n", "band = 1\n", "metrics[3].band: must be true or false"),
        ("runs = [4.5, -0.0, 3]", "runs = [4.5]", "metrics[3].band: needs numbers as value and runs, at least 3"),
        ("runs = [4.5, -0.0, 3]", "runs = [4.5, nan]", "metrics[3].band: needs numbers as value and runs"),
        ("runs = [4.5, -0.0, 3]", "runs = [4.5, 1e200]", "metrics[3].band: needs numbers as value and runs"),
        ("runs = [4.5, -0.0, 3]", "runs = [4.5, []]", "metrics[3].runs.1: must be a scalar"),
        ("runs = [4.5, -0.0, 3]", "runs = 4.5", "metrics[3].runs: must be an array of scalars"),
        ("samples = 4", "samples = 0", "metrics[9].samples: must be at least 1"),
        ("samples = 4\n", "", "metrics[9].flips: needs samples"),
        ("ulp = 4", "ulp = 4.0", "metrics[5].ulp: must be an integer"),
        ("digits = 2", "digits = 301", "metrics[8].digits: must be between -300 and 300"),
        ("max = 2.0", "max = inf", "metrics[5].max: must be a finite number"),
        ('targets = ["linux/amd64"]', "targets = []", "targets: must name at least one platform"),
        ('targets = ["linux/amd64"]', 'targets = ["linux/vax"]', "targets[0]: must be linux/amd64 or linux/arm64"),
        ('targets = ["linux/amd64"]', 'targets = ["linux/arm64"]', "packages[0].files[0].targets: the lock is not for"),
        ('glibc = "2.34"', 'glibc = "2"', "python.packed.glibc: must be a version such as 2.36"),
        ('glibc = "2.36"', 'glibc = "2.36-9+deb12u4"', "base.glibc: must be a version such as 2.36"),
        ("size = 10\n", f"size = 0x{'f' * 5000}\n", "files[2].size: is too large"),
        ("timeout = 3600.0", f"timeout = 1{'0' * 400}", "policy.timeout: is too large"),
        ('digest = "sha256:', 'digest = "md5:', "base.digest: not a sha256 digest"),
        ('encoding = "tar"', 'encoding = "lzma"', "image.encoding: must be one of splice, gzip, zstd, tar"),
        ('bytecode = "all"', 'bytecode = "some"', "image.bytecode: must be one of used, all, none"),
        ('bytecode = "all"\n', "", "image.bytecode: is missing"),
        ('[image]\nencoding = "tar"\nbytecode = "all"\n', "", "image: is missing"),
        ('name = "libgomp1"', 'name = "../libgomp1"', "system[0].name: must be the name of a Debian package"),
        ('name = "libgomp1"', 'name = "libstdc++6"', "system[1].name: comes twice"),
        ('version = "1:12.2', 'version = "12 2', "system[0].version: must be the version of a Debian package"),
        ('architecture = "amd64"', 'architecture = "i386"', "system[0].architecture: must be one of amd64, arm64, all"),
        ('architecture = "amd64"', 'architecture = "arm64"', "system[0].architecture: arm64 is not for linux/amd64"),
        (
            'architecture = "amd64"\ntarget = "linux/amd64"',
            'architecture = "all"\ntarget = "linux/arm64"',
            "system[0].target: the lock is not for linux/arm64",
        ),
        ("requested = true\nfiles", 'requested = "yes"\nfiles', "packages[0].requested: must be true or false"),
        (
            'name = "nbclient"',
            'requested = true\nname = "nbclient"',
            "runner.packages[1].requested: unknown field",
        ),
        ('six = ["six"]', 'sax = ["six"]', "modules.sax: the lock has no such package"),
        ('six = ["six"]', 'six = "six"', "modules.six: must be an array of strings"),
        ('six = ["six"]', 'six = ["six", "six"]', "modules.six: names a module twice"),
        ('six = ["six"]', 'six = ["six", "../six"]', "modules.six[1]: must be the dotted name of a module"),
    ],
)
def test_a_fault_is_named_with_its_path(old: str, new: str, problem: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_lock(_edited(old, new))
    assert any(line.startswith(problem) for line in caught.value.problems), caught.value.problems


_PREDICTED = '[[predicted]]\ntarget = "linux/amd64"'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('config = "sha256:', 'config = "sha1:', "predicted[0].config: not a sha256 digest"),
        ('config = "', 'confg = "', "predicted[0].confg: unknown field"),
        ("format = 1", 'format = "1"', "predicted[0].format: must be an integer"),
        (_PREDICTED, _PREDICTED.replace("amd", "arm"), "predicted[0].target: the lock is not for linux/arm64"),
        (_PREDICTED, f"{_PREDICTED}\n{_PREDICTED}", "predicted[1].target: comes twice"),
        ('name = "code"', 'name = "runner"', "predicted[0].layers[2].name: comes twice"),
        ('diff-id = "sha256:', 'diff-id = "', "predicted[0].layers[0].diff-id: not a sha256 digest"),
        (", size = 1002", "", "predicted[0].layers[2]: must have both blob and size, or neither"),
        ("manifest = ", "manifests = ", "predicted[0].manifest: must be there exactly when every layer has a blob"),
    ],
)
def test_a_fault_in_the_predictions_is_named_with_its_path(old: str, new: str, problem: str) -> None:
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
        parse_lock(_edited('version = "1.4"', f"version = {version}"))


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

    data = _edited('version = "1.4"', 'version = "1.7"').replace(b"rerun = true", b"rerun = true\nsoon = 1")
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
        ('version = "1.4"', f'version = "1.{"9" * 5000}"'),
        ('version = "1.4"', f'version = "{"9" * 5000}.0"'),
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
    assert render_lock(parse_lock(lock_body(data))) == render_body(lock)


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


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [("sha256", "1", "must be a string"), ("path", '""', "must not be empty"), ("role", "true", "must be a string")],
)
def test_one_fault_is_told_once(field: str, value: str, problem: str) -> None:
    text = render_lock(full_lock()).decode()
    before, files, after = text.partition("[[files]]\n")
    after = re.sub(rf'^{field} = ".*"$', f"{field} = {value}", after, count=1, flags=re.MULTILINE)
    with pytest.raises(IntegrityError) as caught:
        parse_lock((before + files + after).encode())
    assert [one for one in caught.value.problems if one.startswith(f"files[0].{field}")] == [
        f"files[0].{field}: {problem}"
    ]
