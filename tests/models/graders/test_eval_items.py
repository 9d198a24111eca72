from __future__ import annotations

from typing import Any

import pytest

from finetune_client.models import (
    AudioData,
    EvalItem,
    InputAudio,
    InputImage,
    InputText,
    OutputText,
)


def test_eval_item__reads_every_kind_of_content() -> None:
    sent = {
        "type": "message",
        "role": "user",
        "content": [
            "bare text",
            {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "output_text", "text": "t"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
            {"type": "input_video", "video": 5},
            {"text": "no type"},
        ],
    }
    item = EvalItem.from_dict(sent)
    assert item.content == [
        "bare text",
        InputText(text="t", prompt_cache_breakpoint={"mode": "explicit"}),
        OutputText(text="t"),
        InputImage(image_url="https://example.com/a.png", detail="low"),
        InputAudio(input_audio=AudioData(data="QUJD", format="wav")),
        {"type": "input_video", "video": 5},
        {"text": "no type"},
    ]
    assert item.to_dict() == sent


@pytest.mark.parametrize("content", ["text", {"type": "input_text", "text": "t"}, []])
def test_eval_item__content_may_be_one_piece(content: Any) -> None:
    item = EvalItem.from_dict({"role": "user", "content": content})
    assert item.extra == {}
    assert item.to_dict() == {"role": "user", "content": content}


@pytest.mark.parametrize("content", [5, [5], [["text"]], [None]])
def test_eval_item__content_of_another_kind_stays(content: Any) -> None:
    item = EvalItem.from_dict({"content": content})
    assert (item.content, item.extra) == (None, {"content": content})
