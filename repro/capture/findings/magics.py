"""IPython's cells → Python that parses, line for line. What isn't Python is taken out and kept beside it."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from repro.capture.findings.lexing import Lexer

ANYTHING = "__magic__"
"""`from __magic__ import *` stands for what may define any name."""

_STAR = f"from {ANYTHING} import *"
_CELL_MAGIC = re.compile(r"%%(\w+|!)(.*)")
_MAGIC = re.compile(r"(\s*)(?:%(\w[\w.]*)(.*)|(!{1,2})(.*)|([?,;/])(.*))", re.DOTALL)
_ASSIGNED = re.compile(r"(\s*(?:[\w.,\s*]|\[[^\]=]*\])+=\s*)(?:%(\w+)(.*)|(!)(.*))", re.DOTALL)
_HELP = re.compile(r"(\s*)(%{0,2}[A-Za-z_*][\w.*]*(?:\[[^\]]*\])?)\?{1,2}\s*(?:#.*)?")
_AUTOMAGIC = re.compile(
    r"(\s*)(pip|conda|mamba|apt|apt-get|wget|curl|git|cd|ls|ll|cat|mkdir|rm|cp|mv|man|pwd|who|whos|run|time|timeit|"
    r"matplotlib|load_ext|reload_ext|autoreload|pylab|env|store|reset|config|pinfo|history|notebook)"
    r"(\s+(?![=,)\]}*/%&|^<>.:@]|(?:in|is|if|and|or|not|for|else)\b).*|\s*)"
)
_OPTIONS = re.compile(r"\s*(?:-f\s+\S+\s+|-{1,2}[A-Za-z]+(?:[\s=]*\d+)?\s+)*")
_OUTPUT_OPTION = re.compile(r"--(?:out|err|proc)[\s=]+([A-Za-z_]\w*)")
_RUN_CODE = {"time", "timeit", "prun", "memit", "mprun", "lprun", "pyinstrument", "snakeviz", "debug"}
_PYTHON_CELLS = _RUN_CODE | {
    "capture",
    "notify",
    "heat",
    "scalene",
    "skip",
    "wandb",
    "chime",
    "px",
    "ipytest",
    "python3",
}
_FOREIGN = {
    *("bash", "sh", "script", "html", "HTML", "javascript", "js", "latex", "markdown", "svg", "SVG", "perl", "ruby"),
    *("writefile", "file", "cmd", "system", "sx", "!", "python2", "pypy", "mermaid", "css"),
}


@dataclass(frozen=True, slots=True)
class Magic:
    """A magic, a shell command or a call for help.

    Attributes:
        line: Where it stands in the cell, from 1.
        name: `pip`, `time`, … for magics, with `%%` before those of whole cells; `!` for shell commands.
        text: What follows.
        indented: Whether it stands in a branch or a function, which a run may pass by.
    """

    line: int
    name: str
    text: str
    indented: bool = False


@dataclass
class Translated:
    """A cell as Python.

    Attributes:
        lines: As many as the cell has.
        magics: What was taken out.
    """

    lines: list[str] = field(default_factory=list)
    magics: list[Magic] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The Python."""
        return "\n".join(self.lines)


def parse(text: str) -> ast.Module:
    """The tree of Python source, without the parser's warnings. Raises SyntaxError for everything that is none."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text)
    except SyntaxError:
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or type(error).__name__) from error


def translate(source: str) -> Translated:
    """A notebook's cell as Python."""
    done = _translated(source, automagic=False)
    try:
        parse(done.text)
    except SyntaxError:
        again = _translated(source, automagic=True)
        try:
            parse(again.text)
        except SyntaxError:
            return done
        return again
    return done


def _translated(source: str, *, automagic: bool) -> Translated:
    done = Translated()
    lines = source.split("\n")
    while len(done.lines) < len(lines):
        line = lines[len(done.lines)]
        found = _CELL_MAGIC.fullmatch(line)
        if found is None and line.strip():
            break
        if found is not None and not _take_cell_magic(done, found[1], found[2], lines):
            return done
        if found is None:
            done.lines.append("")
    _take_lines(done, lines, automagic=automagic)
    return done


def _take_cell_magic(done: Translated, name: str, rest: str, lines: list[str]) -> bool:
    """A line `%%name rest`; whether what follows is Python."""
    number = len(done.lines) + 1
    if name in _PYTHON_CELLS:
        done.magics.append(Magic(number, f"%%{name}", rest))
        done.lines.append(_first_line(name, rest))
        return True
    body = "\n".join(lines[number:])
    done.magics.append(Magic(number, f"%%{name}", f"{rest}\n{body}"))
    bound = _OUTPUT_OPTION.findall(rest)
    done.lines.append("; ".join([*(f"{one} = None" for one in bound), *([] if name in _FOREIGN else [_STAR])]))
    done.lines.extend([""] * (len(lines) - number))
    return False


def _first_line(name: str, rest: str) -> str:
    """What the first line of a cell of Python does: `%%capture out` binds, `%%timeit x = 1` runs."""
    if name == "capture":
        word = next((word for word in rest.split() if word.isidentifier()), None)
        return f"{word} = None" if word else ""
    return _code(rest) if name in _RUN_CODE else ""


def _take_lines(done: Translated, lines: list[str], *, automagic: bool) -> None:
    lexer = Lexer()
    while len(done.lines) < len(lines):
        number = len(done.lines)
        if not lexer.fresh:
            lexer.feed(lines[number])
            done.lines.append(lines[number])
            continue
        text, count = _joined(lines, number)
        replaced = _replaced(done, number + 1, text, automagic=automagic)
        if replaced is None:
            lexer.feed(lines[number])
            done.lines.append(lines[number])
        else:
            done.lines.extend([replaced, *([""] * (count - 1))])


def _joined(lines: list[str], number: int) -> tuple[str, int]:
    """A line with those that a backslash at its end continues, and how many there are."""
    end = number
    while lines[end].endswith("\\") and end + 1 < len(lines):
        end += 1
    return "\n".join(lines[number : end + 1]), end + 1 - number


def _replaced(done: Translated, line: int, text: str, *, automagic: bool) -> str | None:
    """What stands for a line that isn't Python; None when it is."""
    if found := _MAGIC.fullmatch(text):
        indent, name, rest, shell, command, sign, more = found.groups()
        done.magics.append(Magic(line, name or ("!" if shell else sign), rest or command or more or "", bool(indent)))
        return indent + (_statement(name, rest) if name else "pass")
    if found := _ASSIGNED.fullmatch(text):
        target, name, rest, shell, command = found.groups()
        done.magics.append(Magic(line, name or shell, rest or command or ""))
        return f"{target.replace(chr(10), ' ')}None"
    if found := _HELP.fullmatch(text):
        done.magics.append(Magic(line, "?", found[2]))
        return f"{found[1]}pass"
    if automagic and (found := _AUTOMAGIC.fullmatch(text)):
        done.magics.append(Magic(line, found[2], found[3], bool(found[1])))
        return found[1] + _statement(found[2], found[3])
    return None


def _statement(name: str, rest: str) -> str:
    if name in _RUN_CODE:
        return _code(rest) or "pass"
    if name in {"run", "pylab", "load", "recall", "rerun", "macro"}:
        return _STAR
    if name == "store" and "-r" in rest.split():
        names = [word for word in rest.split() if word.isidentifier()]
        return "; ".join(f"{one} = None" for one in names) or _STAR
    return "pass"


def _code(text: str) -> str:
    """The Python after a magic and its options, when it is some."""
    found = _OPTIONS.match(f"{text} ")
    code = text[found.end() :].strip() if found else text.strip()
    try:
        parse(code)
    except SyntaxError:
        return ""
    return code if "\n" not in code else ""


def words(magics: list[Magic] | tuple[Magic, ...]) -> Iterator[str]:
    """Every word in magics and shell commands: any may be a variable that they use."""
    for magic in magics:
        yield from re.findall(r"[A-Za-z_]\w*", magic.text)
