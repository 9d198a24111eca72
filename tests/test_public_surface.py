"""The checked-in text of all public names is current, so that a change of them shows in review."""

from __future__ import annotations

import finetune_client
from tests.support.public_surface import SURFACE, public_surface


def test_surface__is_current() -> None:
    """``python -m tests.support.public_surface`` writes it anew."""
    assert public_surface() == SURFACE.read_text(encoding="utf-8")


def test_surface__names_what_the_root_exports() -> None:
    first = public_surface().partition("\n\n")[0]
    assert first.splitlines()[1:] == dir(finetune_client)
