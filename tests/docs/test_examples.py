"""Code in the docs runs.

A fenced block whose info string ends in `run` (```python run, ```sh run) is run from the root of
the checkout, in the order of the file and in a folder of its own for what it leaves behind; a
```text output block right behind it must be what it printed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^```(?P<language>python|sh) run\n(?P<code>.*?)^```$"
    r"(?:\n+```text output\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One block, and the line on which it begins."""

    file: Path
    line: int
    language: str
    code: str
    output: str | None


def blocks() -> list[Block]:
    found = []
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = file.read_text("utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(file, line, match["language"], match["code"], match["output"]))
    return found


@pytest.mark.parametrize(
    "block", blocks(), ids=lambda block: f"{block.file.relative_to(ROOT)}:{block.line}"
)
def test_an_example_runs(block: Block, tmp_path: Path) -> None:
    """It ends with 0 and prints what the page shows."""
    command = (
        [sys.executable, "-W", "error", "-"] if block.language == "python" else ["bash", "-eu"]
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        input=block.code,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if block.output is not None:
        assert done.stdout == block.output
