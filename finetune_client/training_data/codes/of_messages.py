"""The codes of what is wrong with messages and what they hold."""

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

__all__ = ["MESSAGE_CODES"]

MESSAGE_CODES: tuple[Code, ...] = (
    error(
        "missing_messages",
        "{where} has no messages.",
        'Give it a list under the key "messages".',
        WITHOUT_KEY,
    ),
    error(
        "invalid_messages",
        "{where} is {found} and not a list of messages.",
        'Write [{{"role": ..., "content": ...}}, ...].',
        SCHEMA,
    ),
    error(
        "empty_messages",
        "{where} is an empty list.",
        "Give it the messages of one conversation, or remove the line.",
        SCHEMA,
    ),
    error(
        "invalid_message",
        "{where} is {found} and not a message.",
        'Write it as {{"role": ..., "content": ...}}.',
        SCHEMA,
    ),
    error(
        "missing_role",
        "{where} has no role.",
        "Give it one of {roles}.",
        "OpenAI's answer is recorded: \"Example 100, message 2 Discriminator 'role' is "
        'missing in value".',
    ),
    error(
        "unknown_role",
        "{where} is {found}, which is not a role of {format}.",
        "Use one of {roles}.",
        "OpenAI's answer is recorded: \"No match for discriminator 'role'\", with the roles "
        "that are allowed.",
    ),
    error(
        "missing_content",
        "{where} has no content.",
        "Give it the text of the message; only an assistant's message with calls may go without.",
        'OpenAI\'s answer is recorded: "At least one of content or function_call must be set".',
    ),
    error(
        "invalid_content",
        "{where} is {found} and not {expected}.",
        "Write the content as text; anything else goes into one string with json.dumps.",
        "OpenAI's answer is recorded: \"Line 1, message 3, key 'content': Input should be a "
        'valid string".',
    ),
    warning(
        "empty_content",
        "{where} is empty.",
        "Fill it in, or remove the message.",
        UNRECORDED,
    ),
    warning(
        "blank_content",
        "{where} is nothing but white space.",
        "Fill it in, or remove the message.",
        UNRECORDED,
    ),
    error(
        "null_text_with_calls",
        "{where} is the text null beside tool_calls.",
        "Write null without quotes, or leave the content out.",
        "Azure's preprocessing is recorded to crash on it; for other providers it is null_text.",
    ),
    error(
        "invalid_value",
        "{where} is {found} and not {expected}.",
        "Correct it or remove the key.",
        SCHEMA,
    ),
    error(
        "missing_assistant_message",
        "{where} has no message of the assistant, so there is nothing to learn from it.",
        "Add the answer as a message with the role assistant, or remove the line.",
        "There is nothing to train on.",
    ),
    warning(
        "last_message_not_assistant",
        "The last of the messages is from the {role}; what comes after the last answer of the "
        "assistant is not trained on.",
        "End the conversation with an answer of the assistant.",
        UNRECORDED,
    ),
    warning(
        "repeated_role",
        "{where} has the role {role}, as the message before it.",
        "Join the two messages, or add what is missing between them.",
        TRAINS_BADLY,
    ),
    error(
        "invalid_weight",
        "{where} is {found}, and a weight is 0 (not trained on) or 1.",
        "Write 0 or 1, or remove the key.",
        "OpenAI's schema of a training line has 0 and 1.",
    ),
    error(
        "misplaced_weight",
        "{where} is {place}, and only the assistant's messages have a weight.",
        "Remove it.",
        "OpenAI's answer is recorded: \"Example 1 contains an extra 'weight'\".",
    ),
    error(
        "all_weights_zero",
        "{where} has weight 0 on every message of the assistant, so nothing is trained on.",
        "Give at least one of them weight 1, or remove the line.",
        "There is nothing to train on.",
    ),
    error(
        "invalid_part",
        "{where} is not a part of a message: {reason}.",
        'Write {{"type": "text", "text": ...}}.',
        SCHEMA,
    ),
    error(
        "unknown_part_type",
        "{where} is {found}, and a message of the {role} takes {expected}.",
        "Remove the part, or put its text into a part of the type text.",
        SCHEMA,
    ),
    error(
        "misplaced_image",
        "{where} is an image in {place}, where none is allowed.",
        "Put images into messages of the user in a chat example, or remove the part.",
        "OpenAI's schema of a training line has images in messages of the user alone, and "
        "the guides none in preference examples.",
    ),
    error(
        "invalid_image",
        "{where} is not an image: {reason}.",
        'Write {{"type": "image_url", "image_url": {{"url": ...}}}}.',
        SCHEMA,
    ),
    error(
        "invalid_image_url",
        "{where} is {found}, which is neither a web address nor a data URI.",
        "Write an https:// address, or data:image/png;base64, and the image in base64.",
        "The service can neither fetch nor decode an image from it.",
    ),
    warning(
        "invalid_image_type",
        "{where} is an image of the type {found}, which the guide does not name.",
        "Convert it to JPEG, PNG or WEBP.",
        GUIDE,
    ),
    error(
        "invalid_image_data",
        "{where} does not hold base64 after the comma.",
        "Encode the image's bytes with base64.b64encode.",
        "The service can neither fetch nor decode an image from it.",
    ),
    warning(
        "image_too_large",
        "{where} is an image of {found} bytes, and the guide allows {most}.",
        "Make the image smaller.",
        GUIDE,
    ),
    warning(
        "too_many_images",
        "{where} has {found} images, and the guide allows {most} in one example.",
        "Leave some out, or split the example.",
        GUIDE,
    ),
    error(
        "invalid_tools",
        "{where} is not a tool: {reason}.",
        'Write {{"type": "function", "function": {{"name": ..., "parameters": {{...}}}}}}.',
        SCHEMA,
    ),
    warning(
        "too_many_tools",
        "{where} defines {found} functions, and the specification allows {most}.",
        "Leave out those that the example does not need.",
        GUIDE,
    ),
    warning(
        "unknown_tool",
        "{where} calls {found}, and {defined}.",
        "Define the tool under the key tools of the line, or correct the name.",
        "No service is recorded to refuse it, and guides advise to leave definitions out "
        "where they are long.",
    ),
    error(
        "invalid_tool_call",
        "{where} is not a call of a tool: {reason}.",
        'Write {{"id": ..., "type": "function", "function": {{"name": ..., "arguments": ...}}}}.',
        SCHEMA,
    ),
    error(
        "invalid_arguments",
        "{where} is not a JSON object written as a string: {reason}.",
        "Write the arguments with json.dumps.",
        "OpenAI's schema of a training line has the arguments as JSON text.",
    ),
    warning(
        "doubly_encoded_arguments",
        "{where} is the JSON of a string that holds the JSON of the arguments, and the model learns "
        "to answer so.",
        "Write the arguments with json.dumps once, not twice.",
        TRAINS_BADLY,
    ),
    warning(
        "missing_argument",
        "{where} lacks the argument {name}, which {tool} requires.",
        "Add it to the arguments, or take it off the tool's list of required parameters.",
        "No service is recorded to refuse it, but the model learns to answer so.",
    ),
    warning(
        "wrong_argument_type",
        "{where} gives {name} as {found}, and {tool} takes {expected}.",
        "Correct the argument, or the type in the tool's parameters.",
        "No service is recorded to refuse it, but the model learns to answer so.",
    ),
    error(
        "missing_tool_call_id",
        "{where} has no tool_call_id that says which call it answers.",
        "Give it the id of the call.",
        SCHEMA,
    ),
    error(
        "unanswered_tool_call",
        "{where} is a call that no message of a tool right after it answers{late}.",
        "Put a message of the tool with the tool_call_id {id} right after the message with the call; "
        "only the calls of the last message go without.",
        'Azure is reported to refuse it as invalid schema, and chat endpoints of OpenAI with "must be '
        "followed by tool messages responding to each 'tool_call_id'\".",
    ),
    warning(
        "repeated_tool_answer",
        "{where} is {found}, and that call has been answered before.",
        "Keep one of the answers.",
        "Some chat endpoints refuse it, but no training service is recorded to.",
    ),
    warning(
        "duplicate_call_id",
        "{where} has the id {found} {number} times, so that answers cannot be told apart.",
        "Give each call of a message an id of its own.",
        "Some chat endpoints refuse it, but no training service is recorded to.",
    ),
    error(
        "orphan_tool_message",
        "{where} is {found}, and {reason}.",
        "Put it right after the message with the call, once for each call, or correct the id.",
        'Chat endpoints of OpenAI and Azure are recorded to refuse such messages: "messages'
        " with role 'tool' must be a response to a preceding message with 'tool_calls'\".",
    ),
    error(
        "invalid_functions",
        "{where} is not a function: {reason}.",
        'Write a list of {{"name": ..., "parameters": {{...}}}}, or use tools.',
        SCHEMA,
    ),
    warning(
        "unknown_function",
        "{where} calls {found}, and {defined}.",
        "Define the function under the key functions of the line, or correct the name.",
        "No service is recorded to refuse it, and guides advise to leave definitions out "
        "where they are long.",
    ),
    error(
        "invalid_function_call",
        "{where} is not a call of a function: {reason}.",
        'Write {{"name": ..., "arguments": ...}}, or use tool_calls.',
        SCHEMA,
    ),
    error(
        "missing_function_name",
        "{where} has no name that says which function answered.",
        "Give it the name of the function.",
        SCHEMA,
    ),
    warning(
        "orphan_function_message",
        "{where} is {found}, and no call before it has this name.",
        "Give the assistant's message before it the function_call, or correct the name.",
        UNRECORDED,
    ),
)
