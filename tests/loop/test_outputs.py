"""Outputs from repro.toml to the verdict: same in bits, same in content, beyond the tolerance, and not there at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from repro.engines import ImageInfo
from repro.errors import ExitCode
from tests.loop.conftest import make_script, repro

pytestmark = pytest.mark.engine

LINES = (
    "import struct, zlib",
    "def chunk(kind, data):",
    "    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))",
    "def figure(shade):",
    "    header = struct.pack('>IIBBBBB', 8, 8, 8, 0, 0, 0, 0)",
    "    pixels = zlib.compress(b''.join(b'\\0' + bytes([shade] * 8) for _ in range(8)))",
    "    chunks = chunk(b'IHDR', header) + chunk(b'IDAT', pixels) + chunk(b'IEND', b'')",
    "    return b'\\x89PNG\\r\\n\\x1a\\n' + chunks",
    "here = not on_laptop",
    "os.makedirs('out/plots', exist_ok=True)",
    "rows = [(1, 0.25, 'cat'), (2, 0.5 + 1e-12 * here, 'dog'), (3, 0.75, 'dog')]",
    "lines = ['id,p,label', *(f'{i},{p!r},{label}' for i, p, label in (rows[::-1] if here else rows))]",
    "open('out/predictions.csv', 'w').write('\\n'.join(lines) + '\\n')",
    "open('out/labels.tsv', 'w').write('id\\tlabel\\n1\\tcat\\n2\\t' + ('cat' if here else 'dog') + '\\n')",
    "open('out/plots/a.png', 'wb').write(figure(200 if here else 100))",
    "open('out/model.pkl', 'wb').write(b'not to be unpickled')",
    "open('out/notes.txt', 'w').write(f'took {time.time() % 60:.3f} s\\nobject at {hex(id(rows))}\\n3 rows\\n')",
)
OUTPUTS = """
[outputs."out/predictions.csv"]
key = ["id"]
[outputs."out/*.tsv"]
key = ["id"]
[outputs."out/plots/*.png"]
[outputs."out/model.pkl"]
[outputs."out/notes.txt"]
"""
BUBBLEWRAP = ("--engine", "bubblewrap")


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {output["name"]: output["status"] for output in document["outputs"]}


def test_outputs_are_compared_by_content(tmp_path: Path, bare_python: Path, base_image: ImageInfo) -> None:
    root, image = make_script(tmp_path / "p", bare_python, *LINES), f"oci:{tmp_path / 'image'}"
    with (root / "repro.toml").open("a", encoding="utf-8") as stream:
        stream.write(OUTPUTS)
    assert (done := repro(root, "capture", "evaluate.py", env={"ON_LAPTOP": "1"})).code == 0, done
    kept = sorted(path.relative_to(root / "repro.baseline").as_posix() for path in root.glob("repro.baseline/**/*.*"))
    assert kept == ["out/labels.tsv", "out/notes.txt", "out/plots/a.png", "out/predictions.csv"]
    assert (done := repro(root, "build", "-o", image)).code == 0, done

    done = repro(root, "verify", image, "--json", *BUBBLEWRAP)
    document = json.loads(done.out)
    assert statuses(document) == {
        "out/labels.tsv": "moved",
        "out/model.pkl": "same",
        "out/notes.txt": "same",
        "out/plots/a.png": "moved",
        "out/predictions.csv": "within",
    }
    assert (done.code, document["outcome"]) == (ExitCode.MISMATCH, "mismatch")
    assert document["reason"] == "2 metrics as on the laptop, bit for bit, but out/labels.tsv differs"
    labels, figure, evidence = document["outputs"][0], document["outputs"][3], Path(document["evidence"])
    assert labels["details"] == ["label: 1 of 2 differ", "  id=2: 'dog', here 'cat'"]
    assert figure["passed"]
    assert (evidence / figure["picture"]).read_bytes().startswith(b"\x89PNG")
    assert (evidence / "outputs" / "out" / "labels.tsv").read_text(encoding="utf-8").endswith("2\tcat\n")

    shutil.rmtree(root / "repro.baseline")
    done = repro(root, "verify", image, *BUBBLEWRAP)
    assert done.code == ExitCode.MISMATCH, done
    assert "✗ out/predictions.csv: other bits, and the laptop's content isn't at hand" in done.out, done
    assert "out/labels.tsv, out/notes.txt, out/predictions.csv differ, and how can't be told" in done.out, done


def test_an_output_that_the_run_does_not_write_stops_the_capture(
    tmp_path: Path, bare_python: Path, base_image: ImageInfo
) -> None:
    root = make_script(tmp_path / "p", bare_python)
    (root / "old.csv").write_text("a\n1\n", encoding="utf-8")
    with (root / "repro.toml").open("a", encoding="utf-8") as stream:
        stream.write('[outputs."old.csv"]\n')
    done = repro(root, "capture", "evaluate.py")
    assert done.code == ExitCode.USAGE, done
    assert "outputs.'old.csv': the run wrote no such file" in done.err
    assert not (root / "repro.lock").exists()
