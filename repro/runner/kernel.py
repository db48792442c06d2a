"""Starts exactly one kernel: `python -m ipykernel_launcher` under the interpreter that counts."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

LOG = logging.getLogger("repro.runner.jupyter")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False


def make_kernel_manager(python: str, private: Path) -> AsyncKernelManager:
    """A manager whose kernel isn't running yet.

    Kernelspecs are bypassed: for a bare `python` in one, jupyter_client would start its own interpreter. Unix sockets
    in the private folder serve where there are any: no ports, nothing that a sealed container's network could forbid.

    Args:
        python: Absolute path of the interpreter.
        private: A folder with a short path for the connection file and the sockets.
    """
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager  # noqa: PLC0415 - scripts don't need it
    from jupyter_client.manager import AsyncKernelManager  # noqa: PLC0415
    from jupyter_client.session import Session  # noqa: PLC0415

    # The JSON packer of the standard library: orjson, where installed, would turn NaN into null.
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--Session.packer=json"]

    class OneKernel(KernelSpecManager):
        """Knows the one kernel that there is."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(argv=argv, display_name=kernel_name, language="python")

    posix = os.name == "posix"
    return AsyncKernelManager(
        kernel_name="repro",
        kernel_spec_manager=OneKernel(log=LOG),
        session=Session(packer="json", unpacker="json"),
        connection_file=str(private / "k.json"),
        transport="ipc" if posix else "tcp",
        ip=str(private / "k") if posix else "127.0.0.1",
        log=LOG,
    )
