"""Typed reading of a TOML document that notes every fault with its path instead of stopping at the first.

A getter that finds a fault records it and returns a harmless stand-in; callers check `problems` once, at the end.
"""

import math
import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from repro.digest import Digest

_NOTHING = Digest("0" * 64)
_MISSING = object()
_MOST_BITS = 1000  # any such integer is a finite float, and can be printed
_GLIBC = re.compile(r"\d{1,9}\.\d{1,9}", re.ASCII)
_TARGET = re.compile(r"linux/(?:amd64|arm64)")
_MODULE = re.compile(r"[^\s./\\]+(?:\.[^\s./\\]+)*")
DEBIAN_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""Debian Policy 5.6.1."""
DEBIAN_VERSION = re.compile(r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]*")
"""Debian Policy 5.6.12."""
_Text = TypeVar("_Text", bound=str)


class Table:
    """One table of a document together with its path; children share the root's list of problems."""

    def __init__(self, data: dict[str, Any], path: str = "", problems: list[str] | None = None) -> None:
        self._data = data
        self._path = path
        self._seen: set[str] = set()
        self._children: list[Table] = []
        self.problems: list[str] = [] if problems is None else problems

    def fault(self, key: str, message: str) -> None:
        """Record a fault at `key` of this table."""
        self.problems.append(f"{self._at(key)}: {message}")

    def unknown(self) -> Iterator[str]:
        """A line for every key in this table and below that nothing asked for."""
        for key in self._data:
            if key not in self._seen:
                yield f"{self._at(key)}: unknown field"
        for child in self._children:
            yield from child.unknown()

    def has(self, key: str) -> bool:
        """Whether the document has this key."""
        return key in self._data

    def keys(self) -> tuple[str, ...]:
        """The keys of this table, as written."""
        return tuple(self._data)

    def text(self, key: str) -> str:
        """A non-empty string."""
        value = self._take(key, str, "a string")
        if value == "":
            self.fault(key, "must not be empty")
        return value or ""

    def any_text(self, key: str) -> str:
        """A string, which may be empty."""
        return self._take(key, str, "a string") or ""

    def numbers(self, key: str) -> tuple[float, ...]:
        """An array of numbers."""
        values = self._take(key, list, "an array of numbers") or []
        if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            self.fault(key, "must be an array of numbers")
            return ()
        return tuple(float(value) for value in values)

    def optional_text(self, key: str) -> str | None:
        """A non-empty string, or None when absent."""
        return self.text(key) if key in self._data else None

    def texts(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        """An array of strings."""
        if not required and key not in self._data:
            return ()
        values = self._take(key, list, "an array of strings") or []
        if not all(isinstance(value, str) for value in values):
            self.fault(key, "must be an array of strings")
            return ()
        return tuple(values)

    def all_texts(self) -> dict[str, str]:
        """This whole table as names and string values."""
        return {key: self._take(key, str, "a string") or "" for key in self._data}

    def path(self, key: str) -> str:
        """A POSIX path that stays below the project root."""
        value = self.text(key)
        if value:
            self._check_path(key, value)
        return value

    def paths(self, key: str) -> tuple[str, ...]:
        """An array of such paths."""
        values = self.texts(key)
        for index, value in enumerate(values):
            self._check_path(f"{key}[{index}]", value)
        return values

    def absolute_path(self, key: str) -> str:
        """An absolute POSIX path in its plainest spelling."""
        value = self.text(key)
        if value and (not value.startswith("/") or "\0" in value or posixpath.normpath(value) != value or value == "/"):
            self.fault(key, f"must be an absolute path, not {value!r}")
        return value

    def module_names(self, key: str) -> tuple[str, ...]:
        """An array of dotted names of modules, each once."""
        return self._each_once(key, _MODULE, "the dotted name of a module", "a module")

    def matching(self, key: str, pattern: re.Pattern[str], wanted: str) -> str:
        """A string that a pattern matches as a whole; `wanted` says what that means."""
        value = self.text(key)
        if value and not pattern.fullmatch(value):
            self.fault(key, f"must be {wanted}, not {value!r}")
        return value

    def debian_name(self, key: str) -> str:
        """The name of a Debian package."""
        return self.matching(key, DEBIAN_NAME, "the name of a Debian package")

    def debian_version(self, key: str) -> str:
        """The version of a Debian package."""
        return self.matching(key, DEBIAN_VERSION, "the version of a Debian package")

    def glibc(self, key: str) -> str:
        """A version of glibc, such as `2.36`."""
        return self.matching(key, _GLIBC, "a version such as 2.36")

    def target(self, key: str) -> str:
        """A platform, such as `linux/amd64`."""
        return self.matching(key, _TARGET, "linux/amd64 or linux/arm64")

    def targets(self, key: str) -> tuple[str, ...]:
        """At least one platform, each once."""
        values = self._each_once(key, _TARGET, "linux/amd64 or linux/arm64", "a platform")
        if not values:
            self.fault(key, "must name at least one platform")
        return values

    def file_name(self, key: str) -> str:
        """A file name without any directory."""
        value = self.text(key)
        if value in {".", ".."} or any(char in value for char in "/\\\0"):
            self.fault(key, f"must be a plain file name, not {value!r}")
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """A boolean; required unless a default is given."""
        if default is not None and key not in self._data:
            return default
        return bool(self._take(key, bool, "true or false"))

    def size(self, key: str) -> int:
        """An integer of at least 0."""
        value = self._take(key, int, "an integer")
        if value is not None and value < 0:
            self.fault(key, "must not be negative")
        return value or 0

    def optional_size(self, key: str) -> int | None:
        """An integer of at least 0, or None when absent."""
        return self.size(key) if key in self._data else None

    def optional_integer(self, key: str) -> int | None:
        """An integer, or None when absent."""
        return self._take(key, int, "an integer") or 0 if key in self._data else None

    def number(self, key: str) -> float:
        """A float or an integer, as a float."""
        value = self._take(key, (float, int), "a number")
        return 0.0 if value is None else float(value)  # not `or`: negative zero stays

    def optional_number(self, key: str) -> float | None:
        """A number, or None when absent."""
        return self.number(key) if key in self._data else None

    def positive(self, key: str) -> float:
        """A finite number of at least 0."""
        value = self.number(key)
        if not (math.isfinite(value) and value >= 0):
            self.fault(key, "must be a finite number that is not negative")
        return value

    def optional_positive(self, key: str) -> float | None:
        """A finite number of at least 0, or None when absent."""
        return self.positive(key) if key in self._data else None

    def scalar(self, key: str) -> float | int | bool | str:
        """A float, integer, boolean or string, as it is."""
        value: float | int | bool | str | None = self._take(key, (float, int, bool, str), "a scalar")
        return 0 if value is None else value

    def scalars(self, key: str) -> tuple[float | int | bool | str, ...]:
        """An array of floats, integers, booleans and strings, as they are; none when absent."""
        values = self._take(key, list, "an array of scalars") or [] if key in self._data else []
        whole = Table({str(index): value for index, value in enumerate(values)}, self._at(key), self.problems)
        return tuple(whole.scalar(index) for index in whole.keys())  # noqa: SIM118 - a Table is not a mapping

    def choice(self, key: str, options: Sequence[_Text]) -> _Text:
        """One of `options`."""
        value = self.text(key)
        for option in options:
            if value == option:
                return option
        if value:
            self.fault(key, f"must be one of {', '.join(options)}")
        return options[0]

    def optional_choice(self, key: str, options: Sequence[_Text]) -> _Text | None:
        """One of `options`, or None when absent."""
        return self.choice(key, options) if key in self._data else None

    def sha256(self, key: str) -> Digest:
        """64 lower-case hex digits."""
        value = self.text(key)
        try:
            return Digest(value) if value else _NOTHING
        except ValueError:
            self.fault(key, "must be 64 lower-case hex digits")
            return _NOTHING

    def digest(self, key: str) -> Digest:
        """A digest as OCI writes it, `sha256:<64 lower-case hex digits>`."""
        value = self.text(key)
        try:
            return Digest.parse(value) if value else _NOTHING
        except ValueError as error:
            self.fault(key, str(error))
            return _NOTHING

    def optional_digest(self, key: str) -> Digest | None:
        """Such a digest, or None when absent."""
        return self.digest(key) if key in self._data else None

    def table(self, key: str) -> "Table":
        """A table; absent is a fault."""
        return self._child(key, self._take(key, dict, "a table") or {})

    def optional_table(self, key: str) -> "Table | None":
        """A table, or None when absent."""
        return self.table(key) if key in self._data else None

    def tables(self, key: str) -> "list[Table]":
        """An array of tables; absent means none."""
        if key not in self._data:
            return []
        values = self._take(key, list, "an array of tables") or []
        if not all(isinstance(value, dict) for value in values):
            self.fault(key, "must be an array of tables")
            return []
        return [self._child(f"{key}[{index}]", value) for index, value in enumerate(values)]

    def _child(self, key: str, data: dict[str, Any]) -> "Table":
        child = Table(data, self._at(key), self.problems)
        self._children.append(child)
        return child

    def _take(self, key: str, kind: type | tuple[type, ...], wanted: str) -> Any:
        self._seen.add(key)
        value = self._data.get(key, _MISSING)
        if value is _MISSING:
            self.fault(key, "is missing")
            return None
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
            self.fault(key, f"must be {wanted}")
            return None
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            self.fault(key, "is too large")
            return None
        return value

    def _each_once(self, key: str, pattern: re.Pattern[str], wanted: str, one: str) -> tuple[str, ...]:
        values = self.texts(key)
        for index, value in enumerate(values):
            if not pattern.fullmatch(value):
                self.fault(f"{key}[{index}]", f"must be {wanted}, not {value!r}")
        if len(set(values)) != len(values):
            self.fault(key, f"names {one} twice")
        return values

    def _check_path(self, key: str, value: str) -> None:
        if (
            value.startswith(("/", "../"))
            or value in {".", ".."}
            or "\0" in value
            or posixpath.normpath(value) != value
        ):
            self.fault(key, f"must be a relative path inside the project, not {value!r}")

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key
