"""The notebook client, with a bound on what it keeps of printed text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .stops import Flood

if TYPE_CHECKING:
    from nbclient import NotebookClient
    from nbformat import NotebookNode


def make_client(notebook: NotebookNode, flood: Flood, **settings: Any) -> NotebookClient:
    """An nbclient that counts outputs by `flood` and cuts printed text where that says so."""
    from nbclient import NotebookClient  # noqa: PLC0415 - scripts don't need it

    class BoundedClient(NotebookClient):
        """Keeps a bounded part of what cells print."""

        def output(self, outs: Any, msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
            content = msg["content"]
            if msg["msg_type"] != "stream":
                flood.take(_size(content.get("data")))
            else:
                kept = flood.take(len(content["text"]))
                if not kept:
                    return None
                content["text"] = content["text"][:kept]
            return super().output(outs, msg, display_id, cell_index)

    return BoundedClient(notebook, **settings)


def _size(data: Any) -> int:
    if not isinstance(data, dict):
        return 0
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in data.values())
