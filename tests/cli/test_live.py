from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from finetune_client.cli.live import LiveTerminal
from finetune_client.metrics import Metrics
from finetune_client.models import FineTuningJob, FineTuningJobEvent


def terminal(encoding: str = "utf-8", width: int = 90) -> tuple[LiveTerminal, io.BytesIO]:
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    console = Console(file=text, force_terminal=True, width=width, highlight=False)
    return LiveTerminal(console), raw


def event(step: int) -> FineTuningJobEvent:
    data = {"step": step, "total_steps": 10, "train_loss": 5.0 - step / 10}
    return FineTuningJobEvent(id=f"e-{step}", message="m", type="metrics", data=data)


def test_training__a_bar_over_the_steps_and_lines_above_it() -> None:
    out, raw = terminal()
    with out.training():
        out.event(FineTuningJobEvent(id="e", level="info", message="Job started"))
        out.event(event(7))
    shown = raw.getvalue().decode()
    assert "info: Job started" in shown
    assert "7/10" in shown
    assert "train_loss 4.3000" in shown


def test_uploading__a_bar_over_the_bytes() -> None:
    out, raw = terminal()
    with out.uploading(Path("train.jsonl")) as progress:
        progress(500, 1000)
    shown = raw.getvalue().decode()
    assert "uploading train.jsonl" in shown
    assert "/1.0 kB" in shown


def test_curve__is_drawn_in_braille() -> None:
    out, raw = terminal()
    out.curve(Metrics.from_events([event(1), event(10)]))
    shown = raw.getvalue().decode()
    assert any("\u2801" <= mark <= "\u28ff" for mark in shown)
    assert "train_loss: 4.9000 at step 1, 4.0000 at step 10" in shown


def test_curve__without_braille_is_said_in_lines() -> None:
    out, raw = terminal(encoding="ascii")
    out.curve(Metrics.from_events([event(1), event(10)]))
    assert raw.getvalue().decode() == "train_loss: 4.9000 at step 1, 4.0000 at step 10\n"


@pytest.mark.parametrize("hostile", ["[bold]x[/bold]", "[/]", "\x1b[2J"])
def test_line__what_a_server_says_is_text_not_markup(hostile: str) -> None:
    out, raw = terminal()
    out.event(FineTuningJobEvent(id="e", level="info", message=hostile))
    shown = raw.getvalue().decode()
    assert "\x1b[2J" not in shown
    if "\x1b" not in hostile:
        assert hostile in shown


def test_curve__fits_the_terminal_or_is_said_in_lines() -> None:
    for width in (30, 40, 60, 200):
        out, raw = terminal(width=width)
        out.curve(Metrics.from_events([event(1), event(10)]))
        lines = [
            re.sub(r"\x1b\[[0-9;]*m", "", line) for line in raw.getvalue().decode().split("\n")
        ]
        drawn = [line for line in lines if "|" in line]
        assert all(len(line) <= width for line in drawn)
        assert bool(drawn) == (width >= 40)


@pytest.mark.parametrize("values", [(-1e308, 1e308), (5e-324, 0.0), (1e300, 1.7e308)])
def test_curve__bears_the_largest_and_smallest_numbers(values: tuple[float, float]) -> None:
    out, raw = terminal()
    out.curve(Metrics(rows=[{"step": n, "loss": value} for n, value in enumerate(values)]))
    assert "loss: " in raw.getvalue().decode()


def test_ended__does_not_break_a_name_that_is_longer_than_the_terminal_is_wide() -> None:
    out, raw = terminal(width=20)
    name = "ft:gpt-4o-mini-2024-07-18:an-org:a-suffix:1"
    out.ended(FineTuningJob(id="ftjob-1", fine_tuned_model=name), "m.csv")
    assert name in raw.getvalue().decode()


def test_ended__names_the_model() -> None:
    out, raw = terminal()
    out.ended(FineTuningJob(id="ftjob-1", fine_tuned_model="ft:m:o::1"), "m.csv")
    shown = raw.getvalue().decode()
    assert "Metrics: m.csv" in shown
    assert "ft:m:o::1" in shown
