"""Tokens and labels of examples: the model's chat template decides the text, offsets the labels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from finetune_client.local.training.llm.conversations import LineError, to_messages, to_tools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NOT_TRAINED", "Pair", "Renderer", "Row"]

NOT_TRAINED = -100
"""The label of a token that is not trained on, as in torch's cross entropy."""

_Message = dict[str, Any]
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence: its tokens, and for each the token itself or `NOT_TRAINED`."""

    tokens: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """How many tokens are trained on."""
        return sum(label != NOT_TRAINED for label in self.labels)


@dataclass(frozen=True, slots=True)
class Pair:
    """One prompt with two answers, as tokens."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


class Renderer:
    """Renders lines of training files for one model.

    Args:
        tokenizer: The model's tokenizer, of transformers; it must be a fast one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._specials = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}

    def rows(self, line: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a supervised example: one, unless the template rewrites earlier turns.

        Trained on are the assistant's messages whose ``weight`` is not 0, with the token that ends
        them, or the whole ``completion`` with the end of the text.

        Raises:
            LineError: The line cannot be rendered.
        """
        if "messages" not in line:
            prompt, completion = str(line.get("prompt", "")), str(line["completion"])
            text = prompt + completion + (self._tokenizer.eos_token or "")
            return [self._row(text, [(len(prompt), len(text))])]
        messages, tools = to_messages(line["messages"]), to_tools(line)
        trained = [
            position
            for position, message in enumerate(line["messages"])
            if message["role"] == "assistant" and message.get("weight") != 0
        ]
        text = self._render(messages, tools)
        _check_shown(text, messages, tools)
        spans = [self._span(text, messages, tools, position) for position in trained]
        if None not in spans:
            return [self._row(text, [span for span in spans if span is not None])]
        return [self._row_of_last(messages[: position + 1], tools) for position in trained]

    def pair(self, line: Mapping[str, Any]) -> Pair:
        """Return the prompt and the two answers of a line for ``dpo``.

        Raises:
            LineError: The line cannot be rendered.
        """
        given = line["input"]
        messages, tools = to_messages(given["messages"]), to_tools(given)
        prompt = self._render(messages, tools, generation=True)
        texts = []
        for name in ("preferred_output", "non_preferred_output"):
            older = name.replace("output", "completion")
            answer = to_messages(line.get(name, line.get(older)) or ())
            whole = self._render([*messages, *answer], tools)
            _check_shown(whole, [*messages, *answer], tools)
            texts.append(whole)
        start = _shared(prompt, *texts)
        if start < len(self._render(messages, tools).rstrip()):
            raise LineError("The model's chat template does not render the input as a beginning.")
        prompt = texts[0][:start]
        chosen, rejected = (text[start : self._end(text, start, len(text))] for text in texts)
        if not chosen or not rejected:
            raise LineError("The model's chat template renders nothing for one of the outputs.")
        return Pair(*(self._encode(text) for text in (prompt, chosen, rejected)))

    def prompt(self, line: Mapping[str, Any]) -> str:
        """Return the text after which the model answers a line's ``messages``.

        Raises:
            LineError: The line cannot be rendered.
        """
        messages, tools = to_messages(line["messages"]), to_tools(line)
        text = self._render(messages, tools, generation=True)
        _check_shown(text, messages, tools)
        return text

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a rendered text."""
        return self._encode(text)

    def _encode(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _render(
        self,
        messages: Sequence[_Message],
        tools: Sequence[_Message] | None,
        *,
        generation: bool = False,
    ) -> str:
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    list(messages), tools=tools, tokenize=False, add_generation_prompt=generation
                )
            )
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise LineError(f"The model's chat template cannot render it: {error}.") from error

    def _span(
        self,
        text: str,
        messages: Sequence[_Message],
        tools: Sequence[_Message] | None,
        position: int,
    ) -> _Span | None:
        """Return where an assistant's message is in the text; `None` if no prefix tells that."""
        if position == len(messages) - 1:
            upto = text
        else:
            upto = self._render(messages[: position + 1], tools)
        before = self._before(messages[: position + 1], tools, upto)
        if not (text.startswith(upto) and upto.startswith(before)):
            return None
        return self._checked(upto, len(before), position)

    def _before(
        self, messages: Sequence[_Message], tools: Sequence[_Message] | None, upto: str
    ) -> str:
        """Return what a model has read when it begins the last of the messages."""
        if len(messages) > 1:
            return self._render(messages[:-1], tools, generation=True)
        # Few templates render no messages at all, so the first one is looked for in the text.
        content = str(messages[0]["content"]).strip()
        if content and content in upto:
            return upto[: upto.rindex(content)]
        raise LineError("It begins with the assistant's message, and no text shows where that is.")

    def _row_of_last(self, messages: Sequence[_Message], tools: Sequence[_Message] | None) -> Row:
        text = self._render(messages, tools)
        start = _shared(text, self._before(messages, tools, text))
        return self._row(text, [self._checked(text, start, len(messages) - 1)])

    def _checked(self, text: str, start: int, position: int) -> _Span:
        end = self._end(text, start, len(text))
        if start >= end:
            message = f"The model's chat template renders nothing for message {position + 1}."
            raise LineError(message)
        return start, end

    def _end(self, text: str, start: int, end: int) -> int:
        """Return the end without the white space that templates write after a token of the end."""
        kept = text[start:end].rstrip()
        if any(kept.endswith(special) for special in self._specials):
            return start + len(kept)
        return end

    def _row(self, text: str, spans: Sequence[_Span]) -> Row:
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tokens: list[int] = encoded["input_ids"]
        labels = [NOT_TRAINED] * len(tokens)
        remaining = iter(spans)
        span = next(remaining, None)
        for place, (start, end) in enumerate(encoded["offset_mapping"]):
            while span is not None and start >= span[1]:
                span = next(remaining, None)
            if span is not None and start >= span[0] and end > start:
                labels[place] = tokens[place]
        return Row(tokens, labels)


def _check_shown(text: str, messages: Sequence[_Message], tools: Sequence[_Message] | None) -> None:
    """Raise if the template leaves out tools or calls; many do so without a word."""
    names = [tool["function"]["name"] for tool in tools or () if "function" in tool]
    calls = [call["function"]["name"] for one in messages for call in one.get("tool_calls", ())]
    missing = next((name for name in [*names, *calls] if name not in text), None)
    if missing is not None:
        raise LineError(
            f"The model's chat template does not show the function '{missing}'; choose a model "
            "whose template knows tools."
        )


def _shared(*texts: str) -> int:
    """Return how many characters the texts begin with in common."""
    return len(os.path.commonprefix(texts))  # noqa: RUF071 - characters, not names of folders
