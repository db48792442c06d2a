"""As what a file is compared, told by its name."""

from pathlib import PurePosixPath

from repro.lock import OutputKind, cell_number

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
RECORDS = (".json", ".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow", ".ipc")
ARRAYS = (".npy", ".npz", ".safetensors")
FIGURES = (".png", ".jpg", ".jpeg")
MARKUP = (".html", ".htm", ".svg", ".xml")
_TEXTS = (".txt", ".md", ".rst", ".log", ".yaml", ".yml", ".toml", *MARKUP)

_KINDS: dict[str, OutputKind] = {
    **dict.fromkeys((*DELIMITERS, *RECORDS, *PARQUET, *FEATHER), "table"),
    **dict.fromkeys(ARRAYS, "array"),
    **dict.fromkeys(FIGURES, "figure"),
    **dict.fromkeys(_TEXTS, "text"),
}


def kind_of(path: str) -> OutputKind:
    """What the name of a file (or a glob's end) says; "bytes" for models, pickles, and all that nothing is known of."""
    return "text" if cell_number(path) else _KINDS.get(suffix(path), "bytes")


def suffix(path: str) -> str:
    """The end of a file's name, from its last dot on, in small letters."""
    return PurePosixPath(path).suffix.lower()
