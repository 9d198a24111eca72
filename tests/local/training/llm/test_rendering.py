from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("transformers")

from finetune_client.local.training.llm.conversations import LineError
from finetune_client.local.training.llm.rendering import NOT_TRAINED, Renderer, Row
from tests.local.training.llm.conftest import make_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"a": 1}'}}

FORGETFUL = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{{ m.content if m.role != 'assistant' or loop.last else '...' }}{{ '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Like Qwen3's: it takes thoughts out of all answers but the last."""


def trained_texts(rows: list[Row], tokenizer: Any) -> list[list[str]]:
    """The runs of trained tokens of each row, as text."""
    found = []
    for row in rows:
        runs: list[list[int]] = [[]]
        for label in row.labels:
            if label != NOT_TRAINED:
                runs[-1].append(label)
            elif runs[-1]:
                runs.append([])
        found.append([tokenizer.decode(run) for run in runs if run])
    return found


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def test_rows__train_the_assistants_messages_and_their_ends(tokenizer: Any) -> None:
    line = {
        "messages": [
            message("system", "Be brief."),
            message("user", "Hé?"),
            message("assistant", "Yes, ünder."),
            message("user", "And?"),
            message("assistant", "No."),
        ]
    }
    rows = Renderer(tokenizer).rows(line)
    assert trained_texts(rows, tokenizer) == [["Yes, ünder.<|im_end|>", "No.<|im_end|>"]]
    assert rows[0].trained == len("Yes, ünder.".encode()) + len("No.") + 2
    assert all(label in {token, NOT_TRAINED} for token, label in zip(*_parts(rows[0]), strict=True))


def _parts(row: Row) -> tuple[list[int], list[int]]:
    return row.tokens, row.labels


def test_rows__leave_out_messages_of_weight_0(tokenizer: Any) -> None:
    line = {
        "messages": [
            message("user", "a"),
            message("assistant", "wrong", weight=0),
            message("user", "b"),
            message("assistant", "right", weight=1),
        ]
    }
    rows = Renderer(tokenizer).rows(line)
    assert trained_texts(rows, tokenizer) == [["right<|im_end|>"]]
    assert "wrong" in tokenizer.decode(rows[0].tokens)
    assert "weight" not in tokenizer.decode(rows[0].tokens)


def test_rows__show_tools_and_train_their_calls(tokenizer: Any) -> None:
    line = {
        "tools": TOOLS,
        "messages": [
            message("developer", "Use tools."),
            message("user", "a"),
            message("assistant", None, tool_calls=[CALL]),
            message("tool", "2", tool_call_id="1"),
            message(
                "assistant", [{"type": "text", "text": "It is "}, {"type": "text", "text": "2"}]
            ),
        ],
    }
    rows = Renderer(tokenizer).rows(line)
    assert trained_texts(rows, tokenizer) == [
        ['{"name": "look_up", "arguments": {"a": 1}}<|im_end|>', "It is 2<|im_end|>"]
    ]
    text = tokenizer.decode(rows[0].tokens)
    assert "<|im_start|>tools" in text
    assert "<|im_start|>system\nUse tools." in text


def test_rows__take_functions_of_the_older_kind(tokenizer: Any) -> None:
    line = {
        "functions": [TOOLS[0]["function"]],
        "messages": [
            message("user", "a"),
            message("assistant", None, function_call={"name": "look_up", "arguments": "not json"}),
            message("function", "2", name="look_up"),
            message("assistant", None, refusal="I will not."),
        ],
    }
    rows = Renderer(tokenizer).rows(line)
    assert trained_texts(rows, tokenizer) == [
        ['{"name": "look_up", "arguments": "not json"}<|im_end|>', "I will not.<|im_end|>"]
    ]


def test_rows__one_for_each_answer_where_a_template_rewrites_earlier_ones() -> None:
    tokenizer = make_tokenizer(FORGETFUL)
    line = {
        "messages": [
            message("user", "a"),
            message("assistant", "one"),
            message("user", "b"),
            message("assistant", "two"),
        ]
    }
    rows = Renderer(tokenizer).rows(line)
    assert trained_texts(rows, tokenizer) == [["one<|im_end|>"], ["two<|im_end|>"]]
    assert "assistant\n...<|im_end|>" in tokenizer.decode(rows[1].tokens)


def test_rows__of_a_completion_end_with_the_end_of_the_text(tokenizer: Any) -> None:
    rows = Renderer(tokenizer).rows({"prompt": "1 + 1 =", "completion": " 2"})
    assert trained_texts(rows, tokenizer) == [[" 2<|im_end|>"]]
    assert tokenizer.decode(rows[0].tokens) == "1 + 1 = 2<|im_end|>"


def test_rows__that_begin_with_the_assistant(tokenizer: Any) -> None:
    line = {"messages": [message("assistant", "Welcome."), message("user", "Hi.")]}
    rows = Renderer(tokenizer).rows(line)
    assert trained_texts(rows, tokenizer) == [["Welcome.<|im_end|>"]]


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
REFUSED: Mapping[str, tuple[str | None, dict[str, Any], str]] = {
    "an image": (
        None,
        {"messages": [message("user", [IMAGE]), message("assistant", "A dog.")]},
        (
            "Message 1 has a part of type 'image_url', but models are trained on text alone here. "
            "Remove the part, or describe it in words."
        ),
    ),
    "a template without tools": (
        FORGETFUL,
        {"tools": TOOLS, "messages": [message("user", "a"), message("assistant", "b")]},
        (
            "The model's chat template does not show the function 'look_up'; choose a model whose "
            "template knows tools."
        ),
    ),
    "a template that complains": (
        "{{ raise_exception('Roles must alternate') }}",
        {"messages": [message("user", "a"), message("assistant", "b")]},
        "The model's chat template cannot render it: Roles must alternate.",
    ),
    "a template that looks for what is not there": (
        "{{ 'a'.index('b') }}",
        {"messages": [message("user", "a"), message("assistant", "b")]},
        "The model's chat template cannot render it: substring not found.",
    ),
    "a template that adds a number to a text": (
        "{{ messages[0].content + 1 }}",
        {"messages": [message("user", "a"), message("assistant", "b")]},
        (
            "The model's chat template cannot render it: "
            'can only concatenate str (not "int") to str.'
        ),
    ),
    "a template with an encoding that is unknown": (
        "{{ 'a'.encode('none') }}",
        {"messages": [message("user", "a"), message("assistant", "b")]},
        "The model's chat template cannot render it: unknown encoding: none.",
    ),
    "a template that leaves the assistant's messages out": (
        (
            "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
            "{{ '!' if add_generation_prompt }}"
        ),
        {"messages": [message("user", "a"), message("assistant", "b")]},
        "The model's chat template renders nothing for message 2.",
    ),
    "an empty beginning of the assistant's": (
        None,
        {"messages": [message("assistant", ""), message("user", "a")]},
        "It begins with the assistant's message, and no text shows where that is.",
    ),
    "a beginning of the assistant's that is shown in capitals": (
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        {"messages": [message("assistant", "Welcome."), message("user", "a")]},
        "It begins with the assistant's message, and no text shows where that is.",
    ),
    "an empty answer": (
        "{% for m in messages %}{{ m.content }}{% endfor %}",
        {"messages": [message("user", "a"), message("assistant", "")]},
        "The model's chat template renders nothing for message 2.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rows__that_cannot_be_rendered(case: str) -> None:
    template, line, expected = REFUSED[case]
    tokenizer = make_tokenizer() if template is None else make_tokenizer(template)
    with pytest.raises(LineError) as caught:
        Renderer(tokenizer).rows(line)
    assert str(caught.value) == expected


def test_pair__has_one_prompt_and_both_answers(tokenizer: Any) -> None:
    line = {
        "input": {"messages": [message("user", "Is 2 even?")], "tools": TOOLS},
        "preferred_output": [message("assistant", "yes")],
        "non_preferred_output": [message("assistant", "yellow")],
    }
    pair = Renderer(tokenizer).pair(line)
    assert tokenizer.decode(pair.prompt).endswith("Is 2 even?<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.decode(pair.chosen) == "yes<|im_end|>"
    assert tokenizer.decode(pair.rejected) == "yellow<|im_end|>"


def test_pair__where_no_text_stands_before_an_answer() -> None:
    tokenizer = make_tokenizer(
        "{% for m in messages %}{{ m.content }}{{ '\n' if loop.last else ' ' }}{% endfor %}"
    )
    pair = Renderer(tokenizer).pair(pair_of("yes", "no"))
    texts = [tokenizer.decode(tokens) for tokens in (pair.prompt, pair.chosen, pair.rejected)]
    assert texts == ["Is 2 even?", " yes\n", " no\n"]


def pair_of(preferred: str, other: str, **more: Any) -> dict[str, Any]:
    return {
        "input": {"messages": [message("user", "Is 2 even?")]},
        "preferred_output": [message("assistant", preferred, **more)],
        "non_preferred_output": [message("assistant", other)],
    }


@pytest.mark.parametrize(
    ("template", "line", "expected"),
    [
        (
            "{% for m in messages | reverse %}{{ m.content }} {% endfor %}",
            pair_of("yes", "no"),
            "The model's chat template does not render the input as a beginning.",
        ),
        (
            "{% for m in messages %}{{ m.content }}{% endfor %}",
            pair_of("yes", ""),
            "The model's chat template renders nothing for one of the outputs.",
        ),
        (
            FORGETFUL,
            pair_of("yes", "no", tool_calls=[CALL]),
            (
                "The model's chat template does not show the function 'look_up'; choose a model "
                "whose template knows tools."
            ),
        ),
    ],
)
def test_pair__that_cannot_be_rendered(template: str, line: dict[str, Any], expected: str) -> None:
    with pytest.raises(LineError) as caught:
        Renderer(make_tokenizer(template)).pair(line)
    assert str(caught.value) == expected


def test_prompt__whose_tools_are_not_shown() -> None:
    line = {"tools": TOOLS, "messages": [message("user", "a")]}
    with pytest.raises(LineError, match="does not show the function 'look_up'"):
        Renderer(make_tokenizer(FORGETFUL)).prompt(line)


def test_prompt__ends_where_the_model_begins(tokenizer: Any) -> None:
    line = {"messages": [message("user", "Why?")], "answer": "Because."}
    assert Renderer(tokenizer).prompt(line) == (
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_not_trained__is_what_torch_leaves_out() -> None:
    torch = pytest.importorskip("torch")
    assert torch.nn.CrossEntropyLoss().ignore_index == NOT_TRAINED
