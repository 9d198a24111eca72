from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.cli.curve import draw, summarise

if TYPE_CHECKING:
    import pytest


def test_summarise__says_first_and_last() -> None:
    series = {"train_loss": [(1, 5.5), (2, 4.25)], "valid_loss": []}
    assert summarise(series) == ["train_loss: 5.5000 at step 1, 4.2500 at step 2"]


def test_draw__has_axes_legend_and_dots() -> None:
    text = draw(
        {"train_loss": [(1, 5.0), (50, 2.0)], "valid_loss": [(50, 3.0)]}, width=60, colour=False
    )
    assert "(step)" in text
    assert "train_loss" in text
    assert "valid_loss" in text
    assert any("\u2801" <= mark <= "\u28ff" for mark in text)


def test_draw__one_point_is_enough() -> None:
    assert "train_loss" in draw({"train_loss": [(3, 1.0)]}, width=60, colour=False)


def test_draw__without_colour_has_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in draw({"train_loss": [(1, 5.0), (2, 2.0)]}, width=60, colour=False)
    assert "\x1b" in draw({"train_loss": [(1, 5.0), (2, 2.0)]}, width=60, colour=True)
