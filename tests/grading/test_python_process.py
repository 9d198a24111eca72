"""What a grader's process is like, and that it ends with the process that asks it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from finetune_client.grading import PythonGraders, PythonLimits
from tests.support.processes import is_running, wait_until_ended

ROOT = Path(__file__).parents[2]
TELL = """
import json, os, pathlib, sys
def grade(sample, item):
    told = {
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "files": os.listdir(),
        "isolated": sys.flags.isolated,
        "modules": sorted(name for name in sys.modules if "finetune" in name),
        "path": sys.path,
        "name": __name__,
        "annotation": grade.__annotations__,
    }
    pathlib.Path(item["to"]).write_text(json.dumps(told))
    pathlib.Path("kept").touch()
    os.chdir("/")
    return 0
"""
ASKS = """
import os, sys
from finetune_client.grading import PythonGraders, PythonLimits
source = '''
import os, pathlib, time
def grade(sample, item):
    pathlib.Path(item["to"] + "~").write_text(str(os.getpid()))
    os.rename(item["to"] + "~", item["to"])
    while item["busy"]: pass
    return 0
'''
graders = PythonGraders(PythonLimits())
graders.grade(source, "", {"to": sys.argv[1] + "-first", "busy": False})
if sys.argv[2] == "fork" and os.fork() == 0:
    import time
    time.sleep(30)
    os._exit(0)
graders.grade(source, "", {"to": sys.argv[1], "busy": True})
"""


def test_process__knows_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)
    with PythonGraders(PythonLimits()) as graders:
        graders.grade(TELL, "x", {"to": str(tmp_path / "first")})
        graders.grade(TELL, "x", {"to": str(tmp_path / "second")})
    told: dict[str, Any] = json.loads((tmp_path / "first").read_text(encoding="utf-8"))
    assert set(told["environment"]) <= {
        *("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "PATH", "OMP_NUM_THREADS"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LC_CTYPE"),
        *("__CF_USER_TEXT_ENCODING",),
    }
    assert Path(told["environment"]["HOME"]).resolve() == Path(told["directory"]).resolve()
    assert Path(told["directory"]).parent == Path(tempfile.gettempdir()).resolve()
    assert told["files"] == []
    assert told["isolated"] == 1
    assert told["modules"] == []
    assert told["name"] == "grader"
    assert not {"", str(ROOT / "finetune_client" / "grading")} & set(told["path"])
    again = json.loads((tmp_path / "second").read_text(encoding="utf-8"))
    assert (again["directory"], again["files"]) == (told["directory"], ["kept"])


def test_process__the_code_has_no_future_features_but_its_own() -> None:
    source = (
        "def grade(sample: int, item):\n    return grade.__annotations__['sample'] is int and 1"
    )
    with PythonGraders(PythonLimits()) as graders:
        assert graders.grade(source, "x", {}) == 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
@pytest.mark.parametrize("how", ["plain", "fork"])
def test_process__ends_with_the_process_that_asks(tmp_path: Path, how: str) -> None:
    """Busy with a call, and even if a fork of the dead process holds its end of the pipe."""
    place = tmp_path / "temporary"
    place.mkdir()
    told = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", ASKS, str(told), how],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place)},
        start_new_session=True,
    ) as parent:
        try:
            deadline = time.monotonic() + 40
            while not told.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            grader = int(told.read_text(encoding="utf-8"))
            assert is_running(grader)
            assert len(list(place.iterdir())) == 1
            parent.kill()
            wait_until_ended(grader)
            assert list(place.iterdir()) == []
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
