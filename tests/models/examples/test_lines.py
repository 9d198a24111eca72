from __future__ import annotations

import json
from typing import Any

import pytest

from finetune_client.models import (
    ChatExample,
    ChatMessage,
    CompletionExample,
    FunctionCall,
    FunctionDefinition,
    ImagePart,
    ImageUrl,
    PreferenceExample,
    PreferenceInput,
    RefusalPart,
    ReinforcementExample,
    TextPart,
    Tool,
    ToolCall,
)

PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "s", "name": "host"},
        {"role": "developer", "content": [{"type": "text", "text": "d"}]},
        {"role": "user", "content": [{"type": "text", "text": "look"}, PICTURE]},
        {"role": "assistant", "tool_calls": [CALL], "weight": 0},
        {"role": "tool", "content": "42", "tool_call_id": "call_1"},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "weight": 1},
        {"role": "assistant", "refusal": "no", "audio": {"id": "audio_1"}},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
    ],
    "parallel_tool_calls": False,
    "functions": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
}


def test_chat__reads_messages_of_every_role() -> None:
    found = ChatExample.from_dict(CHAT)
    assert found.to_dict() == CHAT
    assert found == ChatExample(
        messages=[
            ChatMessage(role="system", content="s", name="host"),
            ChatMessage(role="developer", content=[TextPart(text="d")]),
            ChatMessage(
                role="user",
                content=[
                    TextPart(text="look"),
                    ImagePart(image_url=ImageUrl(url="https://example.com/a.png", detail="low")),
                ],
            ),
            ChatMessage(
                role="assistant",
                tool_calls=[ToolCall(id="call_1", function=FunctionCall(name="f", arguments="{}"))],
                weight=0,
            ),
            ChatMessage(role="tool", content="42", tool_call_id="call_1"),
            ChatMessage(role="assistant", function_call=FunctionCall(name="f", arguments="{}")),
            ChatMessage(role="function", name="f", content="42"),
            ChatMessage(role="assistant", content=[RefusalPart(refusal="no")], weight=1),
            ChatMessage(role="assistant", refusal="no", audio={"id": "audio_1"}),
        ],
        tools=[Tool(function=FunctionDefinition(name="f", parameters={}, strict=True))],
        parallel_tool_calls=False,
        functions=[FunctionDefinition(name="f", description="d", parameters={"type": "object"})],
    )


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
        {"role": "user", "content": [{"text": "no type"}]},
        {"role": "user", "content": 5},
        {"role": "user", "content": ["bare text"]},
        {"role": "user", "content": "x", "weight": True},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {}}]},
        {"role": "assistant", "tool_calls": "none"},
        {"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com"}]},
    ],
)
def test_chat__keeps_what_has_no_type_here(message: dict[str, Any]) -> None:
    sent = {"messages": [message], "later": 1}
    assert ChatExample.from_dict(sent).to_dict() == sent


def test_chat__with_one_message_that_is_none_keeps_them_all() -> None:
    sent = {"messages": [{"role": "user"}, "text"]}
    found = ChatExample.from_dict(sent)
    assert (found.messages, found.extra) == (None, sent)


def test_chat__short_messages_are_read_like_long_ones() -> None:
    short = ChatMessage.from_dict({"role": "user", "content": "hi"})
    assert short == ChatMessage(role="user", content="hi")
    assert short.extra == {}
    short.extra["new"] = 1
    assert ChatMessage.from_dict({"role": "user", "content": "hi"}).extra == {}


def test_completion() -> None:
    sent = {"prompt": "2 + 2 =", "completion": " 4"}
    found = CompletionExample.from_dict(sent)
    assert found == CompletionExample(prompt="2 + 2 =", completion=" 4")
    assert found.to_dict() == sent


MESSAGE = {"role": "assistant", "content": "yes"}
OTHER = {"role": "assistant", "content": "no"}
QUESTION = {"messages": [{"role": "user", "content": "?"}], "parallel_tool_calls": True}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("preferred_output", "non_preferred_output"),
        ("preferred_completion", "non_preferred_completion"),
        ("preferred_output", "non_preferred_completion"),
        ("preferred_completion", "non_preferred_output"),
    ],
)
def test_preference__is_given_back_under_the_keys_it_came_with(better: str, worse: str) -> None:
    sent = {"input": QUESTION, better: [MESSAGE], worse: [OTHER]}
    found = PreferenceExample.from_dict(sent)
    assert found.preferred_output == [ChatMessage(role="assistant", content="yes")]
    assert found.non_preferred_output == [ChatMessage(role="assistant", content="no")]
    assert found.extra == {}
    assert found.to_dict() == sent


@pytest.mark.parametrize(
    "sent",
    [
        {"preferred_output": [MESSAGE], "preferred_completion": [OTHER]},
        {"preferred_completion": "text"},
        {"preferred_completion": [5], "non_preferred_completion": [OTHER]},
        {"preferred_output": 5, "preferred_completion": [OTHER]},
    ],
)
def test_preference__loses_nothing_of_odd_lines(sent: dict[str, Any]) -> None:
    assert PreferenceExample.from_dict(sent).to_dict() == sent


def test_preference__reads_the_old_key_where_the_new_one_is_null() -> None:
    found = PreferenceExample.from_dict({"preferred_output": None, "preferred_completion": [OTHER]})
    assert found.to_dict() == {"preferred_completion": [OTHER]}


def test_preference__that_was_built_has_the_keys_of_today() -> None:
    built = PreferenceExample(
        input=PreferenceInput(messages=[ChatMessage(role="user", content="?")]),
        preferred_output=[ChatMessage(role="assistant", content="yes")],
        non_preferred_output=[ChatMessage(role="assistant", content="no")],
    )
    assert built.to_dict() == {
        "input": {"messages": [{"role": "user", "content": "?"}]},
        "preferred_output": [MESSAGE],
        "non_preferred_output": [OTHER],
    }


def test_reinforcement__keeps_its_free_keys() -> None:
    sent = {
        "messages": [{"role": "user", "content": "CCN(CC)CCC(=O)c1sc(N)nc1C"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "reference_answer": {"donor_bond_counts": 5, "acceptor_bond_counts": 7},
        "difficulty": 3,
    }
    found = ReinforcementExample.from_dict(sent)
    assert found.extra == {"reference_answer": sent["reference_answer"], "difficulty": 3}
    assert found.to_dict() == sent
    built = ReinforcementExample(
        messages=[ChatMessage(role="user", content="?")], extra={"answer": [1, None]}
    )
    assert json.dumps(built.to_dict()) == (
        '{"messages": [{"role": "user", "content": "?"}], "answer": [1, null]}'
    )
