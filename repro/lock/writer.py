"""Lock → canonical bytes. Same lock, same bytes: fixed order, one style, Unix line ends, UTF-8, no timestamps."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from repro.lock.model import SCHEMA_VERSION, Lock, LockedFile, Metric, Package, PackageFile

_HEADER = """\
# Written by `repro capture`. Commit it and review it; never edit it by hand:
# its sha256 is the identity that images, verdicts and statements carry.
"""

_Value = str | int | float | bool | tuple[str, ...] | None


def render_lock(lock: Lock) -> bytes:
    """The canonical TOML bytes of a lock (docs/formats/lock.md); order of its collections doesn't matter."""
    return "".join([_HEADER, *_sections(canonical(lock))]).encode()


def canonical(lock: Lock) -> Lock:
    """The same lock with every collection in its canonical order."""
    return replace(
        lock,
        targets=tuple(sorted(lock.targets)),
        metrics=tuple(sorted(lock.metrics, key=lambda metric: metric.name)),
        files=tuple(sorted(lock.files, key=lambda file: file.path)),
        outputs=tuple(sorted(lock.outputs)),
        packages=_packages(lock.packages),
        runner=replace(lock.runner, packages=_packages(lock.runner.packages)),
    )


def _packages(packages: Iterable[Package]) -> tuple[Package, ...]:
    ordered = sorted(packages, key=lambda package: (package.name, package.version))
    return tuple(
        replace(package, files=tuple(sorted(package.files, key=lambda file: file.name))) for package in ordered
    )


def _sections(lock: Lock) -> Iterator[str]:
    yield _pairs({"version": SCHEMA_VERSION, "targets": lock.targets, "outputs": lock.outputs})
    subject, python, base = lock.subject, lock.python, lock.base
    yield _table(
        "subject", {"kind": subject.kind, "path": subject.path, "kernel": subject.kernel, "args": subject.args or None}
    )
    yield _table("baseline", {"rerun": lock.baseline.rerun})
    yield _table(
        "python", {"implementation": python.implementation, "version": python.version, "supply": python.supply}
    )
    if packed := python.packed:
        yield _table(
            "python.packed",
            {
                "name": packed.name,
                "sha256": packed.sha256.hex,
                "size": packed.size,
                "glibc": packed.glibc,
                "target": packed.target,
            },
        )
    yield _table(
        "base",
        {
            "reference": base.reference,
            "digest": str(base.digest),
            "source": base.source,
            "python": base.python,
            "python-path": base.python_path,
            "glibc": base.glibc,
        },
    )
    environment, policy = lock.environment, lock.policy
    yield _table(
        "environment",
        {"timezone": environment.timezone, "locale": environment.locale, "threads": environment.threads},
    )
    yield _table("environment.variables", dict(sorted(environment.variables.items())))
    yield _table(
        "policy",
        {
            "timeout": policy.timeout,
            "cell-timeout": policy.cell_timeout,
            "memory": policy.memory,
            "allow-patch-drift": policy.allow_patch_drift,
            "metrics-files": policy.metrics_files,
        },
    )
    yield from (_metric(metric) for metric in lock.metrics)
    yield from (_file(file) for file in lock.files)
    yield from (_package("packages", package) for package in lock.packages)
    yield _table("runner", {"version": lock.runner.version, "sha256": lock.runner.sha256.hex})
    yield from (_package("runner.packages", package) for package in lock.runner.packages)


def _metric(metric: Metric) -> str:
    return _table(
        "[metrics]",
        {
            "name": metric.name,
            "value": metric.value,
            "source": metric.source,
            "direction": metric.direction,
            "absolute": metric.tolerance.absolute,
            "relative": metric.tolerance.relative,
            "accept-improvement": metric.accept_improvement or None,
        },
    )


def _file(file: LockedFile) -> str:
    return _table(
        "[files]",
        {
            "path": file.path,
            "role": file.role,
            "sha256": file.sha256.hex,
            "size": file.size,
            "executable": file.executable or None,
        },
    )


def _package(section: str, package: Package) -> str:
    head = _table(
        f"[{section}]",
        {"name": package.name, "version": package.version, "origin": package.origin, "source": package.source},
    )
    lines = "".join(f"  {_package_file(file)},\n" for file in package.files)
    return f"{head}files = [\n{lines}]\n"


def _package_file(file: PackageFile) -> str:
    pairs: dict[str, _Value] = {
        "name": file.name,
        "url": file.url,
        "sha256": file.sha256.hex,
        "size": file.size,
        "targets": file.targets,
    }
    inner = ", ".join(f"{key} = {_value(value)}" for key, value in pairs.items() if value is not None)
    return f"{{ {inner} }}"


def _table(name: str, pairs: Mapping[str, _Value]) -> str:
    return f"\n[{name}]\n{_pairs(pairs)}"


def _pairs(pairs: Mapping[str, _Value]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in pairs.items() if value is not None)


def _key(key: str) -> str:
    bare = key and all(char.isascii() and (char.isalnum() or char in "-_") for char in key)
    return key if bare else _string(key)


def _value(value: _Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case str():
            return _string(value)
        case tuple():
            return f"[{', '.join(_string(item) for item in value)}]"
        case _:  # pragma: no cover - _Value is closed and None never reaches here
            raise TypeError(type(value))


def _float(value: float) -> str:
    """Shortest text that reads back to the same bits (Python's repr), spelled as TOML wants it."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _string(text: str) -> str:
    """A TOML basic string. JSON escapes are a subset of TOML's, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
