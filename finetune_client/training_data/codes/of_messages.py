"""The codes of what is wrong with messages and what they hold."""

from __future__ import annotations

from finetune_client.training_data.codes.code import Code, error, warning

__all__ = ["MESSAGE_CODES"]

MESSAGE_CODES: tuple[Code, ...] = (
    error(
        "missing_messages",
        "{where} has no messages.",
        'Give it a list under the key "messages".',
    ),
    error(
        "invalid_messages",
        "{where} is {found} and not a list of messages.",
        'Write [{{"role": ..., "content": ...}}, ...].',
    ),
    error(
        "empty_messages",
        "{where} is an empty list.",
        "Give it the messages of one conversation, or remove the line.",
    ),
    error(
        "invalid_message",
        "{where} is {found} and not a message.",
        'Write it as {{"role": ..., "content": ...}}.',
    ),
    error(
        "missing_role",
        "{where} has no role.",
        "Give it one of {roles}.",
    ),
    error(
        "unknown_role",
        "{where} is {found}, which is not a role of {format}.",
        "Use one of {roles}.",
    ),
    error(
        "missing_content",
        "{where} has no content.",
        "Give it the text of the message; only an assistant's message with calls may go without.",
    ),
    error(
        "invalid_content",
        "{where} is {found} and not {expected}.",
        "Write the content as text; anything else goes into one string with json.dumps.",
    ),
    error(
        "empty_content",
        "{where} is empty.",
        "Fill it in, or remove the message.",
    ),
    warning(
        "blank_content",
        "{where} is nothing but white space.",
        "Fill it in, or remove the message.",
    ),
    error(
        "invalid_value",
        "{where} is {found} and not {expected}.",
        "Correct it or remove the key.",
    ),
    error(
        "missing_assistant_message",
        "{where} has no message of the assistant, so there is nothing to learn from it.",
        "Add the answer as a message with the role assistant, or remove the line.",
    ),
    warning(
        "last_message_not_assistant",
        "The last of the messages is from the {role}; what comes after the last answer of the "
        "assistant is not trained on.",
        "End the conversation with an answer of the assistant.",
    ),
    warning(
        "repeated_role",
        "{where} has the role {role}, as the message before it.",
        "Join the two messages, or add what is missing between them.",
    ),
    error(
        "invalid_weight",
        "{where} is {found}, and a weight is 0 (not trained on) or 1.",
        "Write 0 or 1, or remove the key.",
    ),
    error(
        "misplaced_weight",
        "{where} is on a message of the {role}, and only the assistant's messages have a weight.",
        "Remove it.",
    ),
    error(
        "all_weights_zero",
        "{where} has weight 0 on every message of the assistant, so nothing is trained on.",
        "Give at least one of them weight 1, or remove the line.",
    ),
    error(
        "invalid_part",
        "{where} is not a part of a message: {reason}.",
        'Write {{"type": "text", "text": ...}}.',
    ),
    error(
        "unknown_part_type",
        "{where} is {found}, and a message of the {role} takes {expected}.",
        "Remove the part, or put its text into a part of the type text.",
    ),
    error(
        "misplaced_image",
        "{where} is an image in {place}, where none is allowed.",
        "Put images into messages of the user in a chat example, or remove the part.",
    ),
    error(
        "invalid_image",
        "{where} is not an image: {reason}.",
        'Write {{"type": "image_url", "image_url": {{"url": ...}}}}.',
    ),
    error(
        "invalid_image_url",
        "{where} is {found}, which is neither a web address nor a data URI.",
        "Write an https:// address, or data:image/png;base64, and the image in base64.",
    ),
    error(
        "invalid_image_type",
        "{where} is an image of the type {found}, which is not accepted.",
        "Convert it to JPEG, PNG or WEBP.",
    ),
    error(
        "invalid_image_data",
        "{where} does not hold base64 after the comma.",
        "Encode the image's bytes with base64.b64encode.",
    ),
    error(
        "image_too_large",
        "{where} is an image of {found} bytes, and at most {most} are allowed.",
        "Make the image smaller.",
    ),
    error(
        "too_many_images",
        "{where} has {found} images, and at most {most} are allowed in one example.",
        "Leave some out, or split the example.",
    ),
    error(
        "invalid_tools",
        "{where} is not a tool: {reason}.",
        'Write {{"type": "function", "function": {{"name": ..., "parameters": {{...}}}}}}.',
    ),
    error(
        "unknown_tool",
        "{where} calls {found}, and {defined}.",
        "Define the tool under the key tools of the line, or correct the name.",
    ),
    error(
        "invalid_tool_call",
        "{where} is not a call of a tool: {reason}.",
        'Write {{"id": ..., "type": "function", "function": {{"name": ..., "arguments": ...}}}}.',
    ),
    error(
        "invalid_arguments",
        "{where} is not a JSON object written as a string: {reason}.",
        "Write the arguments with json.dumps.",
    ),
    warning(
        "doubly_encoded_arguments",
        "{where} is the JSON of a string that holds the JSON of the arguments, and the model learns "
        "to answer so.",
        "Write the arguments with json.dumps once, not twice.",
    ),
    error(
        "missing_argument",
        "{where} lacks the argument {name}, which {tool} requires.",
        "Add it to the arguments, or take it off the tool's list of required parameters.",
    ),
    error(
        "wrong_argument_type",
        "{where} gives {name} as {found}, and {tool} takes {expected}.",
        "Correct the argument, or the type in the tool's parameters.",
    ),
    error(
        "missing_tool_call_id",
        "{where} has no tool_call_id that says which call it answers.",
        "Give it the id of the call.",
    ),
    error(
        "orphan_tool_message",
        "{where} is {found}, and no call before it has this id.",
        "Give the assistant's message before it the call with this id, or correct the id.",
    ),
    error(
        "invalid_functions",
        "{where} is not a function: {reason}.",
        'Write a list of 1 to 128 of {{"name": ..., "parameters": {{...}}}}, or use tools.',
    ),
    error(
        "unknown_function",
        "{where} calls {found}, and {defined}.",
        "Define the function under the key functions of the line, or correct the name.",
    ),
    error(
        "invalid_function_call",
        "{where} is not a call of a function: {reason}.",
        'Write {{"name": ..., "arguments": ...}}, or use tool_calls.',
    ),
    error(
        "missing_function_name",
        "{where} has no name that says which function answered.",
        "Give it the name of the function.",
    ),
    error(
        "orphan_function_message",
        "{where} is {found}, and no call before it has this name.",
        "Give the assistant's message before it the function_call, or correct the name.",
    ),
)
