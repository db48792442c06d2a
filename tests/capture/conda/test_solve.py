"""conda's solver over channels of other platforms: what it is told of them, and what channels say."""

import sys
from pathlib import Path

import pytest

from repro.capture.conda.solve import (
    Channel,
    Conflict,
    Question,
    Solver,
    load_rattler,
    nearest,
    runs_with,
    virtual_packages,
)
from repro.conda.credentials import Credential, authenticated
from repro.conda.repodata import Repodata
from repro.digest import Digest
from repro.errors import InfrastructureError, UsageError
from repro.http import per_thread, session
from tests.capture.conda.platforms import Index, at, entry, write_index
from tests.conda_channel.server import serving

FORGE = Channel("conda-forge", "https://conda.anaconda.org/conda-forge")
OURS = Channel("ours", "https://conda.example.org/ours")


def opened(folder: Path, forge: list[Index], ours: list[Index] | None = None) -> Solver:
    """A solver for linux-64 over one channel, or two."""
    write_index(folder / "forge", *forge)
    write_index(folder / "ours", *(ours or []))
    channels = [FORGE] if ours is None else [FORGE, OURS]
    repodata = at({FORGE.url: folder / "forge", OURS.url: folder / "ours"})
    return Solver.open(channels, "linux-64", repodata, virtual_packages("linux/amd64", "2.36"))


def labels(answer: tuple[object, ...] | Conflict) -> list[str]:
    assert not isinstance(answer, Conflict), answer.message
    return [f"{one.name}={one.version}={one.build}" for one in answer]  # type: ignore[attr-defined]


def test_a_published_package_is_as_its_index_says(tmp_path: Path) -> None:
    solver = opened(
        tmp_path, [entry("tzdata=2024a=h0", subdir="noarch"), entry("numpy=1.26.4=py1", "tzdata", "python")]
    )

    (numpy,) = solver.published("numpy")

    file = "numpy-1.26.4-py1.conda"
    assert (numpy.name, numpy.version, numpy.build, numpy.channel, numpy.subdir) == (
        "numpy",
        "1.26.4",
        "py1",
        FORGE,
        "linux-64",
    )
    assert (numpy.file, numpy.url, numpy.size) == (file, f"{FORGE.url}/linux-64/{file}", 1000)
    assert (numpy.sha256, numpy.depends) == (Digest.of(file.encode()), ("tzdata", "python"))
    assert [one.subdir for one in solver.published("tzdata")] == ["noarch"]
    assert solver.published("pandas") == ()


def test_the_platform_is_told_and_nothing_beyond_it(tmp_path: Path) -> None:
    index = [
        entry("machine=1=0", "__unix", "__linux", "__glibc >=2.36,<2.37", "__archspec 1 x86_64"),
        entry("newer=1=0", "__glibc >=2.37"),
        entry("apple=1=0", "__osx"),
        entry("gpu=1=0", "__cuda"),
    ]
    solver = opened(tmp_path, index)

    assert labels(solver.solve(Question(("machine",), ()))) == ["machine=1=0"]
    for name in ("newer", "apple", "gpu"):
        assert isinstance(solver.solve(Question((name,), ())), Conflict)


def test_the_first_channel_with_a_name_is_the_only_one_for_it(tmp_path: Path) -> None:
    solver = opened(tmp_path, [entry("numpy=1.0=0")], [entry("numpy=2.0=0")])

    strict = solver.solve(Question(("numpy",), ("numpy ==2.0",)))
    flexible = solver.solve(Question(("numpy",), ("numpy ==2.0",), flexible=True))

    assert isinstance(strict, Conflict)
    assert labels(flexible) == ["numpy=2.0=0"]


def test_what_is_preferred_is_taken_where_it_fits(tmp_path: Path) -> None:
    solver = opened(tmp_path, [entry("a-b=1.0=0"), entry("a-b=1.1=0"), entry("a-b=1.2=0")])

    by_url = frozenset({f"{FORGE.url}/linux-64/a-b-1.1-0.conda"})
    assert labels(solver.solve(Question(("a-b",), (), preferred=by_url))) == ["a-b=1.1=0"]
    assert labels(solver.solve(Question(("a-b",), (), preferred=frozenset({"a-b-1.0-0.conda"})))) == ["a-b=1.0=0"]
    assert labels(solver.solve(Question(("a-b",), ("a-b >1.1",), preferred=by_url))) == ["a-b=1.2=0"]
    assert labels(solver.solve(Question(("a-b",), (), preferred=frozenset({"a-b-9.0-0.conda"})))) == ["a-b=1.2=0"]


@pytest.mark.parametrize(
    ("depends", "runs"),
    [
        (("python >=3.11,<3.12.0a0", "numpy >=2"), True),
        (("python 3.11.*",), True),
        (("python",), True),
        (("numpy >=2",), True),
        (("python >=3.12,<3.13.0a0",), False),
        (("python 3.11.* *_cpython", "python <3.11.5"), False),
        (("python_abi 3.12.* *_cp312",), True),
        (("python-dateutil >=99",), True),
    ],
)
def test_whether_a_package_runs_with_a_python(tmp_path: Path, depends: tuple[str, ...], runs: bool) -> None:
    (package,) = opened(tmp_path, [entry("thing=1.0=0", *depends)]).published("thing")

    assert runs_with(package, "3.11.7") is runs


def test_the_nearest_versions_come_first() -> None:
    assert nearest("1.26.4", ["2.0.0", "1.26.3", "1.25.0", "1.26.5", "1.26.4", "0.9"]) == [
        "1.26.5",
        "1.26.3",
        "1.25.0",
        "2.0.0",
        "0.9",
    ]
    assert nearest("9e", ["9d", "9f", "10a"]) == ["9f", "9d", "10a"]
    assert nearest("1!2.0", ["2.0"]) == ["2.0"]
    assert nearest("1.0", []) == []


@pytest.mark.parametrize("kind", ["token", "login"])
def test_private_channels_are_asked_with_credentials_that_no_record_has(tmp_path: Path, kind: str) -> None:
    write_index(tmp_path / "channels" / "private", entry("model=1.0=0"))
    (tmp_path / "indexes").mkdir()
    token, login = ("tk-secret", None) if kind == "token" else ("", ("ada", "pw-secret"))
    with serving(tmp_path / "channels", token=token, login=login) as server:
        channel = Channel("private", f"{server.address}/private")
        place = channel.url.partition("://")[2]
        known = Credential(place, "token", token) if token else Credential(place, "login", "pw-secret", "ada")
        sessions = authenticated(per_thread(session), [known])
        repodata = Repodata(sessions, tmp_path / "indexes").file
        solver = Solver.open([channel], "linux-64", repodata, virtual_packages("linux/amd64", "2.36"))
        answer = solver.solve(Question(("model",), ()))
        stranger = Repodata(per_thread(session), tmp_path / "indexes").file
        with pytest.raises(InfrastructureError) as caught:
            Solver.open([channel], "linux-64", stranger, {})

    assert not isinstance(answer, Conflict)
    assert [one.url for one in answer] == [f"{channel.url}/linux-64/model-1.0-0.conda"]
    assert "secret" not in repr(answer)
    assert "secret" not in str(caught.value)


def test_a_channel_without_the_platform_has_its_noarch_packages(tmp_path: Path) -> None:
    write_index(tmp_path / "forge", entry("pure=1.0=0", subdir="noarch"))
    solver = Solver.open([FORGE], "linux-aarch64", at({FORGE.url: tmp_path / "forge"}), {})

    assert labels(solver.solve(Question(("pure",), ()))) == ["pure=1.0=0"]


def test_without_the_solver_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rattler", None)

    with pytest.raises(UsageError) as caught:
        load_rattler()

    assert "pip install 'repro[conda]'" in str(caught.value.fix)
