"""The image's own documents: what is taken over from the base, what is the plan's, and fixed bytes."""

import json
from typing import Any

import pytest
from repro_oci.config import MadeLayer, image_config, image_manifest

from repro.digest import Digest
from repro.errors import IntegrityError
from repro.oci.image import LAYER_GZIP, Descriptor
from repro.plan import BuildPlan
from tests.builders import projects
from tests.repro_oci import forged

LAYERS = [MadeLayer("code", "the code", Digest.of(b"tar"), Descriptor(LAYER_GZIP, Digest.of(b"blob"), 4))]
SETTINGS = {
    "Env": ["PATH=/usr/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.11.2"],
    "Labels": {"maintainer": "them", "dev.repro.subject": "theirs"},
    "Cmd": ["python3"],
    "Entrypoint": ["/theirs"],
    "User": "root",
    "WorkingDir": "/theirs",
    "StopSignal": "SIGINT",
    "ExposedPorts": {"80/tcp": {}},
    "OnBuild": ["RUN false"],
    "Hostname": "abc",
}


@pytest.fixture
def plan(wheels: dict[str, Any]) -> BuildPlan:
    return projects.plan_of(projects.make_lock(projects.NO_IMAGE, projects.package(wheels["installer"])))


def config(plan: BuildPlan, base: forged.ForgedBase, layers: list[MadeLayer] | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(image_config(plan, base, LAYERS if layers is None else layers))
    return document


def test_the_base_gives_variables_labels_ports_and_the_stop_signal_the_plan_the_rest(plan: BuildPlan) -> None:
    settings = config(plan, forged.base(settings=SETTINGS))["config"]
    assert set(settings) == {"Entrypoint", "Env", "ExposedPorts", "Labels", "StopSignal", "User", "WorkingDir"}
    assert settings["Entrypoint"] == list(plan.config.entrypoint)
    assert settings["User"] == "10001:0"
    assert settings["WorkingDir"] == "/work"
    assert settings["Labels"]["maintainer"] == "them"
    assert settings["Labels"]["dev.repro.subject"] == "evaluate.py"


def test_our_variables_replace_the_bases_where_they_stand(plan: BuildPlan) -> None:
    variables = config(plan, forged.base(settings=SETTINGS))["config"]["Env"]
    assert variables[0] == f"PATH={plan.config.env['PATH']}"
    assert variables[1:3] == ["LANG=C.UTF-8", "PYTHON_VERSION=3.11.2"]
    assert dict(one.split("=", 1) for one in variables[3:]) == {
        name: value for name, value in plan.config.env.items() if name != "PATH"
    }


def test_diff_ids_are_the_bases_then_ours_and_the_platform_is_the_bases(plan: BuildPlan) -> None:
    base = forged.base({"a": b"1"}, {"b": b"2"})
    document = config(plan, base)
    assert document["rootfs"]["diff_ids"] == [*map(str, base.diff_ids), str(LAYERS[0].diff_id)]
    assert (document["os"], document["architecture"]) == ("linux", "amd64")
    assert document["created"] == "1980-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("history", "kept"),
    [
        ([{"created_by": "one"}, {"created_by": "env", "empty_layer": True}, {"created_by": "two"}], True),
        ([{"created_by": "one"}], False),
        (None, False),
    ],
)
def test_history_accounts_for_every_layer_as_engines_demand(
    plan: BuildPlan, history: list[dict[str, Any]] | None, kept: bool
) -> None:
    found = config(plan, forged.base({"a": b"1"}, {"b": b"2"}, history=history))["history"]
    assert sum(not entry.get("empty_layer") for entry in found) == 3
    assert (found[:-1] == history) == kept
    assert found[-1] == {"created": "1980-01-01T00:00:00Z", "created_by": "repro: code", "comment": "the code"}


def test_documents_are_canonical_bytes(plan: BuildPlan) -> None:
    data = image_config(plan, forged.base(settings=SETTINGS), LAYERS)
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_manifest_speaks_ocis_language_of_a_base_in_dockers(plan: BuildPlan) -> None:
    base = forged.base(docker=True)
    manifest = json.loads(image_manifest(base, b"{}", LAYERS))
    assert [layer["mediaType"] for layer in manifest["layers"]] == [LAYER_GZIP, LAYER_GZIP]
    assert manifest["layers"][0]["digest"] == str(base.layers[0].digest)
    assert manifest["config"]["digest"] == str(Digest.of(b"{}"))


def test_more_layers_than_engines_take_are_refused(plan: BuildPlan) -> None:
    with pytest.raises(IntegrityError, match="engines take 120"):
        image_config(plan, forged.base(), LAYERS * 120)
