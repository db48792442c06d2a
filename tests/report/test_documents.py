"""JSON documents and report files."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pytest

from repro.capture.request import CaptureResult
from repro.digest import Digest
from repro.errors import InfrastructureError, IntegrityError, UsageError
from repro.lock import Gates, ImageOptions, Lock, parse_lock, render_body, render_lock
from repro.plan import BuiltImage, make_plan
from repro.report.doctor import Check, doctor_text
from repro.report.dossier import Dossier
from repro.report.formats import FORMATS, ReportFile, parse_report, write_reports
from repro.report.json import build_json, capture_json, doctor_json, error_json, image_json, lock_json
from repro.report.style import Style
from repro.report.summaries import (
    ImageInspection,
    build_summary,
    capture_summary,
    image_text,
    layer_sizes,
    lock_text,
)
from repro.runner.documents import same_bits
from repro.verify.document import parse_verdict, render_verdict
from repro.verify.model import Finding, Verdict
from tests.lock.samples import full_lock
from tests.report.samples import VERDICTS
from tests.verify.samples import NAME, SOURCES, image_of, sample_lock

LOCK = parse_lock(render_lock(full_lock()))
DIGEST = Digest.of(render_body(full_lock()))


@pytest.mark.parametrize("name", VERDICTS)
def test_a_verdict_survives_its_file(name: str) -> None:
    before = VERDICTS[name]
    after = parse_verdict(render_verdict(before))
    assert render_verdict(after) == render_verdict(before)
    for field in fields(Verdict):
        if field.name != "metrics":
            assert getattr(after, field.name) == getattr(before, field.name)
    for left, right in zip(after.metrics, before.metrics, strict=True):
        for kind in ("baseline", "measured", "difference"):
            one, other = getattr(left, kind), getattr(right, kind)
            assert (one is None and other is None) or same_bits(one, other)


def test_values_are_exact_and_numbers_where_json_has_them() -> None:
    document = json.loads(render_verdict(VERDICTS["every-status"]), parse_constant=_no_constants)
    metrics = {metric["name"]: metric for metric in document["metrics"]}
    assert metrics["auc"]["baseline"] == {"type": "float", "text": "0.30000000000000004", "number": 0.1 + 0.2}
    assert metrics["broken"]["measured"] == {"type": "float", "text": "nan"}
    assert metrics["ceiling"]["baseline"] == {"type": "float", "text": "inf"}
    assert math.copysign(1, metrics["bias"]["measured"]["number"]) == -1
    assert metrics["ok"]["baseline"] == {"type": "bool", "text": "true"}
    assert metrics["gone"]["measured"] is None
    assert (document["outcome"], document["exit_code"]) == ("mismatch", 1)


def _no_constants(name: str) -> float:
    raise AssertionError(name)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"schema": "repro.verdict/2"}', b'{"schema": "repro.verdict/1", "outcome": "fine"}', b"\xff"],
)
def test_other_files_are_no_verdicts(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        parse_verdict(data)


def test_fields_of_a_later_minor_version_are_ignored() -> None:
    document = json.loads(render_verdict(VERDICTS["verified"]))
    document["later"] = 1
    document["image"]["later"] = 1
    assert parse_verdict(json.dumps(document).encode()) == VERDICTS["verified"]


def test_a_report_file_is_named_by_format_and_path(tmp_path: Path) -> None:
    path = tmp_path / "a=b" / "verdict.json"
    report = parse_report(f"json={path}")
    assert report == ReportFile("json", path)
    write_reports(Dossier(VERDICTS["verified"]), [report])
    assert parse_verdict(path.read_bytes()) == VERDICTS["verified"]


@pytest.mark.parametrize("text", ["json", "json=", "=x", "xml=x", ""])
def test_a_report_of_another_kind_lists_the_formats(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_report(text)
    assert caught.value.fix is not None
    assert all(name in caught.value.fix for name in FORMATS)


def test_a_report_can_not_replace_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directory"):
        parse_report(f"json={tmp_path}")


BUILT = BuiltImage(f"sha256:{'0' * 64}", (NAME,), 5_000_000, "docker 28.0 at unix:///x", "linux/amd64", "sha256:1")


@pytest.mark.parametrize(
    ("data", "schema"),
    [
        (lock_json(LOCK, DIGEST), "repro.lock-inspection/1"),
        (
            image_json(ImageInspection(NAME, image_of(sample_lock()), LOCK, DIGEST, (Finding("user", "error", "x"),))),
            "repro.image-inspection/1",
        ),
        (build_json([(BUILT, [("wheels-0", "six 1.0", 7)])]), "repro.build/2"),
        (doctor_json([Check("engine", "fail", "none", "Start it.", ("tried",))]), "repro.doctor/1"),
        (
            capture_json(
                CaptureResult(LOCK, render_body(LOCK), Path("repro.lock"), True, ("careful",), Path("run"), 1.5)
            ),
            "repro.capture/1",
        ),
        (error_json(InfrastructureError("gone", where="here", problems=["a"])).encode(), "repro.error/1"),
    ],
)
def test_each_document_is_strict_json_with_a_version(data: bytes, schema: str) -> None:
    assert json.loads(data, parse_constant=_no_constants)["schema"] == schema


def test_a_lock_as_json_keeps_digests_and_values() -> None:
    document = json.loads(lock_json(LOCK, DIGEST))
    assert document["digest"] == str(DIGEST)
    assert {file["path"]: file["sha256"] for file in document["files"]} == {f.path: str(f.sha256) for f in LOCK.files}
    values = {metric["name"]: metric["value"] for metric in document["metrics"]}
    assert values["broken"] == {"type": "float", "text": "nan"}
    assert values["n"]["number"] == 10**18


def test_a_lock_as_text_names_what_matters() -> None:
    text = lock_text(LOCK, DIGEST, Style(80))
    for word in (
        str(DIGEST),
        LOCK.subject.path,
        LOCK.python.version,
        LOCK.base.reference,
        "0.30000000000000004",
        "mine",
        "libgomp1 1:12.2.0-14+deb12u1 without its scripts",
        "all of the modules",
        str(LOCK.predicted[0].config),
        str(LOCK.predicted[0].manifest),
    ):
        assert word in " ".join(text.split())


def test_a_lock_as_text_says_what_condas_packages_are() -> None:
    text = " ".join(lock_text(LOCK, DIGEST, Style(100)).split())
    assert "conda 3 packages, 3.0 kB, from conda-forge, file; 2 builds of another platform than the laptop's" in text
    assert "without the post-link scripts of _libgcc_mutex" in text
    assert "edited by hand: numpy" in text
    assert "tzdata-2024a-h0c530f3_0.conda, edited files of numpy" in text
    plain = lock_text(replace(LOCK, conda=(), python=replace(LOCK.python, supply="conda")), DIGEST, Style(100))
    assert " conda " not in plain.replace("the conda package", "")
    assert "the conda package" in plain


def test_a_lock_without_the_rest_says_how_much_gets_compiled() -> None:
    lock = replace(LOCK, system=(), predicted=(), image=ImageOptions(), modules={"python": ("json", "typing")})
    text = lock_text(lock, DIGEST, Style(80))
    assert "of the 2 modules that the run imported" in text
    assert "splice" in text
    assert "system" not in text
    assert "predicted" not in text


def test_a_capture_says_whether_it_changed_anything() -> None:
    def text(*, changed: bool, lock: Lock = LOCK) -> str:
        path = Path("repro.lock")
        return capture_summary(lock, DIGEST, path, changed=changed, warnings=["w 1"], seconds=3, style=Style(80))

    two = replace(LOCK, targets=("linux/amd64", "linux/arm64"))
    assert text(changed=True).endswith("next: repro build\n")
    assert text(changed=True, lock=two).endswith("next: repro build --platform linux/amd64\n")
    assert "repro.lock written" in text(changed=True)
    assert "repro.lock unchanged" in text(changed=False)
    assert "warning: w 1" in text(changed=False)


@pytest.mark.parametrize("width", [40, 80, 300])
def test_metrics_are_shown_in_full_on_any_screen(width: int) -> None:
    gated = replace(LOCK.metrics[0], name="n" * 60, gates=Gates(0.9, 1.0), direction="higher")
    lock = replace(LOCK, metrics=(gated, *LOCK.metrics[1:]))
    text = capture_summary(lock, DIGEST, Path("repro.lock"), changed=True, warnings=[], seconds=3, style=Style(width))
    said = " ".join(text.split())
    assert "≥ 0.9, ≤ 1.0, higher is better" in said
    assert all(metric.source in said for metric in lock.metrics)


def test_a_build_shows_its_layers() -> None:
    lock = sample_lock()
    layers = layer_sizes(make_plan(lock, render_body(lock), SOURCES))
    text = build_summary([(BUILT, layers)], Style(80))
    assert "wheel-numpy" in text
    assert "17.0 MB" in text
    assert "fetched" in text.splitlines()[0]
    assert "the empty environment" not in text
    assert f"repro verify {NAME}" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "predicts" not in text
    assert "linux/" not in text


def test_a_build_for_several_platforms_says_which_is_which() -> None:
    images = [(replace(BUILT, platform=platform), []) for platform in ("linux/amd64", "linux/arm64")]
    built = [line for line in build_summary(images, Style(80)).splitlines() if "built" in line]
    assert [line.split(", ")[1] for line in built] == ["linux/amd64", "linux/arm64"]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("docker 28.0 at unix:///x", NAME),
        ("oci:/p/.repro/images", NAME),
        ("oci:out", f"oci:out:{NAME}"),
        ("oci-archive:x.tar", f"oci-archive:x.tar:{NAME}"),
    ],
)
def test_a_build_says_how_to_verify_what_it_made_where_it_is(place: str, name: str) -> None:
    text = build_summary([(replace(BUILT, place=place, proved=True), [])], Style(80))
    assert text.splitlines()[-1].endswith(f"repro verify {name}")
    assert "bit for bit the image that the lock predicts" in text


@pytest.mark.parametrize(
    ("findings", "word"), [((), "agrees"), ((Finding("user", "error", "runs as root"),), "not what")]
)
def test_an_image_says_whether_it_is_what_its_lock_says(findings: tuple[Finding, ...], word: str) -> None:
    text = image_text(ImageInspection(NAME, image_of(sample_lock()), LOCK, DIGEST, findings), Style(80))
    assert word in text.splitlines()[-1]
    assert "dev.repro.lock.digest" in text


def test_doctor_counts_failures_only() -> None:
    checks = [Check("engine", "ok", "fine"), Check("disk", "warn", "little", "Free some.")]
    assert "works" in doctor_text(checks, Style(80))
    assert "1 of 3" in doctor_text([*checks, Check("index", "fail", "gone", "Check it.")], Style(80))
