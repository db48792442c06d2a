"""What a build says, as progress for people and as the list of what it made."""

from pathlib import Path

import pytest
from repro_docker.leftovers import Made
from repro_docker.log import BuildLog

from repro.errors import InfrastructureError, IntegrityError, ReproError
from repro.progress import Silent, Task
from tests.builders import projects


class Told(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.advances: list[tuple[float, str]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def start(self, title: str, total: float | None = None, unit: str = "items") -> Task:  # noqa: ARG002
        return _Task(self.advances)


class _Task:
    def __init__(self, advances: list[tuple[float, str]]) -> None:
        self._advances = advances

    def advance(self, amount: float = 1, detail: str = "") -> None:
        self._advances.append((amount, detail))

    def finish(self, summary: str = "") -> None:
        pass


def test_each_wheel_is_a_detail_and_not_a_line() -> None:
    told = Told()
    log = BuildLog(told)
    for line in ("Step 1/2 : RUN x\n", "installing six-1.17.0-py2.py3-none-any.whl\n", "something else\n"):
        log.add({"stream": line})
    assert told.advances == [(1, "RUN x"), (0, "installing six-1.17.0-py2.py3-none-any.whl")]
    assert told.notes == ["something else"]


def test_what_came_from_the_cache_was_not_made_by_this_build() -> None:
    made = Made()
    for text in (
        "Step 1/4 : FROM base\n", " ---> aaaaaaaaaaaa\n",
        "Step 2/4 : LABEL a=b\n", " ---> Using cache\n", " ---> bbbbbbbbbbbb\n",
        "Step 3/4 : RUN x\n ---> Running in cccccccc", "cccc\nRemoving intermediate container cccccccccccc\n",
        " ---> dddddddddddd\n", "--> Using cache eeeeeeeeeeee\n", "Successfully built dddddddddddd\n",
    ):  # fmt: skip
        made.hear({"stream": text})
    assert made.images == {"dddddddddddd"}
    assert made.containers == {"cccccccccccc"}


ENDED = (
    "The command '/bin/sh -c python x' returned a non-zero code: {code}",
    'error building at STEP "RUN python x": while running runtime: exit status {code}',
    'process "/bin/sh -c python x" did not complete successfully: exit code: {code}',
)


@pytest.mark.parametrize(
    ("code", "error", "expected"),
    [
        (5, IntegrityError, "/a.py: unknown"),
        (7, InfrastructureError, "/a.py: unknown"),
        (1, InfrastructureError, "build the image"),
        (75, InfrastructureError, "build the image"),
    ],
)
@pytest.mark.parametrize("ended", ENDED, ids=["docker", "podman", "buildkit"])
def test_a_step_of_ours_says_why_it_failed(
    ended: str, code: int, error: type[ReproError], expected: str, wheels: dict[str, Path]
) -> None:
    plan = projects.plan_of(projects.make_lock(projects.NO_IMAGE, projects.package(wheels["installer"])))
    log = BuildLog(Told())
    log.add({"stream": "repro: /a.py: unknown\n"})
    log.add({"error": ended.format(code=code), "errorDetail": {"message": "x"}})
    with pytest.raises(error, match=expected) as caught:
        log.finished(plan)
    assert "/a.py: unknown" in caught.value.details
    assert code != 7 or "memory" in str(caught.value.fix)
