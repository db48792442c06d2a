"""Certificates are found by OpenSSL under the names that we give them."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from repro.debian.certificates import make_bundle, subject_hash
from repro.debian.tree import Tree
from repro.errors import IntegrityError
from repro.http import Session, session
from repro.oci.bodies import Inline
from repro.oci.entry import Entry
from tests.debian.forge import view
from tests.http.servers import serve

FOLDER = "usr/share/ca-certificates"


def test_openssl_finds_a_certificate_by_its_hash(tmp_path: Path, sessions: Callable[[], Session]) -> None:
    authority = trustme.CA(organization_name="  Ein   Ämt, (Test) ", organization_unit_name="UPPER lower")
    pem = authority.cert_pem.bytes()
    (tmp_path / f"{subject_hash(pem, 'here')}.0").write_bytes(pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with serve(context) as server:
        url = server.add("/x", b"x")
        assert session(ca_cert=tmp_path).get(url).content == b"x"


def test_the_bundle_and_its_links() -> None:
    one, two = (
        trustme.CA(organization_name="one").cert_pem.bytes(),
        trustme.CA(organization_name="two").cert_pem.bytes(),
    )
    tree = Tree(view(["etc/ssl/certs"]))
    for name, data in (("mozilla/One (1),x.crt", one.rstrip()), ("mozilla/Two.crt", two), ("other/Two_again.crt", two)):
        tree.add(Entry(f"{FOLDER}/{name}", "file", 0o644, Inline(data), origin="ca-certificates"))
    make_bundle(tree)
    assert tree.read("etc/ssl/certs/ca-certificates.crt") == one + two + two
    assert (tree.read("etc/ca-certificates.conf") or b"").endswith(
        b"#\nmozilla/One (1),x.crt\nmozilla/Two.crt\nother/Two_again.crt\n"
    )
    links = {path.rpartition("/")[2]: entry.target for path, entry in tree.entries.items() if entry.kind == "symlink"}
    assert links == {
        "One_=1=_x.pem": f"/{FOLDER}/mozilla/One (1),x.crt",
        "Two.pem": f"/{FOLDER}/mozilla/Two.crt",
        "Two_again.pem": f"/{FOLDER}/other/Two_again.crt",
        f"{subject_hash(one, '')}.0": "One_=1=_x.pem",
        f"{subject_hash(two, '')}.0": "Two.pem",
        f"{subject_hash(two, '')}.1": "Two_again.pem",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a certificate"):
        subject_hash(data, "/here")
