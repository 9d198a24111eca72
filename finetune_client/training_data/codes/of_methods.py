"""The codes of what is wrong with preference, reinforcement and completion examples."""

from __future__ import annotations

from finetune_client.training_data.codes.code import Code, error, warning

__all__ = ["METHOD_CODES"]

METHOD_CODES: tuple[Code, ...] = (
    error(
        "missing_input",
        "The example has no input.",
        'Give it {{"messages": [...]}}, the prompt of both outputs, under the key "input".',
    ),
    error(
        "invalid_input",
        "{where} is {found} and not an object.",
        'Write {{"messages": [...]}}.',
    ),
    error(
        "missing_output",
        "The example has no {key}.",
        "Give it a list with one message of the assistant under this key.",
    ),
    error(
        "two_spellings",
        "{where} is the older spelling of {key}, and the example has both.",
        "Keep one of them.",
    ),
    error(
        "invalid_output",
        "{where} is {found} and not a list with {expected}.",
        'Write [{{"role": "assistant", "content": ...}}].',
    ),
    error(
        "output_not_assistant",
        "{where} is {found}, and an output comes from the assistant.",
        'Write "assistant".',
    ),
    error(
        "equal_outputs",
        "{where} is the same as the preferred output, so there is nothing to prefer.",
        "Give two different outputs, or remove the line.",
    ),
    error(
        "last_message_not_user",
        "{where} has the role {role}, and the last message of a reinforcement example is the "
        "user's.",
        "End the messages with what the model is to answer; what the grader needs to know goes "
        "into keys of its own.",
    ),
    error(
        "unknown_item_variable",
        "The grader asks for {variable}, and no line has {key}.",
        "Add the key to the lines, or correct the grader.",
    ),
    warning(
        "incomplete_item_variable",
        "The grader asks for {variable}, and {found} of {examples} lines have no {key}.",
        "Add the key to every line.",
    ),
    error(
        "missing_prompt",
        "The example has no prompt.",
        'Give it text under the key "prompt"; it may be empty.',
    ),
    error(
        "invalid_prompt",
        "{where} is {found} and not text.",
        "Write the prompt as a string.",
    ),
    error(
        "missing_completion",
        "The example has no completion.",
        'Give it text under the key "completion".',
    ),
    error(
        "invalid_completion",
        "{where} is {found} and not text.",
        "Write the completion as a string.",
    ),
    error(
        "empty_completion",
        "{where} is empty, so there is nothing to learn from it.",
        "Fill it in, or remove the line.",
    ),
    warning(
        "completion_leading_space",
        "{where} does not begin with white space, and tokens of words begin with a space.",
        "Begin every completion with a space.",
    ),
    warning(
        "no_common_separator",
        "The prompts do not end alike, so the model cannot tell where the completion begins.",
        "End every prompt with the same separator, such as \\n\\n###\\n\\n.",
    ),
    warning(
        "no_common_ending",
        "The completions do not end alike, so the model does not learn where to stop.",
        "End every completion with the same text, such as a line feed or END.",
    ),
)
