"""Image names in all the ways that people write them."""

import pytest

from repro.digest import Digest
from repro.errors import UsageError
from repro.registry import parse_name

DIGEST = Digest.of(b"")


@pytest.mark.parametrize(
    ("text", "full", "url"),
    [
        ("python", "docker.io/library/python:latest", "https://registry-1.docker.io/v2/library/python"),
        (
            "python:3.11.7-slim",
            "docker.io/library/python:3.11.7-slim",
            "https://registry-1.docker.io/v2/library/python",
        ),
        ("index.docker.io/a/b:1", "docker.io/a/b:1", "https://registry-1.docker.io/v2/a/b"),
        ("docker.io/python:1", "docker.io/library/python:1", "https://registry-1.docker.io/v2/library/python"),
        ("owner/name", "docker.io/owner/name:latest", "https://registry-1.docker.io/v2/owner/name"),
        ("ghcr.io/o/n/m:v1", "ghcr.io/o/n/m:v1", "https://ghcr.io/v2/o/n/m"),
        ("localhost/x:1", "localhost/x:1", "http://localhost/v2/x"),
        ("localhost:5000/x", "localhost:5000/x:latest", "http://localhost:5000/v2/x"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1", "http://127.0.0.1:5000/v2/x"),
        ("registry:5000/x:1", "registry:5000/x:1", "https://registry:5000/v2/x"),
        ("localhost.example.org/x:1", "localhost.example.org/x:1", "https://localhost.example.org/v2/x"),
        (f"quay.io/x@{DIGEST}", f"quay.io/x@{DIGEST}", "https://quay.io/v2/x"),
        (f"quay.io/x:1@{DIGEST}", f"quay.io/x:1@{DIGEST}", "https://quay.io/v2/x"),
    ],
)
def test_names(text: str, full: str, url: str) -> None:
    name = parse_name(text)
    assert str(name) == full
    assert name.url == url
    assert parse_name(full) == name


@pytest.mark.parametrize(
    "text",
    ["", "UPPER", "a//b", "a:", "a@sha256:12", "a@md5:00", "-a", "a:ta g", "a/../b", "https://ghcr.io/a", "ghcr.io/"],
)
def test_what_is_not_a_name(text: str) -> None:
    with pytest.raises(UsageError, match="not an image name"):
        parse_name(text)
