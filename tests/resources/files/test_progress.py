from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from finetune_client.resources.files.progress import open_progress

if TYPE_CHECKING:
    import pytest


class Handle:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.lines.append(data["text/plain"])


def _notebook(monkeypatch: pytest.MonkeyPatch, shell: Any) -> Handle:
    """Put a stand-in for IPython, which is not installed here, in its place."""
    handle = Handle()

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert display_id
        handle.update(data, raw=raw)
        return handle

    ipython, shown = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]  # a stand-in
    shown.display = display  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return handle


def test_bar__in_a_notebook_is_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = _notebook(monkeypatch, SimpleNamespace(kernel=object()))
    with open_progress(True, "train.jsonl") as on_progress:
        for done in range(0, 1_000_001, 1000):
            on_progress(done, 1_000_000)
    assert len(handle.lines) == 102
    assert handle.lines[0] == "train.jsonl " + "░" * 30 + "   0 % of 0.0 MB"
    assert handle.lines[51] == "train.jsonl " + "█" * 15 + "░" * 15 + "  50 % of 1.0 MB"
    assert handle.lines[-1] == "train.jsonl " + "█" * 30 + " 100 % of 1.0 MB"


def test_bar__in_a_terminal_ipython_is_the_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = _notebook(monkeypatch, SimpleNamespace())
    with open_progress(True, "[bold]train.jsonl[/bold]") as on_progress:
        on_progress(5, 10)
        on_progress(10, 10)
    assert handle.lines == []
    assert "[bold]train.jsonl[/bold]" in capsys.readouterr().err


def test_no_bar__tells_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (None, False):
        with open_progress(progress, "train.jsonl") as on_progress:
            on_progress(1, 2)
    assert capsys.readouterr() == ("", "")
