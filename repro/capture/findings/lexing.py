"""Where logical lines of Python begin, told without parsing: text that isn't quite Python can be looked through."""

import re

_TOKEN = re.compile(
    r"#.*|\"\"\"|'''|\"(?:\\.|[^\"\\])*(?:\"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$)|[(\[{]|[)\]}]|[^#\"'()\[\]{}]+"
)


class Lexer:
    """Fed with one line after the other; knows strings, brackets and backslashes."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""
        self._continued = False

    @property
    def fresh(self) -> bool:
        """Whether the next line begins a statement."""
        return not self._quote and not self._depth and not self._continued

    def feed(self, line: str) -> str:
        """Take a line. Returns its comment, or ""."""
        self._continued = False
        position = self._string_end(line) if self._quote else 0
        while not self._quote and (token := _TOKEN.match(line, position)):
            position = token.end()
            text = token[0]
            if text.startswith("#"):
                return text
            position = self._take(text, line, position)
        return ""

    def _take(self, text: str, line: str, position: int) -> int:
        """A token that ends at `position`; where the next one begins."""
        if text in {'"""', "'''"}:
            self._quote = text
            return self._string_end(line, position)
        if text[0] in "\"'":
            if text.endswith("\\"):
                self._quote = text[0]
        elif text in "([{":
            self._depth += 1
        elif text in ")]}":
            self._depth = max(self._depth - 1, 0)
        elif position == len(line):
            self._continued = text.endswith("\\")
        return position

    def _string_end(self, line: str, start: int = 0) -> int:
        """Where a string that is open at `start` ends; the end of the line when it goes on."""
        found = re.compile(rf"(?:\\.|(?!{self._quote}).)*{self._quote}").match(line, start)
        if found:
            self._quote = ""
            return found.end()
        if len(self._quote) == 1 and not line.endswith("\\"):
            self._quote = ""  # not Python: a string that no backslash continues
        return len(line)
