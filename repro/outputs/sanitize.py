"""Outputs without what differs in every run and means nothing: addresses, clocks, durations, temporary paths, ids."""

import re

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"(?:ns|us|[µμ]s|ms|s|secs?|seconds?|mins?|minutes?|h|hours?)"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n|\Z)")

_TEXT = [
    (re.compile(rf"\b{_UUID}\b|\b[0-9a-f]{{32}}\b"), "<uuid>"),
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "<address>"),
    (re.compile(r"\bipykernel_\d+[/\\]\d+\.py|<ipython-input-\d+-\w+>"), "<cell>"),
    (re.compile(r"[^\s\"'<>:(]*[/\\](?:site|dist)-packages[/\\]"), "<packages>/"),
    (re.compile(r"(?:/private)?(?:/tmp|/var/tmp|/var/folders)/[^\s\"'<>:,;)]+"), "<temporary>"),
    (re.compile(r"[A-Za-z]:\\[^\s\"'<>:]*\\Temp\\[^\s\"'<>:,;)]+"), "<temporary>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<moment>"),
    (re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:[A-Z][a-z]{2}) \d{4}\b"), "<date>"),
    (re.compile(r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"), "<clock>"),
    (re.compile(r"\b(pid|PID|process)([ =:]+)\d+\b"), r"\1\2<pid>"),
    (re.compile(r"\[\d+:\d\d<[^\]]*\]"), "[<progress>]"),
    (
        re.compile(
            rf"(?i)(\b(?:CPU times|wall time|elapsed|took|duration|runtime|time)\b[^\n\d]*){_NUMBER} ?{_UNIT}\b.*"
        ),
        r"\1<duration>",
    ),
    (re.compile(rf"{_NUMBER} ?{_UNIT} ± {_NUMBER} ?{_UNIT} per loop.*"), "<duration>"),
    (re.compile(rf"\b{_NUMBER}{_UNIT} (?={_NUMBER} ?{_UNIT}/step)"), "<duration> "),  # Keras
    (re.compile(rf"\b{_NUMBER} ?(?:it|{_UNIT})/(?:s|it|step|epoch|batch)\b"), "<rate>"),
]
"""In this order."""

_MARKUP = [
    (re.compile(r"\bT_[0-9a-f]{5}(?=[_\"' #{.])"), "T_<id>"),  # pandas' Styler
    (re.compile(r"((?:\bid=|\bhref=|url\()[\"']?#?)[A-Za-z_-]*[0-9a-f]{8,}\w*"), r"\1<id>"),  # matplotlib's SVG
    (re.compile(r"(#sk-container-id-|sk-estimator-id-)\d+"), r"\1<id>"),  # scikit-learn
    (re.compile(r"<dc:date>.*?</dc:date>"), "<dc:date>"),
]


def sanitized(text: str, *, markup: bool = False) -> str:
    """A text output as two equal runs both give it. `markup` says that it is HTML or SVG, which carries made-up ids."""
    text = _OVERWRITTEN.sub("", _ANSI.sub("", text))
    for pattern, replacement in (*(_MARKUP if markup else ()), *_TEXT):
        text = pattern.sub(replacement, text)
    return text
