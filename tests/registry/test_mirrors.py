"""Where mirrors are configured, and which of them may be used."""

import json
from pathlib import Path

import pytest

from repro.errors import UsageError
from repro.registry.mirrors import find_mirrors
from repro.registry.names import parse_name

NOWHERE = Path("nowhere")


def test_the_variable_names_mirrors_in_their_order() -> None:
    text = "docker.io=mirror.example:5000, ghcr.io=https://mirror.example/ghcr/,index.docker.io=localhost:5000,"
    assert find_mirrors({"REPRO_REGISTRY_MIRRORS": text}, NOWHERE) == {
        "docker.io": ("mirror.example:5000", "localhost:5000"),
        "ghcr.io": ("mirror.example/ghcr",),
    }
    assert not find_mirrors({}, NOWHERE)


@pytest.mark.parametrize(
    "text",
    [
        "docker.io",
        "=mirror",
        "docker.io=",
        "a b=mirror",
        "docker.io=http://mirror.example",
        "docker.io=m/UPPER",
        "a=b=c",
    ],
)
def test_a_variable_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_mirrors({"REPRO_REGISTRY_MIRRORS": text}, NOWHERE)
    assert caught.value.where == "REPRO_REGISTRY_MIRRORS"


def test_a_name_at_a_mirror() -> None:
    name = parse_name("python:3.11")
    assert str(name.through("mirror.example:5000")) == "mirror.example:5000/library/python:3.11"
    assert name.through("mirror.example/hub").url == "https://mirror.example/v2/hub/library/python"
    assert name.through("localhost:5000").url == "http://localhost:5000/v2/library/python"


def test_dockers_own_mirrors_stand_in_for_docker_hub(tmp_path: Path) -> None:
    daemon = tmp_path / "daemon.json"
    urls = ["https://mirror.example", "http://not.secure.example", "http://localhost:5000/", 5, "https://a/B"]
    daemon.write_text(json.dumps({"registry-mirrors": urls}))
    assert find_mirrors({}, daemon) == {"docker.io": ("mirror.example", "localhost:5000")}
    ours = {"REPRO_REGISTRY_MIRRORS": "docker.io=ours.example"}
    assert find_mirrors(ours, daemon) == {"docker.io": ("ours.example",)}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"registry-mirrors": null}'])
def test_a_configuration_of_docker_without_mirrors(tmp_path: Path, text: str) -> None:
    (tmp_path / "daemon.json").write_text(text)
    assert not find_mirrors({}, tmp_path / "daemon.json")
