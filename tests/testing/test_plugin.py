"""The plugin, as pytest loads it in a user's project."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"


def run_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest in a project of its own, and return what it says."""
    names = {one.name for one in entry_points(group="pytest11")}
    by_hand = [] if "finetune_client" in names else ["-p", "finetune_client.testing.plugin"]
    plugins = [*by_hand, "-p", "no:cacheprovider"]
    where = ["--rootdir", str(folder), str(folder)]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *arguments, *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return done.stdout + done.stderr


def test_plugin__the_file_of_the_docs_passes(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```python no-run\n")[1:]]
    (tmp_path / "train.jsonl").write_bytes(
        (ROOT / "docs" / "examples" / "python_topics_valid.jsonl").read_bytes()
    )
    for number, block in enumerate(blocks):
        (tmp_path / f"test_docs_{number}.py").write_text(block, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    said = run_pytest(tmp_path)
    assert f"{text.count('def test_')} passed" in said


def test_plugin__imports_nothing_until_a_fixture_is_used() -> None:
    script = (
        "import sys; import finetune_client.testing.plugin; "
        "print([n for n in ('requests', 'flask', 'numpy', 'finetune_client.client') "
        "if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_plugin__says_what_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['flask'] = None\n")
    (tmp_path / "test_one.py").write_text("def test_one(finetune_client): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    said = run_pytest(tmp_path)
    assert (
        "The fixtures of finetune_client need the package flask, which is not installed. "
        "Install it with: pip install 'finetune-client[local]'"
    ) in said
    assert "1 error" in said


def test_plugin__tests_in_parallel_do_not_meet(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    (tmp_path / "test_many.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(8))\n"
        "def test_one(finetune_server, n):\n"
        "    from finetune_client import Client\n"
        "    with Client() as client:\n"
        "        client.files.create(file=('a.jsonl', b'{}'), purpose='user_data')\n"
        "        assert len(client.files.list().data) == 1\n"
        "    assert len(finetune_server.requests) == 2\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    assert "8 passed" in run_pytest(tmp_path, "-n", "2")
