"""The codes of what is wrong with preference, reinforcement and completion examples."""

from __future__ import annotations

from finetune_client.training_data.codes.code import (
    GUIDE,
    SCHEMA,
    TRAINS_BADLY,
    UNRECORDED,
    WITHOUT_KEY,
    Code,
    error,
    warning,
)

__all__ = ["METHOD_CODES"]

METHOD_CODES: tuple[Code, ...] = (
    error(
        "missing_input",
        "The example has no input.",
        'Give it {{"messages": [...]}}, the prompt of both outputs, under the key "input".',
        WITHOUT_KEY,
    ),
    error(
        "invalid_input",
        "{where} is {found} and not an object.",
        'Write {{"messages": [...]}}.',
        SCHEMA,
    ),
    error(
        "missing_output",
        "The example has no {key}.",
        "Give it a list with one message of the assistant under this key.",
        WITHOUT_KEY,
    ),
    warning(
        "two_spellings",
        "{where} is the older spelling of {key}, and the example has both.",
        "Keep one of them.",
        UNRECORDED,
    ),
    error(
        "invalid_output",
        "{where} is {found} and not a list with a message.",
        'Write [{{"role": "assistant", "content": ...}}].',
        SCHEMA,
    ),
    warning(
        "too_many_output_messages",
        "{where} holds {found} messages, and the guide allows {most}.",
        "Give each output one message of the assistant.",
        GUIDE,
    ),
    error(
        "output_not_assistant",
        "{where} is {found}, and an output comes from the assistant.",
        'Write "assistant".',
        "OpenAI's answer is recorded: \"No match for discriminator 'role'\", with the roles "
        "that are allowed.",
    ),
    warning(
        "equal_outputs",
        "{where} is the same as the preferred output, so there is nothing to prefer.",
        "Give two different outputs, or remove the line.",
        "No service is recorded to refuse it; there is nothing to learn from it.",
    ),
    error(
        "last_message_not_user",
        "{where} has the role {role}, and the last message of a reinforcement example is the "
        "user's.",
        "End the messages with what the model is to answer; what the grader needs to know goes "
        "into keys of its own.",
        "Azure's guide demands it, and there is no other message to sample an answer to.",
    ),
    error(
        "unknown_item_variable",
        "The grader asks for {variable}, and no line has {key}.",
        "Add the key to the lines, or correct the grader.",
        "The grader's template cannot be filled in for any line.",
    ),
    warning(
        "incomplete_item_variable",
        "The grader asks for {variable}, and {key} is missing in {found} of {examples} lines.",
        "Add the key to every line.",
        "The grader's template cannot be filled in for these lines; what becomes of them is"
        " not recorded.",
    ),
    error(
        "missing_prompt",
        "The example has no prompt.",
        'Give it text under the key "prompt"; it may be empty.',
        SCHEMA,
    ),
    error(
        "invalid_prompt",
        "{where} is {found} and not text.",
        "Write the prompt as a string.",
        SCHEMA,
    ),
    error(
        "missing_completion",
        "The example has no completion.",
        'Give it text under the key "completion".',
        SCHEMA,
    ),
    error(
        "invalid_completion",
        "{where} is {found} and not text.",
        "Write the completion as a string.",
        SCHEMA,
    ),
    warning(
        "empty_completion",
        "{where} is empty, so there is nothing to learn from it.",
        "Fill it in, or remove the line.",
        "No service is recorded to refuse it; there is nothing to learn from it.",
    ),
    warning(
        "completion_leading_space",
        "{where} does not begin with white space, and tokens of words begin with a space.",
        "Begin every completion with a space.",
        TRAINS_BADLY,
    ),
    warning(
        "no_common_separator",
        "The prompts do not end alike, so the model cannot tell where the completion begins.",
        "End every prompt with the same separator, such as \\n\\n###\\n\\n.",
        TRAINS_BADLY,
    ),
    warning(
        "no_common_ending",
        "The completions do not end alike, so the model does not learn where to stop.",
        "End every completion with the same text, such as a line feed or END.",
        TRAINS_BADLY,
    ),
)
