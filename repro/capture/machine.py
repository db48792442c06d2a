"""What the run's record says of the machine, as the lock keeps it."""

from repro.lock import Machine, NativeLibrary
from repro.runner.documents import RunRecord


def machine_of(record: RunRecord) -> Machine:
    """The machine that a run's metrics come from."""
    facts = record.machine
    glibc = facts.get("glibc")
    return Machine(
        system=facts.get("system", "unknown"),
        kernel=facts.get("kernel", "unknown"),
        architecture=facts.get("architecture", "unknown"),
        libc=f"glibc {glibc}" if glibc else None,
        processor=facts.get("processor", "unknown"),
        features=tuple(facts.get("features", "").split()),
        cpus=int(facts.get("cpus", "0")),
        gpus=tuple(name for name in facts.get("gpus", "").split("; ") if name),
        driver=facts.get("driver"),
        cuda=facts.get("cuda"),
        libraries=tuple(
            NativeLibrary(
                name=str(one["name"]),
                file=str(one["file"]),
                version=None if one.get("version") is None else str(one["version"]),
                kernel=None if one.get("kernel") is None else str(one["kernel"]),
                threads=int(str(one.get("threads") or 0)),
            )
            for one in record.libraries
        ),
    )
