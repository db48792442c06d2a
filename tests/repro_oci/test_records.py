"""Reading what a wheel states of its members, and writing what is installed."""

import csv
import hashlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from installer.records import RecordEntry, parse_record_file
from repro_docker.install_wheels import record_file
from repro_oci.records import Row, disagreements, parse_record, render_record
from repro_oci.wheel_paths import name_problem

from repro.digest import Digest
from tests.repro_oci.forge import row

PATHS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda path: name_problem(path) is None and not path.endswith("/")
)
CONTENTS = st.dictionaries(PATHS, st.binary(max_size=40), max_size=8)
UNLISTED = frozenset({"demo.dist-info/RECORD"})


def rendered(contents: dict[str, bytes]) -> bytes:
    rows = [Row(path, Digest.of(data), len(data)) for path, data in contents.items()]
    return render_record([*rows, Row("demo.dist-info/RECORD", None, None)])


def test_a_record_has_this_form() -> None:
    assert rendered({"b.py": b"", "a,b.py": b"x", 'a"b.py': b"", "../../../bin/demo": b"", " é.py": b""}).decode() == (
        '" é.py",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n'
        "../../../bin/demo,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
        '"a""b.py",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n'
        '"a,b.py",sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1\n'
        "b.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
        "demo.dist-info/RECORD,,\n"
    )


@settings(deadline=None, max_examples=150)
@given(contents=CONTENTS)
def test_what_is_written_is_read_again_by_everybody(contents: dict[str, bytes]) -> None:
    text = rendered(contents).decode()
    read = parse_record(text, UNLISTED)
    assert not read.problems
    assert {path: one.digest for path, one in read.files.items()} == {
        path: hashlib.sha256(data).digest() for path, data in contents.items()
    }
    by_csv = {line[0]: line[1:] for line in csv.reader(io.StringIO(text, newline=""))}
    assert by_csv.pop("demo.dist-info/RECORD") == ["", ""]
    assert {path: int(size) for path, (_, size) in by_csv.items()} == {
        path: len(data) for path, data in contents.items()
    }
    by_installer = [RecordEntry.from_elements(*line) for line in parse_record_file(text.split("\n")[:-1])]
    assert all(entry.validate_stream(io.BytesIO(contents[entry.path])) for entry in by_installer if entry.hash_)


@settings(deadline=None, max_examples=100)
@given(contents=CONTENTS)
def test_the_docker_builder_writes_the_same(contents: dict[str, bytes]) -> None:
    digests = {path: row("", data).strip("\n,") for path, data in contents.items()}
    assert record_file({**digests, "demo.dist-info/RECORD": ","}) == rendered(contents)


@settings(deadline=None, max_examples=100)
@given(contents=CONTENTS, data=st.data())
def test_the_order_of_what_is_installed_never_shows(contents: dict[str, bytes], data: st.DataObject) -> None:
    shuffled = {path: contents[path] for path in data.draw(st.permutations(list(contents)))}
    assert rendered(shuffled) == rendered(contents)
    paths = [path for path, *_ in csv.reader(io.StringIO(rendered(contents).decode(), newline=""))]
    assert paths == sorted(paths, key=str.encode)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digests_that_prove_enough_are_taken(algorithm: str) -> None:
    read = parse_record(row("a.py", b"x", algorithm), UNLISTED)
    assert not read.problems
    assert read.files["a.py"].digest == hashlib.new(algorithm, b"x").digest()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (row("a.py", b"x", "md5"), "'a.py' has a digest in RECORD that is weaker than sha256, or unknown: md5"),
        (row("a.py", b"x", "sha1"), "weaker than sha256, or unknown: sha1"),
        (row("a.py", b"x", "sha224"), "weaker than sha256, or unknown: sha224"),
        ("a.py,,1\n", "'a.py' has no digest or no size in RECORD"),
        ("a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,\n", "has no digest or no size in RECORD"),
        ("a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,-1\n", "has no well-formed digest and size"),
        ("a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,\uff11\n", "has no well-formed digest and size"),
        ("a.py,sha256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU,0\n", "has no well-formed digest and size"),
        ("a.py,sha256=47DEQpj8,0\n", "has no well-formed digest and size"),
        ("a.py,sha256=A,0\n", "has no well-formed digest and size"),
        (f"a.py,sha256={'0' * 64},0\n", "has no well-formed digest and size"),
        ("a.py,sha256=,0\n", "has no well-formed digest and size"),
        ("a.py\n", "RECORD can't be read: Row Index 0: expected 3 elements, got 1"),
        ("a.py,,,\n", "RECORD can't be read: Row Index 0: expected 3 elements, got 4"),
        (f"{'x' * 200_000},,\n", "RECORD can't be read: field larger"),
        (row("a.py", b"x") + row("a.py", b"y"), "'a.py' is in RECORD twice, differently"),
    ],
)
def test_a_line_that_proves_nothing_is_named(line: str, said: str) -> None:
    problems = parse_record(line, UNLISTED).problems
    assert len(problems) == 1
    assert said in problems[0]


def test_lines_that_say_nothing_are_passed_over() -> None:
    text = row("a.py", b"x") * 2 + "sub/,,\ndemo.dist-info/RECORD,sha256=nonsense,3\n"
    read = parse_record(text, UNLISTED)
    assert (set(read.files), read.names, read.problems) == ({"a.py"}, {"a.py"}, [])


def test_every_disagreement_with_the_archive_is_named() -> None:
    read = parse_record(row("same.py", b"x") + row("gone.py", b"x") + row("longer.py", b"x"), UNLISTED)
    sizes = {"same.py": 1, "longer.py": 2, "new.py": 1}
    assert disagreements(sizes, frozenset({*sizes, "faulty.py"}), read) == [
        "'gone.py' is in RECORD, but not in the wheel",
        "'longer.py' has 2 bytes, RECORD says 1",
        "'new.py' is not in RECORD",
    ]
