"""The rule about reading from the network, which the image runs without."""

import ast
import re
from collections.abc import Iterator

from repro.capture.findings.model import Finding, Rule, Run
from repro.capture.findings.names import Names, argument, learn
from repro.capture.findings.source import Place, Source
from repro.words import few

_URL = re.compile(r"(?:https?|ftps?|s3|gs|gcs|abfss?|az|hf|hdfs)://[^\s/]", re.IGNORECASE)
_LOCAL = re.compile(r"https?://(?:localhost|127\.|0\.0\.0\.0|\[::1\])", re.IGNORECASE)
_LOOPBACK = re.compile(r"localhost[:.]|127\.|\[?::1\]?|0\.0\.0\.0")
_READERS = re.compile(r"read_\w+|load\w*|imread|urlopen|urlretrieve|open\w*|genfromtxt|scan_\w+|download\w*|retrieve")
_MODULES = {"requests", "httpx", "urllib.request", "urllib3", "aiohttp", "wget", "gdown", "pooch", "ftplib"}
_FETCHERS = re.compile(
    r"sklearn\.datasets\.(?:\w+\.)?fetch_(?!20newsgroups_vectorized$)\w+"
    r"|statsmodels\.(?:api\.)?datasets\.(?:utils\.)?(?:get_rdataset|webuse)"
    r"|seaborn\.(?:utils\.)?load_dataset|datasets\.load_dataset|huggingface_hub\.(?:hf_hub_download|snapshot_download)"
    r"|torch\.hub\.(?:load|load_state_dict_from_url|download_url_to_file)"
    r"|keras\.datasets\.\w+\.load_data|keras\.utils\.get_file|keras_hub\.\w+|tensorflow_hub\.load"
    r"|tensorflow_datasets\.(?:load|builder)|nltk\.download|gensim\.downloader\.load|spacy\.cli\.download"
    r"|yfinance\.(?:download|Ticker|Tickers)|pandas_datareader\.(?:\w+\.)*(?:DataReader|get_data_\w+)"
    r"|openml\.(?:datasets|tasks|flows|runs)\.get_\w+|kagglehub\.\w+_download|ucimlrepo\.fetch_ucirepo"
    r"|(?:wget|gdown)\.(?:download|cached_download)|pooch\.retrieve|urllib\.request\.(?:urlopen|urlretrieve)"
    r"|boto3\.(?:client|resource|Session)|google\.cloud\.\w+\.Client|wandb\.(?:init|login)"
    r"|(?:psycopg2?|pymysql|MySQLdb|snowflake\.connector|cx_Oracle|oracledb)\.connect|pymongo\.MongoClient"
    r"|(?:requests|httpx)\.(?:get|post|put|head|request|Session|Client)"
)
_DOWNLOADS = re.compile(r"(?:torchvision|torchaudio|torchtext)\.datasets\.\w+")
_SHELL = re.compile(
    r"(?:^|[;&|(]|\bsudo)\s*(wget|curl|git\s+clone|gsutil|aws\s+s3|kaggle|gdown|huggingface-cli|scp|rsync)\s",
    re.MULTILINE,
)
_HOST = re.compile(r" reads (?:https?|ftps?)://([^/:\s`]+)")
_CACHED = " unless a cache on this laptop has it"
_MOST = 5
_TELEMETRY = (
    (re.compile(r".*\.mlflow-telemetry\.io"), "MLflow", "MLFLOW_DISABLE_TELEMETRY=true"),
    (re.compile(r"iterative-telemetry\.herokuapp\.com"), "DVC or DVCLive", "ITERATIVE_DO_NOT_TRACK=1"),
)
"""Hosts to which libraries report their use, whose they are, and what turns that off."""
_CURE = "Fetch it once, keep it as a file in the project, and read that: the image runs without a network."


def _check(source: Source) -> Iterator[Finding]:
    names = learn(source)
    for cell, call in source.calls():
        what = _fetches(names, call)
        if what is not None:
            yield Finding(NETWORK.name, "warning", source.place(cell, call.lineno), what, _CURE)
    for cell in source.cells:
        for magic in cell.magics:
            for program in (
                _SHELL.findall(f"{magic.text}\n") if magic.name in {"!", "!!", "%%bash", "%%sh", "sx"} else ()
            ):
                what = f"`{program}` reads from the network"
                yield Finding(NETWORK.name, "warning", source.place(cell, magic.line), what, _CURE)


def _fetches(names: Names, call: ast.Call) -> str | None:
    """What a call reads from the network, when it does."""
    dotted = names.resolve(call.func)
    shown = ast.unparse(call.func)
    last = call.func.attr if isinstance(call.func, ast.Attribute) else shown
    given = [*call.args[:2], *(one.value for one in call.keywords)]
    urls = sorted(text for one in given for text in names.text(one) if _URL.match(text) and not _LOCAL.match(text))
    if urls and (_READERS.fullmatch(last) or any(one.rpartition(".")[0] in _MODULES for one in dotted)):
        return f"`{shown}` reads {_short(urls[0])}"
    texts = [text for one in given[:1] for text in names.text(one)]
    if any(_LOCAL.match(text) for text in texts):
        return None
    if any(_FETCHERS.fullmatch(one) for one in dotted) or _downloads(names, call, dotted):
        sure = any(one.startswith(("requests.", "httpx.", "urllib.", "wget.")) for one in dotted)
        return f"`{shown}` reads from the network" + ("" if sure else _CACHED)
    if last == "from_pretrained" and any(_is_hub_name(text) for text in texts) and not _offline(call):
        return f"`{shown}` reads from the network{_CACHED}"
    return None


def _downloads(names: Names, call: ast.Call, dotted: set[str]) -> bool:
    """Data sets of torchvision with `download=True`, and models with weights that aren't in the project."""
    download = argument(call, "download")
    if any(_DOWNLOADS.fullmatch(one) for one in dotted):
        return isinstance(download, ast.Constant) and download.value is True
    weights = argument(call, "weights")
    if any(one.startswith("keras.applications.") and one.rpartition(".")[2][:1].isupper() for one in dotted):
        return weights is None or names.text(weights) == {"imagenet"}
    if any(one.startswith("torchvision.models.") for one in dotted):
        pretrained = argument(call, "pretrained")
        return (weights is not None and ast.unparse(weights) != "None") or (
            isinstance(pretrained, ast.Constant) and pretrained.value is True
        )
    return False


def _is_hub_name(text: str) -> bool:
    """`bert-base-uncased`, `org/model`: no path."""
    return not text.startswith((".", "/", "~")) and text.count("/") <= 1 and "\\" not in text


def _offline(call: ast.Call) -> bool:
    only = argument(call, "local_files_only")
    return isinstance(only, ast.Constant) and only.value is True


def _short(url: str) -> str:
    """A URL without what may be secret."""
    plain = re.sub(r"//[^/@]*@", "//", url.partition("?")[0])
    return plain if len(plain) <= 80 else f"{plain[:77]}…"  # noqa: PLR2004 - fits on a line


def _settle(source: Source, findings: tuple[Finding, ...], run: Run) -> Iterator[Finding]:
    """With what was found before the run, each cell that reached the network all the same, and the hosts."""
    yield from findings
    told = {one.place.cell for one in findings}
    hosts: dict[int | None, list[str]] = {}
    for one in (one for one in run.observed.network if not _LOOPBACK.match(one.what)):
        reports = _reports_use(one.what)
        if reports is None:
            hosts.setdefault(one.cell, []).append(one.what)
        else:
            what = f"{reports[0]} reports to {one.what} that it is used"
            cure = f"No result depends on it; the variable {reports[1]} turns it off."
            yield Finding(NETWORK.name, "note", _place(source, one.cell), what, cure)
    for number, names in hosts.items():
        if number in told or (number is None and told):
            continue
        what = f"the run reached {few(names, _MOST)}"
        yield Finding(NETWORK.name, "warning", _place(source, number), what, _CURE)


def _place(source: Source, number: int | None) -> Place:
    cells = (cell for cell in source.cells if cell.number == number)
    return next((source.place(cell) for cell in cells), Place(source.path))


def _reports_use(host: str) -> tuple[str, str] | None:
    """Whose telemetry a `host:port` is, and how to turn that off."""
    name = host.rpartition(":")[0]
    return next(((whose, off) for pattern, whose, off in _TELEMETRY if pattern.fullmatch(name)), None)


def in_module(module: Source, subject: Source, run: Run) -> Iterator[Finding]:
    """What a local module fetches, if the run reached a host that the subject's own code doesn't explain.

    What has a cache, or an address of its own that the run didn't ask for, is no reason.
    """
    told = {one.place.cell for one in _check(subject)}
    told |= {cell.number for cell in subject.cells if any(NETWORK.name in one for one in cell.allowed.values())}
    facts = [one.what for one in run.observed.network if one.cell not in told]
    remote = [one for one in facts if not _LOOPBACK.match(one) and _reports_use(one) is None]
    hosts = {one.rpartition(":")[0].strip("[]") for one in remote}
    for one in _check(module) if hosts else ():
        named = _HOST.search(one.what)
        if named is None or named[1].lower() in hosts:
            yield one


NETWORK = Rule(
    "network-read",
    "warning",
    "Something is read from the network",
    "The image runs without a network, and what a server sends today may be different, or gone, tomorrow. Keep the "
    "file in the project and read it from there; then the lock pins it by its hash. Data sets that libraries download "
    "into a cache of the home directory count, too: the image has no such cache.",
    _check,
    _settle,
)
