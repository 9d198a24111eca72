from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from tests.support.mutated_answers import Fuzz, calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("seed", range(4))
def test_broken_answers__end_in_documented_errors_alone(seed: int) -> None:
    fuzz = Fuzz(seed)
    ends = fuzz.run(150)
    assert fuzz.failures == []
    assert ends["a result"]
    assert ends["APIResponseError"]


def test_broken_answers__are_given_to_every_call(tmp_path: Path) -> None:
    with Client("sk-1", base_url="https://api.openai.com/v1") as client:
        made = calls(client, client, tmp_path)
        assert {*_public_calls(client)} == {name for name in made if "." in name}
        assert {name for name in made if "." not in name} == {"request", "raw"}


def _public_calls(client: Client) -> Iterator[str]:
    """Yield what can be called of a client and reads an answer, as it is written after `client.`."""
    places: list[tuple[str, Any]] = [
        (name, getattr(client, name))
        for name in ("jobs", "files", "uploads", "checkpoints", "graders", "models", "chat")
    ]
    while places:
        path, place = places.pop()
        for name in dir(place):
            found = None if name.startswith(("_", "with_")) else getattr(place, name)
            if inspect.ismethod(found):
                yield f"{path}.{name}"
            elif type(found).__module__.startswith("finetune_client.resources"):
                places.append((f"{path}.{name}", found))
