from __future__ import annotations

import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.grading import PythonGraders, PythonLimits
from finetune_client.grading.python_graders import PythonGraderError
from tests.support.processes import is_running, wait_until_ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX alone has these limits")
linux = pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit address space")

LENGTH = "def grade(sample, item):\n    return len(sample['output_text']) / item['whole']"
HANGS = (
    "import time\n"
    "def grade(sample, item):\n"
    "    while sample['output_text'] == 'hang':\n"
    "        time.sleep(0.01)\n"
    "    return 1"
)

ODD = """class Odd(Exception):
    def __str__(self): raise self
def grade(sample, item):
    raise Odd"""
LONG = """def grade(sample, item):
    raise ValueError('x' * 1_000_000)"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the processes have their directories."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def graders() -> Iterator[PythonGraders]:
    with PythonGraders(PythonLimits()) as made:
        yield made


def failure(graders: PythonGraders, source: str, sample: str = "x", **item: Any) -> str:
    with pytest.raises(PythonGraderError) as caught:
        graders.grade(source, sample, item)
    assert caught.value.server_error_type is None
    return str(caught.value)


def returning(expression: str) -> str:
    return f"def grade(sample, item):\n    return {expression}"


@pytest.mark.parametrize(
    ("source", "reward"),
    [
        (LENGTH, 0.75),
        (returning("0"), 0.0),
        (returning("-2.5"), -2.5),
        (returning("__import__('fractions').Fraction(1, 4)"), 0.25),
        (returning("sample['output_json']['n']"), 7.0),
        (returning("float(sample['output_tools'] == [] and sample['output_audio'] is None)"), 1.0),
        (returning("len(sample['choices'][0]['message']['content'])"), 9.0),
        (
            "from math import *\nclass grade:\n    def __new__(cls, s, i): return e",
            2.718281828459045,
        ),
    ],
)
def test_grade__returns_the_number(graders: PythonGraders, source: str, reward: float) -> None:
    assert graders.grade(source, '{"n": 7} ', {"whole": 12}) == reward


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (returning("'0.5'"), "grade returned a str, not a number."),
        (returning("None"), "grade returned a NoneType, not a number."),
        (returning("True"), "grade returned a bool, not a number."),
        (returning("float('nan')"), "grade returned nan, not a finite number."),
        (returning("float('-inf')"), "grade returned -inf, not a finite number."),
        (returning("10 ** 400"), "OverflowError: int too large to convert to float"),
        (returning("item['no']"), "KeyError: 'no' (line 2 of the source)"),
        (returning("exit(3)"), "SystemExit: 3 (line 2 of the source)"),
        ("async " + returning("1"), "grade returned a coroutine, not a number."),
        ("x = 1", "The source defines no function 'grade(sample, item)'."),
        ("grade = 1", "The source defines no function 'grade(sample, item)'."),
        ("\n1 / 0", "ZeroDivisionError: division by zero (line 2 of the source)"),
        (ODD, "Odd (line 4 of the source)"),
        (LONG, f"ValueError: {'x' * 1988} ... (line 2 of the source)"),
    ],
)
def test_grade__errors_of_the_code(graders: PythonGraders, source: str, message: str) -> None:
    assert [failure(graders, source) for _ in range(2)] == [message] * 2


def test_grade__syntax_error(graders: PythonGraders) -> None:
    found = failure(graders, "def grade(sample, item)\n    return 1")
    assert found.startswith("SyntaxError: ")
    assert found.endswith("(<grader>, line 1)")


def test_grade__one_process_serves_many_calls(graders: PythonGraders) -> None:
    """What the source has set up stays, as in a module."""
    source = "calls = []\ndef grade(sample, item):\n    calls.append(1)\n    return len(calls)"
    assert [graders.grade(source, "x", {}) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert graders.grade(f"{source}  # another", "x", {}) == 1.0


def test_grade__large_samples_and_items(graders: PythonGraders) -> None:
    text = "é\n\ud800\0" * 300_000
    source = returning("float(sample['output_text'] == item['text'])")
    assert graders.grade(source, text, {"text": text}) == 1.0


def test_grade__an_item_that_is_nested_too_deep(graders: PythonGraders) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert failure(graders, LENGTH, deep=deep) == "The sample or the item is nested too deep."
    assert graders.grade(LENGTH, "abc", {"whole": 4}) == 0.75


def test_grade__what_hangs_is_killed_and_the_next_call_is_answered() -> None:
    with PythonGraders(PythonLimits(seconds=2.5)) as graders:
        assert failure(graders, HANGS, "hang") == "It took longer than 2.5 seconds."
        assert graders.grade(HANGS, "other", {}) == 1.0


@posix
def test_grade__an_endless_loop_is_ended_by_the_limit_of_the_processor() -> None:
    source = "def grade(sample, item):\n    while item['loop']: pass\n    return 1"
    with PythonGraders(PythonLimits(seconds=55.0, cpu_seconds=0.1)) as graders:
        assert failure(graders, source, loop=1) == "It computed for longer than 0.1 seconds."
        # Each call has its own time.
        assert [graders.grade(source, "x", {"loop": 0}) for _ in range(3)] == [1.0] * 3


@posix
def test_grade__the_processor_is_limited_where_c_code_keeps_all_threads_waiting() -> None:
    source = returning("len(__import__('re').match('(a+)+$', 'a' * 60 + 'b'))")
    with PythonGraders(PythonLimits(seconds=55.0, cpu_seconds=0.1)) as graders:
        assert failure(graders, source) == "It computed for longer than 0.1 seconds."


@linux
def test_grade__memory_is_limited(graders: PythonGraders) -> None:
    source = "kept = []\ndef grade(sample, item):\n    kept.append(bytearray(item['size']))\n    return len(kept)"
    with PythonGraders(PythonLimits(memory_bytes=400_000_000)) as small:
        assert small.grade(source, "x", {"size": 1000}) == 1.0
        assert failure(small, source, size=600_000_000) == "MemoryError (line 3 of the source)"
        # What was kept has gone with the process.
        assert small.grade(source, "x", {"size": 1000}) == 1.0
    assert graders.grade(source, "x", {"size": 600_000_000}) == 1.0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os._exit(3)", "It ended its process (exit status 3)."),
        pytest.param(
            "os.kill(os.getpid(), 11)", "Its process was killed by signal 11.", marks=posix
        ),
        pytest.param(
            "os.kill(os.getpid(), 9)",
            "Its process was killed by signal 9; the system does so when memory is short.",
            marks=posix,
        ),
    ],
)
def test_grade__a_process_that_ends_is_an_error_of_that_sample(
    graders: PythonGraders, code: str, message: str
) -> None:
    source = f"import os\ndef grade(sample, item):\n    if item['bad']: {code}\n    return 1"
    assert failure(graders, source, bad=1) == message
    assert graders.grade(source, "x", {"bad": 0}) == 1.0


@pytest.mark.parametrize(
    "forged", ["{}", '{"reward": NaN}', '{"reward": "1"}', "[" * 50_000, "[NaN]"]
)
@linux
def test_grade__an_answer_that_the_grader_forges_is_none(
    graders: PythonGraders, forged: str
) -> None:
    source = (
        "import os\n"
        "def grade(sample, item):\n"
        "    os.write(4, item['forged'].encode() + b'\\n')\n"
        "    os._exit(0)"
    )
    assert failure(graders, source, forged=forged) == "Its process wrote what is not an answer."


def test_grade__what_it_prints_goes_nowhere(
    graders: PythonGraders, capfd: pytest.CaptureFixture[str]
) -> None:
    source = (
        "import os, sys\n"
        "def grade(sample, item):\n"
        "    print('x' * 20_000_000)\n"
        "    print('x' * 20_000_000, file=sys.stderr)\n"
        "    os.write(1, b'{\"reward\": 5}\\n')\n"
        "    return len(sys.stdin.read())"
    )
    assert graders.grade(source, "x", {}) == 0.0
    assert capfd.readouterr() == ("", "")


@posix
def test_grade__a_fork_that_returns_does_not_answer_too(graders: PythonGraders) -> None:
    source = "import os\ndef grade(sample, item):\n    return item['n'] + 100 * (os.fork() == 0)"
    assert [graders.grade(source, "x", {"n": n}) for n in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]


@posix
def test_grade__is_in_time_even_if_another_process_holds_the_pipes(directory: Path) -> None:
    source = (
        "import os, time\n"
        "def grade(sample, item):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        time.sleep(15)\n"
        "        os._exit(0)\n"
        "    time.sleep(100)"
    )
    with PythonGraders(PythonLimits(seconds=2.0)) as graders:
        start = time.monotonic()
        assert failure(graders, source) == "It took longer than 2 seconds."
        assert time.monotonic() - start < 12


@posix
def test_close__ends_what_the_grader_has_started(directory: Path, tmp_path: Path) -> None:
    source = (
        "import pathlib, subprocess, sys\n"
        "def grade(sample, item):\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(50)'])\n"
        "    pathlib.Path('made').touch()\n"
        "    return child.pid"
    )
    with PythonGraders(PythonLimits()) as graders:
        child = int(graders.grade(source, "x", {}))
        [own] = directory.iterdir()
        assert [path.name for path in own.iterdir()] == ["made"]
        assert is_running(child)
    wait_until_ended(child)
    assert list(directory.iterdir()) == []


def test_close__ends_a_call_that_is_under_way() -> None:
    graders = PythonGraders(PythonLimits())
    graders.grade(HANGS, "", {})
    timer = threading.Timer(0.3, graders.close)
    timer.start()
    start = time.monotonic()
    with pytest.raises(PythonGraderError) as caught:
        graders.grade(HANGS, "hang", {})
    timer.join()
    assert time.monotonic() - start < 20
    assert caught.value.server_error_type == "closed"
    with pytest.raises(PythonGraderError, match="The grading was ended") as caught:
        graders.grade(HANGS, "", {})
    assert caught.value.server_error_type == "closed"
    graders.close()


def test_load__runs_the_source_alone(graders: PythonGraders) -> None:
    graders.load("print(1)\n" + returning("1 / 0"))
    with pytest.raises(PythonGraderError, match="ModuleNotFoundError: No module named 'no_such'"):
        graders.load("import no_such")


def test_grade__an_interpreter_that_does_not_start(
    graders: PythonGraders, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(directory / "python"))
    with pytest.raises(PythonGraderError, match="could not be started: ") as caught:
        graders.grade(LENGTH, "x", {"whole": 1})
    assert caught.value.server_error_type == "process_not_started"
    assert list(directory.iterdir()) == []


@posix
def test_grade__an_interpreter_that_ends_at_once(
    graders: PythonGraders, tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(PythonGraderError) as caught:
        graders.grade(LENGTH, "x", {"whole": 1})
    assert str(caught.value) == (
        "The process for the grader could not be started: the interpreter did not answer."
    )
    assert list(directory.iterdir()) == []
