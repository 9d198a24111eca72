"""The codes of what is wrong with a file, or with a line before it is read as an example."""

from __future__ import annotations

from finetune_client.training_data.codes.code import Code, error, warning

__all__ = ["FILE_CODES"]

FILE_CODES: tuple[Code, ...] = (
    error(
        "empty_file",
        "The file holds no example.",
        "Write one JSON object on each line.",
    ),
    error(
        "too_few_examples",
        "The file holds {found} of the {least} examples that a job needs at least.",
        "Add {missing} more; 50 to 100 are a good start.",
    ),
    error(
        "too_many_examples",
        "The file holds {found} examples, and {method} takes at most {most}.",
        "Leave out {surplus} of them.",
    ),
    error(
        "too_many_image_examples",
        "The file holds {found} examples with images, and at most {most} are allowed.",
        "Leave out {surplus} of them.",
    ),
    error(
        "too_many_validation_examples",
        "The validation file holds {found} examples, and {method} takes at most {most}.",
        "Leave out {surplus} of them.",
    ),
    error(
        "not_jsonl",
        "The file is {found} and not JSONL, so none of its lines was checked.",
        "{remedy}.",
    ),
    error(
        "utf16",
        "The file is UTF-16 and not UTF-8, so none of its lines was checked.",
        "Save it as UTF-8, or repair it with training_data.fix.",
    ),
    error(
        "byte_order_mark",
        "The line begins with a byte order mark (the bytes EF BB BF).",
        "Save the file as UTF-8 without one, or repair it with training_data.fix.",
    ),
    error(
        "crlf",
        "The line ends with a carriage return and a line feed (as on Windows).",
        "Write lines that end with a line feed alone, or repair the file with training_data.fix.",
    ),
    error(
        "blank_line",
        "The line is blank.",
        "Remove it, or repair the file with training_data.fix.",
    ),
    error(
        "line_too_long",
        "The line is longer than {most} bytes, so it was not read.",
        "End each example with a line feed, or call check with a larger max_line_bytes.",
    ),
    error(
        "invalid_utf8",
        "Byte {position} of the line (0x{byte}) is not UTF-8.",
        "Save the file as UTF-8, or repair it by telling what it was written in: "
        "training_data.fix(file, encoding={encoding}).",
    ),
    error(
        "lone_surrogate",
        "{where} has half a character: \\u{escape} without its other half.",
        "Cut text between characters, not inside one, and write both halves or neither.",
    ),
    error(
        "invalid_json",
        "The line is not JSON: {reason} at column {column}.",
        "Write each example as one whole JSON object on a line of its own, with json.dumps.",
    ),
    error(
        "too_deep",
        "The line is nested deeper than a JSON reader follows.",
        "Write an example as plain messages; text that holds JSON belongs in one string.",
    ),
    error(
        "not_an_object",
        "The line holds {found} and not a JSON object.",
        "Write each example as one object in braces on a line of its own.",
    ),
    error(
        "duplicate_key",
        "{where} is there more than once, so all but one of its values are lost.",
        "Keep one of them.",
    ),
    error(
        "not_a_number",
        "{where} is {found}, which is not JSON.",
        "Write a number, a string or null.",
    ),
    error(
        "unknown_key",
        "{where} is a key that is not known here{hint}.",
        "Remove it; known here are {known}.",
    ),
    error(
        "wrong_format",
        "The line is {found}, and the method {method} needs {expected}.",
        "Choose the method that fits the file, or convert the line.",
    ),
    error(
        "mixed_formats",
        "The line is {found}, and each line of this file should be {expected}.",
        "Keep one format in a file and put the other lines into a file of their own.",
    ),
    error(
        "special_token",
        "{where} holds the special token {token}, which must not be in text.",
        "Remove it; the service puts such tokens between the messages itself.",
    ),
    warning(
        "secret",
        "{where} seems to hold {kind}, which a trained model may repeat to anyone.",
        "Replace it by a made-up one, and revoke it if it was real.",
    ),
    warning(
        "duplicate_example",
        "The line is the same as line {first}.",
        "Remove it, or keep it if it should count more; training_data.dedupe removes all of them.",
    ),
    warning(
        "leaked_example",
        "The line is also line {other} of the validation file, which makes its results too good.",
        "Keep it in one of the two files; training_data.split never puts one into both.",
    ),
    error(
        "too_long",
        "The example has {tokens} tokens, and the model reads {most}; the rest would be cut off.",
        "Shorten it or split it into several examples.",
    ),
    warning(
        "maybe_too_long",
        "The example has about {tokens} tokens (an estimate), and the model reads {most}.",
        "Count exactly with count_tokens=, and shorten the example if it is too long.",
    ),
)
