"""BuildPlan → Dockerfile, for people to read and for any Docker builder to run. Pure."""

import json
import re
from collections.abc import Iterator, Mapping

from repro.plan import BuildPlan, Layer, layout
from repro_docker.compile_plan import STEP, STEP_MANIFEST, compiles
from repro_docker.layout import (
    FILES,
    INSTALL,
    LAID_OUT,
    MANIFEST,
    SCRIPT,
    STAGE,
    WHEELS,
    archive_path,
    archives_of,
    environment_layers,
    has_files,
    wheels_of,
)

BASE_ARGUMENT = "BASE"
BREAK_ARGUMENT = "LINE_BREAK"
"""Stands for a line break in values: the Dockerfile format can't spell one."""
_LONGEST_COMMENT = 160
_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def base_reference(plan: BuildPlan) -> str:
    """The base as an engine finds it: `name@digest` from a registry, the image ID in an engine of its own."""
    base = plan.base
    return f"{base.reference}@{base.digest}" if base.source == "registry" else str(base.digest)


def build_arguments(plan: BuildPlan) -> dict[str, str]:
    """Values for the Dockerfile's arguments, with the base by its digest in every case."""
    return {BASE_ARGUMENT: base_reference(plan), **({BREAK_ARGUMENT: "\n"} if _breaks(plan) else {})}


def render_dockerfile(plan: BuildPlan) -> str:
    """The Dockerfile that builds the plan from the context which `repro_docker.context` lays out."""
    blocks = [_head(plan), _install_stage(plan), _final_stage(plan)]
    return "\n".join(line for block in blocks for line in block) + "\n"


def _head(plan: BuildPlan) -> Iterator[str]:
    base = plan.base
    yield f"# Made by repro from the lock {plan.lock_digest}; edit that project, not this file."
    more = f" --build-arg {BREAK_ARGUMENT}=$'\\n'" if _breaks(plan) else ""
    yield f"# By hand: docker build --network none{more} -t NAME ."
    yield ""
    yield _comment(f"The base, pinned by content: {base.reference}")
    if base.source == "registry":
        yield f"ARG {BASE_ARGUMENT}={_word(base_reference(plan))}"
    else:
        yield f"# It is in no registry: this name must stand for the image {base.digest}."
        yield f"ARG {BASE_ARGUMENT}={_word(base.reference)}"
    yield ""


def _install_stage(plan: BuildPlan) -> Iterator[str]:
    yield "# Lays the wheels out in the image's own Python, without a network, one directory for each layer below."
    yield f"FROM ${{{BASE_ARGUMENT}}} AS {STAGE}"
    yield f"LABEL {_pair(layout.LABEL_STAGE, str(plan.lock_digest))}"
    yield "USER 0:0"
    yield "WORKDIR /"
    for layer in environment_layers(plan):
        yield from _plain_parts(layer)
    yield f"COPY {_json(f'{INSTALL}/', f'/build/{INSTALL}/')}"
    if any(wheels_of(layer) for layer in plan.layers):
        yield f"COPY {_json(f'{WHEELS}/', f'/build/{WHEELS}/')}"
    yield _run(plan, SCRIPT, MANIFEST)
    if any(compiles(layer) for layer in plan.layers):
        yield _run(plan, STEP, STEP_MANIFEST)
    yield ""


def _run(plan: BuildPlan, script: str, manifest: str) -> str:
    return f"RUN {_json(str(plan.python), '-I', '-S', '-B', f'/build/{script}', f'/build/{manifest}')}"


def _final_stage(plan: BuildPlan) -> Iterator[str]:
    config = plan.config
    yield "# The image."
    yield f"FROM ${{{BASE_ARGUMENT}}}"
    yield f"ENTRYPOINT {_json(*config.entrypoint)}"
    if _breaks(plan):
        yield f"ARG {BREAK_ARGUMENT}"
    for layer in plan.layers:
        yield ""
        yield _comment(layer.comment)
        if wheels_of(layer) or compiles(layer):
            yield f"COPY --from={STAGE} {_json(f'{LAID_OUT}/{layer.name}/', '/')}"
        yield from _plain_parts(layer)
    yield ""
    yield "# The environment, the same as on the laptop"
    yield from _pairs("ENV", config.env)
    yield ""
    yield "# What it is and what it was made from"
    yield from _pairs("LABEL", config.labels)
    yield ""
    yield "# Any user will do: nothing but the working directories is ever written"
    yield f"USER {_word(config.user)}"
    yield f"WORKDIR {_word(config.workdir)}"


def _plain_parts(layer: Layer) -> Iterator[str]:
    for content in archives_of(layer):
        yield f"ADD {_json(archive_path(content), '/')}"
    if has_files(layer):
        yield f"COPY {_json(f'{FILES}/{layer.name}/', '/')}"


def _pairs(instruction: str, pairs: Mapping[str, str]) -> Iterator[str]:
    lines = [_pair(name, value) for name, value in pairs.items()]
    if lines:
        yield f"{instruction} " + (" \\\n" + " " * (len(instruction) + 1)).join(lines)


def _pair(name: str, value: str) -> str:
    return f"{_key(name)}={_word(value)}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else _word(name)


def _word(text: str) -> str:
    """A value that no builder expands, splits or unescapes (Dockerfile reference, "Environment replacement")."""
    if text and re.fullmatch(r"[\w.,:/@+=%-]+", text, re.ASCII):
        return text
    escaped = re.sub(r'(["\\$])', r"\\\1", text).replace("\n", f"${{{BREAK_ARGUMENT}}}")
    return f'"{escaped}"'


def _breaks(plan: BuildPlan) -> bool:
    return any("\n" in value for value in (*plan.config.env.values(), *plan.config.labels.values()))


def _json(*words: str) -> str:
    return json.dumps(words)


def _comment(text: str) -> str:
    line = _BREAKS.sub(" ", text)
    return f"# {line if len(line) <= _LONGEST_COMMENT else line[:_LONGEST_COMMENT] + ' …'}"
