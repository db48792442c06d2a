"""The processes that assemble layers end with the build, however that ends."""

import subprocess
import threading
from pathlib import Path

import pytest
from repro_oci.cache import LayerCache
from repro_oci.workers import Crew


def test_ctrl_c_while_helpers_are_put_to_work_stays_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[call-overload]
            started.append(self)

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), Crew(2) as crew:
        list(crew.run([], LayerCache(tmp_path)))
    assert [process.returncode for process in started] == [0, 0]
