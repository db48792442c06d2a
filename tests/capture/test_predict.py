"""What capture predicts is what a build makes from the file that capture wrote."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from repro_oci.builder import OciBuilder
from repro_oci.image_python import CannotCompileError, can_compile

from repro.capture.predict import Predictor, image_options
from repro.digest import Digest
from repro.errors import InfrastructureError
from repro.http import per_thread, session
from repro.lock import ImageOptions, Lock, Metric, lock_body, parse_lock, render_lock
from repro.oci.write_layout import write_layout
from repro.plan import make_plan
from repro.progress import Silent
from repro.registry import Registry
from repro.store import ObjectStore
from tests.builders import projects
from tests.repro_oci import forged

FILES = {"evaluate.py": b"print(1)\n", "b.csv": b"1\n", "a.csv": b"2\n"}


class Telling(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Unable(OciBuilder):
    """An assembler on a machine that can't run the image's Python."""

    def predict(self, *_: object, **__: object) -> None:  # type: ignore[override]
        raise CannotCompileError("no such machine")


@pytest.fixture
def lock(tmp_path: Path, wheels: dict[str, Path]) -> Lock:
    """As capture has it: nothing in the order of the file."""
    base = forged.base()
    write_layout([base], tmp_path / "base", references=["base:1"])
    projects.write_files(tmp_path / "project", FILES)
    made = projects.make_lock(
        projects.NO_IMAGE,
        projects.package(wheels["installer"]),
        files=[projects.locked(name, data, "data" if "csv" in name else "code") for name, data in FILES.items()],
        packages=[projects.package(wheels["six"]), projects.package(wheels["greenlet"])],
    )
    metrics = (Metric("z", 1.0, "metrics.json"), Metric("a", 2.0, "metrics.json"))
    pinned = replace(made.base, source="registry", digest=Digest.of(base.manifest))
    return replace(made, base=pinned, metrics=metrics, image=ImageOptions(bytecode="none"))


def predictor(home: Path, told: Silent, kind: type[OciBuilder] = OciBuilder) -> Predictor:
    return Predictor(
        assembler=kind(home / "cache", 1),
        base=f"oci:{home / 'base'}",
        cache=ObjectStore(home / "cache" / "artifacts"),
        sessions=per_thread(session),
        engine=lambda: None,
        registry=Registry(),
        progress=told,
    )


def test_a_build_of_the_written_file_makes_what_was_predicted(tmp_path: Path, lock: Lock) -> None:
    data = render_lock(predictor(tmp_path, Silent()).predict(lock, tmp_path / "project"))
    read = parse_lock(data)
    (predicted,) = read.predicted
    plan = make_plan(read, lock_body(data), projects.SOURCES)
    assert [layer.name for layer in predicted.layers] == [layer.name for layer in plan.layers]
    again = predictor(tmp_path, Silent()).predict(read, tmp_path / "project")
    assert again.predicted == read.predicted


def test_what_can_not_be_compiled_here_is_not_predicted_and_said(tmp_path: Path, lock: Lock) -> None:
    told = Telling()
    made = predictor(tmp_path, told, Unable).predict(lock, tmp_path / "project")
    assert made.predicted == ()
    assert told.warnings == ["the image for linux/amd64 is not predicted: no such machine"]


def test_a_base_that_is_gone_is_an_error(tmp_path: Path, lock: Lock) -> None:
    elsewhere = replace(lock, base=replace(lock.base, source="layout", reference="base:1"))
    with pytest.raises(InfrastructureError):
        replace(predictor(tmp_path, Silent()), base=None).predict(elsewhere, tmp_path / "project")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can compile for images")
def test_bytecode_is_only_for_what_can_be_compiled_here() -> None:
    mine, other = sorted(["linux/amd64", "linux/arm64"], key=lambda target: not can_compile(target))
    chosen = ImageOptions(bytecode="used")
    assert image_options(chosen, (mine,), Silent()) == chosen
    assert image_options(chosen, (mine, other), Silent()) == ImageOptions(bytecode="used", compiled=(mine,))
    assert image_options(chosen, (other,), Silent()) == ImageOptions(bytecode="none")
    assert image_options(ImageOptions(bytecode="none"), (other,), Silent()) == ImageOptions(bytecode="none")
