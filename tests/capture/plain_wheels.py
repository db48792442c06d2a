"""Wheels of small pure packages, written without a build."""

from collections.abc import Mapping
from pathlib import Path

from repro.capture.packages.wheel_writer import Member, escaped_name, wheel_metadata, write_wheel


def plain_wheel(folder: Path, name: str, files: Mapping[str, str], version: str = "1.0", metadata: str = "") -> Path:
    """A wheel with these files, and further lines in METADATA."""
    info = f"{escaped_name(name)}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"
    members = [Member.of_bytes(path, text.encode()) for path, text in files.items()]
    members.append(Member.of_bytes(f"{info}/METADATA", head.encode()))
    members.append(Member.of_bytes(f"{info}/WHEEL", wheel_metadata(["py3-none-any"], purelib=True)))
    path = folder / f"{escaped_name(name)}-{version}-py3-none-any.whl"
    write_wheel(path, info, members)
    return path
