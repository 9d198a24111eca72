"""The codes of what is wrong with a file, or with a line before it is read as an example."""

from __future__ import annotations

from finetune_client.training_data.codes.code import (
    GUIDE,
    TOO_FEW,
    TRAINS_BADLY,
    UNRECORDED,
    WITHOUT_KEY,
    Code,
    error,
    warning,
)

__all__ = ["FILE_CODES"]

FILE_CODES: tuple[Code, ...] = (
    error(
        "empty_file",
        "The file holds no example.",
        "Write one JSON object on each line.",
        TOO_FEW,
    ),
    error(
        "too_few_examples",
        "The file holds {found} of the {least} examples that a job needs at least.",
        "Add {missing} more; 50 to 100 are a good start.",
        TOO_FEW,
    ),
    warning(
        "too_many_examples",
        "The file holds {found} examples, and the guide allows {most} for {method}.",
        "Leave out {surplus} of them.",
        GUIDE,
    ),
    warning(
        "too_many_image_examples",
        "The file holds {found} examples with images, and the guide allows {most}.",
        "Leave out {surplus} of them.",
        GUIDE,
    ),
    warning(
        "too_many_validation_examples",
        "The validation file holds {found} examples, and the guide allows {most} for {method}.",
        "Leave out {surplus} of them.",
        GUIDE,
    ),
    error(
        "not_jsonl",
        "The file is {found} and not JSONL, so none of its lines was checked.",
        "{remedy}.",
        "OpenAI's answer to lines that are not JSON is recorded: \"Example 1273 cannot be parsed. "
        'Error: line contains invalid json".',
    ),
    error(
        "utf16",
        "The file is UTF-16 and not UTF-8, so none of its lines was checked.",
        "Save it as UTF-8, or repair it with training_data.fix (finetune fix).",
        "JSON that is exchanged is UTF-8 (RFC 8259, 8.1).",
    ),
    warning(
        "byte_order_mark",
        "The line begins with a byte order mark (the bytes EF BB BF).",
        "Save the file as UTF-8 without one, or repair it with training_data.fix (finetune fix).",
        "Readers of JSON may ignore one or refuse it (RFC 8259, 8.1); Azure's guide asks "
        "for one at the head of a file, and no service is recorded to refuse it.",
    ),
    warning(
        "crlf",
        "The line ends with a carriage return and a line feed (as on Windows).",
        "Write lines that end with a line feed alone, or repair the file with training_data.fix "
        "(finetune fix).",
        "A job that trained on such a file is recorded: a carriage return is white space to JSON.",
    ),
    warning(
        "blank_line",
        "The line is blank.",
        "Remove it, or repair the file with training_data.fix (finetune fix).",
        UNRECORDED,
    ),
    error(
        "line_too_long",
        "The line is longer than {most} bytes, so it was not read.",
        "End each example with a line feed, or call check with a larger max_line_bytes.",
        "Nothing is known of a line that was not read.",
    ),
    error(
        "invalid_utf8",
        "Byte {position} of the line (0x{byte}) is not UTF-8.",
        "Save the file as UTF-8, or repair it by telling what it was written in: "
        "training_data.fix(file, encoding={encoding}) (finetune fix --encoding).",
        "JSON that is exchanged is UTF-8 (RFC 8259, 8.1).",
    ),
    error(
        "lone_surrogate",
        "{where} has half a character: \\u{escape} without its other half.",
        "Cut text between characters, not inside one, and write both halves or neither.",
        "Half a character cannot be written as UTF-8, so that no tokenizer reads it.",
    ),
    error(
        "invalid_json",
        "The line is not JSON: {reason} at column {column}.",
        "Write each example as one whole JSON object on a line of its own, with json.dumps.",
        "OpenAI's answer is recorded: \"Example 1273 cannot be parsed. Error: line contains "
        'invalid json".',
    ),
    error(
        "too_deep",
        "The line is nested deeper than a JSON reader follows.",
        "Write an example as plain messages; text that holds JSON belongs in one string.",
        "Readers of JSON refuse it.",
    ),
    error(
        "not_an_object",
        "The line holds {found} and not a JSON object.",
        "Write each example as one object in braces on a line of its own.",
        "OpenAI's answer is recorded: \"Expected file to have JSONL format, where every line"
        ' is a JSON dictionary".',
    ),
    error(
        "duplicate_key",
        "{where} is there more than once, so all but one of its values are lost.",
        "Keep one of them.",
        "JSON leaves open which of the values counts (RFC 8259, 4), and readers drop the others.",
    ),
    error(
        "not_a_number",
        "{where} is {found}, which is not JSON.",
        "Write a number, a string or null.",
        "JSON has no such number (RFC 8259, 6).",
    ),
    warning(
        "unknown_key",
        "{where} is a key that is not known here{hint}.",
        "Remove it; known here are {known}.",
        "Recorded is one refusal, of a weight beside the messages (see misplaced_weight); "
        "files with other keys have not been seen refused.",
    ),
    warning(
        "null_keys",
        "Keys are null on {lines} ({what}), as libraries for data sets write them where other lines "
        "have the key.",
        "Leave them out, as training_data.fix (finetune fix) does.",
        "What the services make of them is not recorded.",
    ),
    warning(
        "null_text",
        "A text is nothing but {what} on {lines}.",
        "Correct it if it stands for an empty value that was written as text.",
        "A label may be meant so.",
    ),
    error(
        "wrong_format",
        "The line is {found}, and the method {method} needs {expected}.",
        "Choose the method that fits the file, or convert the line.",
        "OpenAI's answer is recorded: \"is in the fine-tune-chat format, but the specified "
        "fine-tuning job is not using 'supervised' as the training method\".",
    ),
    error(
        "mixed_formats",
        "The line is {found}, and each line of this file should be {expected}.",
        "Keep one format in a file and put the other lines into a file of their own.",
        WITHOUT_KEY,
    ),
    error(
        "special_token",
        "{where} holds the special token {token}, which must not be in text.",
        "Remove it; the service puts such tokens between the messages itself.",
        "OpenAI's answer is recorded: \"Example 6174 message contains an invalid token: "
        '<|fim_suffix|>".',
    ),
    warning(
        "secret",
        "{where} seems to hold {kind}, which a trained model may repeat to anyone.",
        "Replace it by a made-up one, and revoke it if it was real.",
        "Nobody refuses it; it is about what becomes of it.",
    ),
    warning(
        "duplicate_example",
        "The line is the same as line {first}.",
        "Remove it, or keep it if it should count more; training_data.dedupe (finetune dedupe) "
        "removes all of them.",
        TRAINS_BADLY,
    ),
    warning(
        "leaked_example",
        "The line is also line {other} of the validation file, which makes its results too good.",
        "Keep it in one of the two files; training_data.split (finetune split) never puts one into "
        "both.",
        TRAINS_BADLY,
    ),
    warning(
        "too_long",
        "The example has {tokens} tokens, and the model reads {most}; the rest would be cut off.",
        "Shorten it or split it into several examples.",
        "OpenAI's guide says that the service cuts such an example.",
    ),
    warning(
        "maybe_too_long",
        "The example has about {tokens} tokens (an estimate), and the model reads {most}.",
        "Count exactly with count_tokens=, and shorten the example if it is too long.",
        "OpenAI's guide says that the service cuts such an example.",
    ),
)
