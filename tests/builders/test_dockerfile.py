"""The Dockerfile, compared with one that was read by people."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from repro_docker import render_dockerfile
from repro_docker.dockerfile import build_arguments

from repro.plan import BuildPlan, make_plan, runner_digest
from tests.lock.samples import plain_lock

GOLDEN = Path(__file__).parent / "golden" / "Dockerfile"
SOURCES = {"__main__.py": b""}


def plan() -> BuildPlan:
    lock = plain_lock()
    lock = replace(lock, runner=replace(lock.runner, sha256=runner_digest(SOURCES)))
    return make_plan(lock, b"the bytes of a lock", SOURCES)


def test_the_dockerfile_is_the_golden_one() -> None:
    """REPRO_UPDATE_GOLDEN=1 writes it anew."""
    text = render_dockerfile(plan())
    if os.environ.get("REPRO_UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_a_registry_base_is_named_by_its_digest() -> None:
    base = plan().base
    assert f"\nARG BASE={base.reference}@{base.digest}\n" in render_dockerfile(plan())
    assert build_arguments(plan())["BASE"] == f"{base.reference}@{base.digest}"


def test_an_engine_base_is_built_by_id_and_readable_by_name() -> None:
    local = replace(plan(), base=replace(plan().base, reference="repro-base:bookworm", source="engine"))
    assert "\nARG BASE=repro-base:bookworm\n" in render_dockerfile(local)
    assert build_arguments(local)["BASE"] == str(local.base.digest)


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "a\x85b\u2028c", "x" * 5000])
def test_a_comment_stays_one_line(text: str) -> None:
    layers = (replace(plan().layers[0], comment=text), *plan().layers[1:])
    before, after = render_dockerfile(plan()), render_dockerfile(replace(plan(), layers=layers))
    assert len(after.splitlines()) == len(before.splitlines())


def test_nothing_in_a_value_can_become_an_instruction() -> None:
    config = replace(plan().config, labels={"a": 'x"\nRUN evil $(evil) ${HOME}\\'})
    text = render_dockerfile(replace(plan(), config=config))
    assert r'LABEL a="x\"${LINE_BREAK}RUN evil \$(evil) \${HOME}\\"' in text.splitlines()


def test_the_final_stage_runs_nothing() -> None:
    final = render_dockerfile(plan()).partition("# The image.")[2]
    assert not [line for line in final.splitlines() if line.startswith("RUN")]
