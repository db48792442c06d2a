"""What is brought together for the rules: from runs, projects and images, whatever is in them."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from repro.digest import Digest
from repro.errors import InfrastructureError, UsageError
from repro.lock import Baseline, Lock, LockedFile, Subject, render_body
from repro.plan import layout
from repro.progress import Silent
from repro.runner.documents import MeasuredMetric, RunRecord
from repro.runner.observed import GeneratorFact, Listing, Observed, Place
from repro.verify.causes import explain
from repro.verify.causes import explained as with_causes
from repro.verify.causes.gather import gather
from repro.verify.causes.installed import modified_files
from repro.verify.causes.situation import Situation
from repro.verify.model import Finding, Outcome, Verdict
from repro.verify.stage import verify
from tests.lock.samples import conda_package
from tests.verify.causes.situations import planned
from tests.verify.samples import NAME, MemoryEngine, engine_of, good_record, image_of, sample_lock

SCRIPT = b"import random\nscore = random.random()\n"
MOVED = (MeasuredMetric("auc", 0.25, "metrics.json"), MeasuredMetric("loss", 0.5, "m"), MeasuredMetric("n", 285, "m"))
DREW = Observed(draws=(GeneratorFact("random", fixed=False, place=Place()),))


def script_lock() -> Lock:
    lock = sample_lock()
    file = LockedFile("evaluate.py", "code", Digest.of(SCRIPT), len(SCRIPT))
    return sample_lock(subject=Subject("script", "evaluate.py"), files=(*lock.files, file))


def notebook(*outputs: str) -> bytes:
    cells = [
        {
            "cell_type": "code",
            "source": [f"step({n})"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": t}],
        }
        for n, t in enumerate(outputs, 1)
    ]
    return json.dumps({"cells": cells}).encode()


def explained(
    lock: Lock, project: Path | None, files: Mapping[str, bytes] = {}, record: RunRecord | None = None
) -> Verdict:
    """What is said of a run that moved a metric and left these files."""
    engine = engine_of(lock, record or good_record(lock, metrics=MOVED, settings=planned(lock)))
    engine.collects = {**(engine.collects or {}), **files}
    try:
        return verify(
            NAME,
            lock=(lock, render_body(lock)),
            engine=engine,
            timeout=None,
            memory=None,
            project=project,
            progress=Silent(),
        )
    finally:
        engine.close()


def captured(project: Path, name: str, record: RunRecord, **files: bytes) -> None:
    """What a capture leaves."""
    directory = project / ".repro" / "runs" / f"{name}-capture"
    directory.mkdir(parents=True)
    (directory / "record.json").write_bytes(record.to_json())
    for path, data in files.items():
        (directory / path.replace("__", ".")).write_bytes(data)


def rules(verdict: Verdict) -> list[str]:
    return [cause.rule for cause in verdict.causes]


def test_what_the_run_was_seen_to_do_is_told(tmp_path: Path) -> None:
    verdict = explained(script_lock(), None, {"observed.json": DREW.to_json()})
    assert verdict.outcome is Outcome.MISMATCH
    assert rules(verdict)[0] == "unseeded"
    assert verdict.causes[0].where == "evaluate.py"


def test_a_verified_run_has_no_causes() -> None:
    lock = script_lock()
    verdict = explained(lock, None, {"observed.json": DREW.to_json()}, record=good_record(lock))
    assert (verdict.outcome, verdict.causes) == (Outcome.VERIFIED, ())


def test_the_laptops_run_is_the_newest_that_gave_the_baseline(tmp_path: Path) -> None:
    lock = script_lock()
    laptop = good_record(lock, settings={**planned(lock), "hash seed": "7"})
    captured(tmp_path, "1", replace(laptop, settings={**planned(lock), "locale": "POSIX"}))
    captured(tmp_path, "2", laptop)
    captured(tmp_path, "3", replace(laptop, metrics=MOVED, settings={**planned(lock), "time zone": "JST +0900"}))
    found = rules(explained(lock, tmp_path))
    assert "hash-seed" in found
    assert not {"locale", "time-zone"} & set(found)


def test_a_baseline_of_stored_outputs_has_no_run_of_the_laptop(tmp_path: Path) -> None:
    lock = replace(script_lock(), baseline=Baseline(rerun=False))
    captured(tmp_path, "1", good_record(lock, settings={**planned(lock), "hash seed": "7"}))
    assert "hash-seed" not in rules(explained(lock, tmp_path))


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b"{}", b"\xff", b'{"cells": 3}', b"[" * 100_000])
def test_what_a_container_left_may_be_anything(garbage: bytes, tmp_path: Path) -> None:
    files = dict.fromkeys(("observed.json", "executed.ipynb", "output.log"), garbage)
    assert explained(script_lock(), tmp_path, files).outcome is Outcome.MISMATCH


@pytest.mark.parametrize(
    "cells",
    [
        [3, None],
        [{"cell_type": "code"}],
        [{"cell_type": "code", "source": 3, "outputs": [7]}],
        [{"cell_type": "code", "source": [1, "x"], "outputs": {"a": 1}, "execution_count": "x"}],
        [{"cell_type": "code", "source": "", "outputs": [{"output_type": "stream"}]}],
    ],
)
def test_a_notebook_that_is_none_is_passed_over(cells: list[Any], tmp_path: Path) -> None:
    lock = sample_lock(baseline=Baseline(rerun=False))
    data = json.dumps({"cells": cells}).encode()
    mine = [replace(one, sha256=Digest.of(data), size=len(data)) for one in lock.files if one.path == lock.subject.path]
    others = [one for one in lock.files if one.path != lock.subject.path]
    (tmp_path / "notebooks").mkdir()
    (tmp_path / lock.subject.path).write_bytes(data)
    verdict = explained(replace(lock, files=(*others, *mine)), tmp_path, {"executed.ipynb": data})
    assert verdict.outcome is Outcome.MISMATCH


def test_the_first_cell_that_shows_something_else_is_named(tmp_path: Path) -> None:
    lock = sample_lock()
    captured(tmp_path, "1", good_record(lock), executed__ipynb=notebook("a", "b", "c"))
    verdict = explained(lock, tmp_path, {"executed.ipynb": notebook("a", "x", "y")})
    (found,) = (one for one in verdict.findings if one.kind == "first-difference")
    assert "cell 2 (step(2))" in found.message
    assert found.evidence == ("laptop: b", "here:   x")


def test_the_first_line_that_a_script_prints_otherwise_is_named(tmp_path: Path) -> None:
    lock = script_lock()
    captured(tmp_path, "1", good_record(lock), output__log=b"epoch 1\nepoch 2\n")
    verdict = explained(lock, tmp_path, {"output.log": b"epoch 1\nepoch 3\n"})
    (found,) = (one for one in verdict.findings if one.kind == "first-difference")
    assert "line 2" in found.message


@dataclass
class Shelf(MemoryEngine):
    """An engine whose image has more files, or that can't be asked."""

    more: Mapping[str, Mapping[str, bytes]] | None = None
    asked: int = 0

    def read_files(self, image: str, path: PurePosixPath) -> dict[str, bytes]:
        self.asked += 1
        assert image == self.image_info.id
        if self.more is None:
            raise InfrastructureError("the engine is gone")
        if str(path) not in self.more:
            raise UsageError("the image has no such path")
        return dict(self.more[str(path)])


def situated(more: Mapping[str, Mapping[str, bytes]] | None, project: Path | None) -> Situation:
    lock = script_lock()
    verdict = replace(explained(lock, None), findings=(Finding("unproved", "warning", "another builder"),))
    engine = Shelf(lock, image_of(lock), None, more=more)
    return gather(verdict, lock, image=image_of(lock), engine=engine, run=None, project=project)


def test_sources_are_read_as_they_were_locked(tmp_path: Path) -> None:
    inside = {str(layout.PROJECT / "evaluate.py"): {"": SCRIPT}}
    assert situated(inside, None).sources == {"evaluate.py": SCRIPT.decode()}
    (tmp_path / "evaluate.py").write_text("other = 1\n")
    assert situated(inside, tmp_path).sources == {"evaluate.py": SCRIPT.decode()}
    assert situated({}, tmp_path).sources == {}
    (tmp_path / "evaluate.py").write_bytes(SCRIPT)
    assert situated({}, tmp_path).sources == {"evaluate.py": SCRIPT.decode()}


def test_what_a_run_may_do_otherwise_explains_nothing_where_there_was_none() -> None:
    source = b"import time\nscore = time.time()\n"
    mine, others = LockedFile("evaluate.py", "code", Digest.of(source), len(source)), sample_lock().files
    lock = sample_lock(subject=Subject("script", "evaluate.py"), files=(*others, mine))
    verdict, more = explained(script_lock(), None), {str(layout.PROJECT / "evaluate.py"): {"": source}}
    engine = Shelf(lock, image_of(lock), None, more=more)
    situation = gather(verdict, lock, image=image_of(lock), engine=engine, run=None, project=None)
    assert {cause.confidence for cause in explain(situation)} == {"possible"}
    assert with_causes(verdict, lock, image=image_of(lock), engine=engine, run=None, project=None).causes == ()


def test_an_engine_that_is_gone_takes_only_evidence_along() -> None:
    assert situated(None, None).modified == ()


def installed() -> dict[str, bytes]:
    """A package as its wheel left it."""
    module = b"VALUE = 1\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(module).digest()).rstrip(b"=").decode()
    record = f"six.py,sha256={digest},10\n../../bin/six,sha256=x,1\nsix-1.0.dist-info/RECORD,,\n\n"
    return {"six.py": module, "six-1.0.dist-info/RECORD": record.encode()}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"six.py": b"VALUE = 2\n"}, ["six: six.py"]),
        ({"six.py": None}, ["six: six.py"]),
        ({"other.py": b"1"}, []),
        ({"six-1.0.dist-info/RECORD": b"\xff\n,\n"}, []),
    ],
)
def test_files_that_are_not_those_of_their_record(change: dict[str, bytes | None], expected: list[str]) -> None:
    lock = replace(sample_lock(), packages=(), conda=())
    files = {path: data for path, data in {**installed(), **change}.items() if data is not None}
    folder = str(layout.ENVIRONMENT / "lib" / "python3.11" / "site-packages")
    assert (
        list(modified_files(lock, image_of(lock), Shelf(lock, image_of(lock), None, more={folder: files}))) == expected
    )


def conda_installed(*, large: bool = False) -> tuple[Lock, dict[str, bytes]]:
    """A conda package with a library and a module, as a builder links it, and a wheel beside it; its lock."""
    size = (80 << 20) if large else 1000
    lock = replace(sample_lock(), packages=(), conda=(conda_package("blas", size=size), conda_package("six-conda")))
    site = "lib/python3.11/site-packages"
    files = {
        "lib/libblas.so.3": b"\x7fELF",
        f"{site}/blas.py": b"VALUE = 1\n",
        f"{site}/blas-1.0.dist-info/RECORD": b"blas.py,sha256=of-the-placeholder,9\n",
    }
    paths = [{"_path": one, "sha256_in_prefix": hashlib.sha256(data).hexdigest()} for one, data in files.items()]
    paths.append({"_path": "lib/libblas.so", "path_type": "softlink", "sha256": "0" * 64})
    document = {"name": "blas", "version": "1.0", "build": "h_0", "subdir": "linux-64", "paths_data": {"paths": paths}}
    records = {
        "conda-meta/blas-1.0-h_0.json": json.dumps(document).encode(),
        "conda-meta/other-1.0-h_0.json": b"{",
    }
    wheel = {f"{site}/{path}": data for path, data in installed().items()}
    return lock, {**files, **records, **wheel}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"lib/libblas.so.3": b"other"}, ["blas: lib/libblas.so.3"]),
        ({"lib/python3.11/site-packages/blas.py": None}, ["blas: lib/python3.11/site-packages/blas.py"]),
        ({"lib/python3.11/site-packages/six.py": b"VALUE = 2\n"}, ["six: six.py"]),
        ({"lib/more.so": b"1"}, []),
    ],
)
def test_files_that_are_not_those_of_condas_records(change: dict[str, bytes | None], expected: list[str]) -> None:
    lock, usual = conda_installed()
    files = {path: data for path, data in {**usual, **change}.items() if data is not None}
    engine = Shelf(lock, image_of(lock), None, more=folders(files, "", "conda-meta/"))
    assert list(modified_files(lock, image_of(lock), engine)) == expected


def test_of_large_conda_packages_only_modules_are_read() -> None:
    lock, usual = conda_installed(large=True)
    files = {**usual, "lib/libblas.so.3": b"other", "lib/python3.11/site-packages/blas.py": b"other"}
    engine = Shelf(lock, image_of(lock), None, more=folders(files, "conda-meta/", "lib/python3.11/site-packages/"))
    assert list(modified_files(lock, image_of(lock), engine)) == ["blas: blas.py"]


def folders(files: Mapping[str, bytes], *names: str) -> dict[str, dict[str, bytes]]:
    """What an engine gives for each of these folders of the environment."""
    return {
        str(layout.ENVIRONMENT / name): {
            path.removeprefix(name): data for path, data in files.items() if path.startswith(name)
        }
        for name in names
    }


def test_large_environments_are_not_read_only_for_that() -> None:
    lock = sample_lock()
    large = replace(lock.packages[0], files=(replace(lock.packages[0].files[0], size=1 << 30),))
    engine = Shelf(lock, image_of(lock), None)
    assert list(modified_files(replace(lock, packages=(large,)), image_of(lock), engine)) == []
    assert engine.asked == 0


def test_what_was_observed_comes_back_from_its_file() -> None:
    found = Observed(draws=DREW.draws, listings=(Listing("data", ("b", "a"), None), Listing("", ("x",), 3)))
    assert Observed.from_json(found.to_json()) == found
    document = json.loads(found.to_json())
    del document["listings"]
    assert Observed.from_json(json.dumps(document).encode()) == DREW
    for wrong in ({"draws": [3]}, {"draws": 7}, {"more": []}, {"listings": [{"folder": "x"}]}):
        with pytest.raises(ValueError, match="observed"):
            Observed.from_json(json.dumps({**document, **wrong}).encode())
