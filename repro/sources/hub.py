"""Files of the Hugging Face hub over plain HTTPS: `<endpoint>/<repo>/resolve/<commit>/<path>`."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from urllib.parse import quote

from repro.realpaths import expanded
from repro.sources.bodies import Body, Network, web_body
from repro.sources.uri import parse_hub

_ENDPOINT = "https://huggingface.co"


def hub_body(network: Network, text: str, offset: int) -> AbstractContextManager[Body]:
    """A file at a commit, from HF_ENDPOINT or the public hub, with the user's token. Raises as `web_body`."""
    file = parse_hub(text)
    endpoint = (network.environ.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")
    token = _token(network.environ)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{endpoint}/{file.repo}/resolve/{file.commit}/{quote(file.path)}"
    return web_body(network, url, offset, headers, "HF_TOKEN (or by `hf auth login`)")


def _token(environ: Mapping[str, str]) -> str | None:
    """HF_TOKEN, else what `hf auth login` has left."""
    named = environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN")
    if named:
        return named.strip()
    caches = expanded(environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = expanded(environ.get("HF_HOME") or caches / "huggingface")
    try:
        return expanded(environ.get("HF_TOKEN_PATH") or home / "token").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
