from __future__ import annotations

from typing import Any, TypedDict, get_type_hints

from finetune_client.backports import Self, Unpack


class Options(TypedDict, total=False):
    limit: int


class Chain:
    def add(self, **options: Unpack[Options]) -> Self:
        return self


def test_annotations__with_a_stand_in_can_be_read() -> None:
    hints: dict[str, Any] = get_type_hints(Chain.add)
    assert hints == {"options": Unpack[Options], "return": Self}
