"""The page as text: complete, in one file, and nothing that it shows is markup by accident. See test_browser, too."""

import re
from dataclasses import replace

import pytest

from repro.digest import Digest
from repro.lock import LockedFile
from repro.report.dossier import Dossier
from repro.report.hashes import hashes
from repro.report.page import render
from repro.verify.model import ImageSummary
from tests.report.pages import dossiers
from tests.report.samples import VERDICTS, saying
from tests.verify.samples import sample_lock

DOSSIERS = dossiers()


@pytest.mark.parametrize("name", DOSSIERS)
def test_nothing_is_asked_from_anywhere_and_nothing_runs(name: str) -> None:
    page = render(DOSSIERS[name]).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"<script|\son\w+=|<link (?!rel=\"icon\" href=\"data:,\")|@import|url\(", page)
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    assert page.count("<iframe") == page.count("<iframe sandbox ") + page.count("<iframe sandbox\n")
    assert "{{" not in page
    assert "None" not in re.sub(r"srcdoc=\"[^\"]*\"|None of it is proved", "", page)


@pytest.mark.parametrize("name", VERDICTS)
def test_every_verdict_has_a_page_without_anything_else(name: str) -> None:
    page = render(Dossier(VERDICTS[name])).decode()
    assert f"<title>{str(VERDICTS[name].outcome).replace('-', ' ')}" in page
    assert "\x1b" not in page


def test_the_page_has_all_parts() -> None:
    page = render(DOSSIERS["explained"]).decode()
    for part in (
        'id="metrics"',
        'id="gates"',
        'id="causes"',
        'id="runs"',
        'id="environment"',
        'id="notebook"',
        'id="hashes"',
        'aria-label="auc: laptop 0.75, here 0.25 to 0.5 (2 runs), 0 of 2 inside what is allowed (exact)"',
        "numpy: 1.26.4 in the lock, 2.0.1 in the image",
        "which first differ in cell 4, output 1",
        "3 cells show something else than the captured run, which stands beside it there.",
    ):
        assert part in page


def test_the_page_has_outputs() -> None:
    page = render(Dossier(VERDICTS["outputs"])).decode()
    for part in (
        'id="outputs"',
        "1 of 9 cells differ, in label",
        "id=3: &#39;dog&#39;, here &#39;cat&#39;",
        "outputs/a.png",
    ):
        assert part in page


def test_any_text_may_be_said_even_one_that_is_no_unicode() -> None:
    assert b"\\udce9" in render(Dossier(saying("\udce9")))


def test_everything_is_there_by_hash() -> None:
    lock = sample_lock()
    predicted = lock.predicted[0]
    found = ("sha256:" + "0" * 64, *(str(layer.diff_id) for layer in predicted.layers))
    image = ImageSummary("x", str(predicted.config), (), (f"r/x@sha256:{'5' * 64}",), "linux/amd64", found)
    dossier = replace(DOSSIERS["explained"], verdict=replace(VERDICTS["explained"], image=image), lock=lock)
    page = render(dossier).decode()
    digests = [image.id, "sha256:" + "5" * 64, *found, str(lock.base.digest), str(lock.runner.sha256)]
    digests += [str(file.sha256) for file in lock.files]
    digests += [str(file.sha256) for package in lock.packages for file in package.files]
    digests += [str(one.sha256) for package in lock.conda for one in (package, *package.patched)]
    for run in (dossier.here, dossier.laptop):
        assert run is not None
        digests.append(str(Digest.of(run.data)))
    assert [digest for digest in digests if digest not in page] == []
    layers = next(table for table in hashes(dossier) if table.title == "layers of the image")
    assert layers.rows[0] == ("layer 0", "of the base", found[0])
    assert layers.rows[1] == (predicted.layers[0].name, "as the lock predicts", found[1])


def test_conda_packages_are_told_with_build_channel_and_archive() -> None:
    lock = sample_lock()
    (table,) = (one for one in hashes(Dossier(VERDICTS["explained"], lock)) if one.title == "conda packages")
    numpy = next(one for one in lock.conda if one.name == "numpy")
    assert table.rows[1:3] == (
        ("numpy 1.26.4 py311h64a7726_0", f"conda-forge, linux-64/{numpy.file}", str(numpy.sha256)),
        (
            "numpy 1.26.4 py311h64a7726_0",
            "edited by hand: lib/python3.11/site-packages/numpy/version.py",
            str(numpy.patched[0].sha256),
        ),
    )


def test_of_very_many_files_the_first_are_shown_and_the_rest_counted() -> None:
    files = tuple(LockedFile(f"data/{number}.csv", "data", Digest.of(b"x"), 1) for number in range(1500))
    dossier = Dossier(VERDICTS["explained"], replace(sample_lock(), files=files))
    (table,) = (one for one in hashes(dossier) if "files" in one.title)
    assert len(table.rows) == 1000
    assert table.note.startswith(f"and {1500 - 1000} more row")
