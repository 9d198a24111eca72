"""Watching a job, in a notebook and outside of one."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client, FineTuningJob, FineTuningJobEvent
from finetune_client.clock import SYSTEM_CLOCK
from finetune_client.resources.jobs.watching import JobView

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = (
    '{"messages": [{"role": "user", "content": "%d?"}, {"role": "assistant", "content": "%d"}]}\n'
)


class Cell:
    """What IPython's display shows, as a notebook would."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.interrupt_at = 0

    def show(self, picture: Any, **_: object) -> Cell:
        self.pages.append(picture.data)
        if len(self.pages) == self.interrupt_at:
            raise KeyboardInterrupt
        return self

    update = show


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A stand-in for IPython, which tells that this is a notebook."""
    cell = Cell()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.HTML = lambda data: SimpleNamespace(data=data)  # type: ignore[attr-defined]
    display.display = cell.show  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return cell


@pytest.fixture
def client() -> Iterator[Client]:
    with Client.local() as client:
        yield client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(ROWS % (n, n) for n in range(12)), encoding="utf-8")
    return path


def test_watch__draws_one_cell(client: Client, file: Path, cell: Cell) -> None:
    made = client.jobs.create(model="tiny", training_file=file)
    job = client.jobs.watch(made.id, poll_interval=0.05)
    assert job.is_succeeded
    last = cell.pages[-1]
    assert f"<td>{job.id}</td><td>succeeded</td><td>tiny</td><td>96 of 96</td>" in last
    assert str(job.fine_tuned_model) in last
    assert "<svg" in last
    assert "progressbar" not in last


def test_watch__interrupting_the_cell_leaves_the_job_alone(file: Path, cell: Cell) -> None:
    cell.interrupt_at = 1
    with Client.local(step_seconds=60) as client:
        made = client.jobs.create(model="tiny", training_file=file)
        job = client.jobs.watch(made.id, poll_interval=0.05)
        assert not job.is_terminal
        assert (
            f"no longer watched; see client.jobs.retrieve(&#x27;{made.id}&#x27;)" in cell.pages[-1]
        )
        assert not client.jobs.retrieve(made.id).is_terminal


def test_watch__writes_plain_lines_outside(
    client: Client, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = client.jobs.create(model="tiny", training_file=file)
    job = client.jobs.watch(made.id, poll_interval=0.05)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{job.id}: succeeded"
    steps = [line for line in lines if re.match(r"Step \d+/96", line)]
    assert 10 < len(steps) < 30


def test_watch__ctrl_c_outside_is_ctrl_c(
    client: Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = client.jobs.create(model="tiny", training_file=file)

    def stop(text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stdout, "write", stop)
    with pytest.raises(KeyboardInterrupt, match="Nothing was cancelled"):
        client.jobs.watch(made.id)


def step(number: int, seconds: int) -> FineTuningJobEvent:
    data = {"step": number, "total_steps": 10, "train_loss": 1.0}
    return FineTuningJobEvent.from_dict(
        {"type": "metrics", "data": data, "created_at": 1000 + seconds, "message": f"Step {number}"}
    )


def view_at(now: float) -> JobView:
    view = JobView(replace(SYSTEM_CLOCK, now=lambda: now), notebook=True)
    view.job = FineTuningJob.from_dict(
        {"id": "ftjob-1", "status": "running", "estimated_finish": 5000}
    )
    return view


def test_view__tells_the_time_left_by_the_speed_so_far() -> None:
    view = view_at(1100.0)
    view.add(step(2, 0))
    view.add(step(4, 60))
    assert view.seconds_left() == 180.0
    page = view.to_html()
    assert "<td>4 of 10</td><td>about 3 min 0 s</td>" in page
    assert 'aria-valuenow="4" aria-valuemax="10"' in page
    assert '<div style="width:40.0%;' in page


def test_view__takes_the_servers_word_without_steps() -> None:
    assert view_at(1400.0).seconds_left() == 3600.0
    assert "<td>about 1 h 0 min</td>" in view_at(1400.0).to_html()
    assert view_at(6000.0).seconds_left() == 0.0


def test_view__escapes_what_the_server_says() -> None:
    view = view_at(0.0)
    view.add(FineTuningJobEvent.from_dict({"message": "<script>", "type": "message"}))
    assert "<div>&lt;script&gt;</div>" in view.to_html()
