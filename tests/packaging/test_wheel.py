"""What users install: one wheel, whose client is light and whose extras bring the command line."""

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return built


def installed(wheel: Path, folder: Path, extras: set[str]) -> Path:
    """A folder with what `pip install faultstream[extras]` brings, from what is installed here."""
    zipfile.ZipFile(wheel).extractall(folder)
    (metadata,) = folder.glob("*.dist-info")
    wanted = [
        (requirement, frozenset(extras))
        for requirement in importlib.metadata.PathDistribution(metadata).requires or []
    ]
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        text, above = wanted.pop()
        requirement = Requirement(text)
        name, below = canonicalize_name(requirement.name), frozenset(requirement.extras)
        applies = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in above | {""}
        )
        if not applies or (name, below) in seen:
            continue
        seen.add((name, below))
        found = importlib.metadata.distribution(name)
        wanted += [(inner, below) for inner in found.requires or []]
        for top in {Path(str(file)).parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))
    return folder


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` with the standard library and `folder`, and nothing else that is installed."""
    start = f"import sys; sys.path.append({str(folder)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start], capture_output=True, text=True, check=False
    )


def test_the_wheel_carries_contracts_topology_and_types(wheel: Path) -> None:
    """Schemas, examples, AsyncAPI document, topology.yaml, py.typed, licence, entry points."""
    names = set(zipfile.ZipFile(wheel).namelist())
    here = {
        f"faultstream/schemas/{file.relative_to(ROOT / 'schemas')}"
        for file in (ROOT / "schemas").rglob("*")
        if file.is_file()
    }
    assert here <= names
    assert {"faultstream/topology.yaml", "faultstream/py.typed"} <= names
    assert (
        zipfile.ZipFile(wheel).read("faultstream/topology.yaml")
        == (ROOT / "topology.yaml").read_bytes()
    )
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    assert zipfile.ZipFile(wheel).read(entry).decode() == (
        "[console_scripts]\nfaultstream = faultstream.__main__:run\n\n"
        "[faust.transports]\nfaultstream = faultstream.transport.chunks:Transport\n"
    )


def test_without_extras_the_client_works_and_the_command_says_what_to_install(
    wheel: Path, tmp_path: Path
) -> None:
    """The client imports with three small dependencies, and nothing heavy is even there."""
    folder = installed(wheel, tmp_path, set())
    assert not any((folder / heavy).exists() for heavy in ("faust", "yaml", "click", "aiohttp"))
    done = run(folder, "from faultstream.client import Executor, Outcome, Reporter")
    assert (done.returncode, done.stderr) == (0, "")
    done = run(folder, "from faultstream.__main__ import run; run()")
    assert done.returncode == 1
    assert done.stderr == (
        "the command line is not installed: pip install 'faultstream[pipeline,embedded]'\n"
    )


def test_with_extras_the_command_line_works(wheel: Path, tmp_path: Path) -> None:
    """`faultstream check` reads the topology inside the wheel; the transport can be loaded."""
    folder = installed(wheel, tmp_path, {"pipeline", "embedded"})
    code = "sys.argv = ['faultstream', 'check']; from faultstream.__main__ import run; run()"
    done = run(folder, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{folder}/faultstream/topology.yaml: ok\n")
    assert run(folder, "import faultstream.transport.chunks").returncode == 0
