"""What a failed run is told as."""

from repro.capture.evidence import failure_error
from repro.runner.documents import Failure
from repro.runner.stops import explained


def test_the_cure_for_a_full_disk_is_about_the_disk() -> None:
    full = explained("OSError: [Errno 28] No space left on device")
    for cell in (3, None):
        error = failure_error(Failure("cell", full, cell), "work.ipynb")
        assert (error.fix or "").startswith("Free space on the disk")
    assert "top to bottom" in (failure_error(Failure("cell", "KeyError: 'x'", 3), "work.ipynb").fix or "")
