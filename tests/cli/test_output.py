from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from finetune_client.cli.live import LiveTerminal
from finetune_client.cli.output import reporter
from finetune_client.cli.reporting import JsonLines, PlainLines

if TYPE_CHECKING:
    from finetune_client.cli.reporting import Reporter


@pytest.mark.parametrize(
    ("terminal", "as_json", "kind"),
    [
        ("xterm", False, LiveTerminal),
        ("dumb", False, PlainLines),
        (None, False, PlainLines),
        ("xterm", True, JsonLines),
    ],
)
def test_reporter__fits_where_the_output_goes(
    monkeypatch: pytest.MonkeyPatch, terminal: str | None, as_json: bool, kind: type[Reporter]
) -> None:
    monkeypatch.setenv("TERM", terminal or "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal is not None)
    assert type(reporter(as_json=as_json)) is kind
