"""What capture is asked for and what it gives back. The command line fills in the one and shows the other."""

from dataclasses import dataclass
from pathlib import Path

from repro.capture.findings import Finding
from repro.capture.runs.model import Repeats
from repro.digest import Digest
from repro.lock import Bytecode, Encoding, Lock


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What to capture, and what the command line says over repro.toml; None and empty mean that it says nothing.

    Attributes:
        subject: The notebook or script.
        config: Settings to read instead of the project's repro.toml.
        output: Where the lock goes; None for `repro.lock` in the project root.
        args: Arguments of a script.
        rerun: False takes the stored outputs instead of a run and leaves the baseline unproven.
        timeout: Seconds for the whole evaluation.
        cell_timeout: Seconds for one cell.
        kernel: Kernelspec to use instead of the notebook's.
        python: Interpreter whose environment counts, instead of the one that is found.
        index_url: Main package index.
        extra_index_urls: Further package indexes.
        ca_cert: CA certificates to trust.
        base: Base image.
        targets: Platforms to lock for, such as `linux/amd64`.
        encoding: How layers are compressed.
        bytecode: Which modules are compiled.
        predict: Whether to make the images and state what they are.
        allow_patched: Packages that may go into the image with changes made by hand, beside those of repro.toml.
        allow_loose: Modules of site-packages that may go into the image though no package brought them, likewise.
        mount: Globs of data and models that stay out of the image, beside those of repro.toml.
        runs: How often the subject is run; the first run gives the lock, the others are compared with it.
        strict: Whether findings that are errors or warnings stop the capture.
    """

    subject: Path
    config: Path | None = None
    output: Path | None = None
    args: tuple[str, ...] = ()
    rerun: bool = True
    timeout: float | None = None
    cell_timeout: float | None = None
    kernel: str | None = None
    python: Path | None = None
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    ca_cert: Path | None = None
    base: str | None = None
    targets: tuple[str, ...] = ()
    encoding: Encoding | None = None
    bytecode: Bytecode | None = None
    predict: bool = True
    allow_patched: tuple[str, ...] = ()
    allow_loose: tuple[str, ...] = ()
    mount: tuple[str, ...] = ()
    runs: int = 1
    strict: bool = False


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What capture did.

    Attributes:
        lock: The lock.
        lock_bytes: The bytes of its body; their sha256 is the lock digest.
        path: Where it is.
        changed: Whether the file differs from what was there before.
        warnings: What the author should know, one sentence each.
        run_directory: Evidence of the rerun, or None without one.
        seconds: Duration of everything.
        findings: What makes a rerun differ or fail, the worst first.
        repeats: How further runs differ from the one in the lock; None without any.
    """

    lock: Lock
    lock_bytes: bytes
    path: Path
    changed: bool
    warnings: tuple[str, ...]
    run_directory: Path | None
    seconds: float
    findings: tuple[Finding, ...] = ()
    repeats: Repeats | None = None

    @property
    def digest(self) -> Digest:
        """The lock digest."""
        return Digest.of(self.lock_bytes)
