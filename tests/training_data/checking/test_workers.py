from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import RequestError
from finetune_client.providers.training_rules import TrainingRules
from finetune_client.training_data import Report, check
from finetune_client.training_data.checking import workers as processes
from finetune_client.training_data.checking.counts import FileCounts
from finetune_client.training_data.checking.lines import CheckSettings
from finetune_client.training_data.checking.workers import Job, WorkersFailedError, jobs_for
from finetune_client.training_data.tokens import resolve_counter
from tests.support.example_lines import BAD_LINES, GOOD_LINES, good_lines
from tests.support.spawned import checked, in_processes

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = CheckSettings(
    format="chat",
    given_method=None,
    rules=TrainingRules(),
    counter=resolve_counter(None),
    max_line_bytes=1 << 20,
)


@pytest.mark.parametrize("workers", [2, 3])
def test_check__with_several_processes_is_the_same(workers: int, tmp_path: Path) -> None:
    known = [case.line for case in (*BAD_LINES, *GOOD_LINES) if len(case.line) < 100_000]
    path, other = tmp_path / "train.jsonl", tmp_path / "valid.jsonl"
    path.write_bytes(b"\n".join([*good_lines("chat", 300), *known * 3, *good_lines("chat", 300)]))
    other.write_bytes(b"\n".join(good_lines("chat", 200)))
    said: list[tuple[int, int]] = []
    alone = check(path, validation=other, workers=1, count_tokens=len)
    together = check(
        path,
        validation=other,
        workers=workers,
        count_tokens=len,
        progress=lambda *numbers: said.append(numbers),
    )
    assert together == alone
    assert said[-1] == (path.stat().st_size,) * 2
    assert together.statistics["leaks"] >= 400


def test_check__in_processes_that_multiprocessing_spawned_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join([*good_lines("chat", 100), b"{"]))
    alone = checked(path, 1)
    assert alone[2] == ["invalid_json"]
    assert in_processes(checked, (path, 2), (path, 3)) == [alone, alone]


def test_check__what_cannot_be_sent_to_a_process_is_done_here(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat")))
    report = check(path, workers=2, count_tokens=lambda text: len(text))  # noqa: PLW0108 - a closure
    assert report == check(path, workers=1, count_tokens=report_length(report))


def report_length(report: Report) -> Any:
    """Make a counter with the label of a report's."""

    def count(text: str) -> int:
        return len(text)

    count.__qualname__ = report.statistics["tokens_counted_by"]
    return count


def refusing(text: str) -> int:
    raise LookupError(text)


def test_check__what_count_tokens_raises_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat")))
    for workers in (1, 2):
        with pytest.raises(LookupError):
            check(path, workers=workers, count_tokens=refusing)
    with pytest.raises(RequestError, match="must return a whole number"):
        check(path, count_tokens=lambda text: -1)


@pytest.mark.parametrize("number", range(1, 12))
def test_jobs_for__parts_begin_with_lines_and_leave_nothing_out(
    number: int, tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    content = b"\n".join([b"a" * (7 * n) for n in range(12)])
    path.write_bytes(content)
    jobs = jobs_for(str(path), len(content), SETTINGS, number)
    parts = [content[job.start : job.stop] for job in jobs]
    assert b"".join(parts) == content
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert len(jobs) <= number


def test_number_of_workers__grows_with_the_file() -> None:
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    assert processes.number_of_workers(60_000_000, exact=False) == 1
    assert processes.number_of_workers(60_000_000, exact=True) == min(4, processors)
    assert processes.number_of_workers(10**9, exact=False) == min(4, processors)


def test_run__a_process_that_fails(tmp_path: Path) -> None:
    missing = Job(
        path=str(tmp_path / "no.jsonl"), start=0, stop=1, settings=SETTINGS, max_line_bytes=1 << 20
    )
    with pytest.raises(WorkersFailedError, match="did not finish"):
        processes.run([missing], lambda done: None)


def test_run__a_python_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat")))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert check(path, workers=2).ok


def test_run__imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat")))
    (tmp_path / "dataclasses.py").write_text("raise SystemExit", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (job,) = jobs_for(str(path), path.stat().st_size, SETTINGS, 1)
    (counts,) = processes.run([job], lambda done: None)
    assert isinstance(counts, FileCounts)
    assert counts.examples == 10


def test_work__in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(good_lines("chat")))
    monkeypatch.setattr(processes, "REPORT_EVERY", 1)
    said: list[int] = []
    size = path.stat().st_size
    job = Job(path=str(path), start=0, stop=size, settings=SETTINGS, max_line_bytes=1 << 20)
    counts = processes.work(job, said.append)
    assert isinstance(counts, FileCounts)
    assert (counts.examples, said[-1]) == (10, size)
    copy = pickle.loads(pickle.dumps(counts))
    assert list(copy.problems) == list(counts.problems)


def test_check__a_script_without_a_guard_is_run_once(tmp_path: Path) -> None:
    path, script = tmp_path / "train.jsonl", tmp_path / "script.py"
    path.write_bytes(b"\n".join(good_lines("chat")))
    script.write_text(
        "from finetune_client.training_data import check\n"
        "def count(text):\n    print('counted')\n    return len(text)\n"
        f"print('ran', check({str(path)!r}, workers=2).ok)\n"
        f"print(check({str(path)!r}, workers=2, count_tokens=len).statistics['tokens']['max'])\n",
        encoding="utf-8",
    )
    ran = subprocess.run(  # our own script
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=50
    )
    assert ran.stdout.splitlines() == ["ran True", "27"]
