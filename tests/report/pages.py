"""Dossiers to make pages of: real cells, hostile ones, a laptop that showed something else."""

import base64
import json
import struct
import zlib
from typing import Any

from repro.lock import Lock
from repro.report.dossier import Dossier, Executed
from tests.report.samples import EVIL, VERDICTS
from tests.verify.samples import good_record, sample_lock


def png(color: tuple[int, int, int]) -> str:
    """A picture of one colour, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(color) * 320) * 180
    head = struct.pack(">IIBBBBB", 320, 180, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def notebook(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}).encode()


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": source, "outputs": list(outputs)}


def shows(**data: object) -> dict[str, Any]:
    """An output; underscores in a MIME type stand for its slash."""
    found = {kind.replace("_", "/", 1): one for kind, one in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": found}


def prints(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


TABLE = (
    "<div><style scoped>th { color: red }</style><table border='1' class='dataframe'><thead><tr><th></th><th>auc</th>"
    "</tr></thead><tbody><tr><th>mean</th><td>{}</td></tr></tbody></table></div>"
)


def evaluation(auc: float, color: tuple[int, int, int]) -> bytes:
    return notebook(
        text(
            "# How good is the model?\n\nOn *unseen* customers, by $\\mathrm{AUC}$.\n\n| a | b |\n|---|---|\n| 1 | 2 |"
        ),
        code("import numpy as np\n\nscores = np.load('scores.npy')  # of the model", prints("285 rows\n")),
        code("metrics = {'auc': auc(scores)}\nmetrics", shows(text_plain=f"{{'auc': {auc}}}")),
        code("pd.DataFrame(metrics)", shows(text_html=TABLE.replace("{}", str(auc)), text_plain="x")),
        code("plt.plot(scores);", shows(image_png=png(color), text_plain="<Figure>")),
        code("1 / 0", {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[0;31mE\x1b[0m: v"]}),
    )


HOSTILE_HTML = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    "<img src='https://evil.example/x.png'><iframe src='https://evil.example'></iframe>"
    "<link rel=stylesheet href='https://evil.example/x.css'><meta http-equiv=refresh content='0;url=https://evil.example'>"
    '<p style="background: url(https://evil.example/y.png); position: fixed; color: red">styled</p>'
    "<a href=\"javascript:alert(1)\">a</a><form action='https://evil.example'><input name=a></form>"
    "<svg onload=\"document.title = 'taken'\"><use href='https://evil.example/z.svg'/></svg><textarea><!--"
)
HOSTILE_SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><image href='https://evil.example/i'/></svg>"
)
HOSTILE = notebook(
    text(f"# {EVIL}\n\n{HOSTILE_HTML}\n\n![x](https://evil.example/m.png)"),
    code(EVIL, shows(text_html=HOSTILE_HTML)),
    code(
        "x", shows(**{"image_svg+xml": HOSTILE_SVG}), shows(image_png='"><script>alert(1)</script>', text_plain="plain")
    ),
    code("y", shows(text_markdown=HOSTILE_HTML), shows(application_javascript="alert(1)"), prints(EVIL)),
)


def dossiers() -> dict[str, Dossier]:
    """One of each kind of page."""
    lock: Lock = sample_lock()
    machine = {"cpus": "2", "processor": "Intel Xeon", "system": "Debian GNU/Linux 12", "features": "avx avx2"}
    record = good_record(lock, machine=machine)
    here = Executed("notebook", evaluation(0.5, (180, 90, 40)), "the run in the image")
    laptop = Executed("notebook", evaluation(0.75, (40, 90, 180)), "the captured run")
    return {
        "explained": Dossier(VERDICTS["explained"], lock, record, here, laptop),
        "every-status": Dossier(VERDICTS["every-status"], lock, record, here, here),
        "verified": Dossier(
            VERDICTS["verified"], lock, record, Executed("output", b"auc 0.95\n", "the run in the image")
        ),
        "hostile": Dossier(VERDICTS["hostile"], lock, record, Executed("notebook", HOSTILE, EVIL), laptop),
        "infrastructure": Dossier(VERDICTS["infrastructure"]),
    }
