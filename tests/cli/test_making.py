"""``finetune convert``, ``fix``, ``split`` and ``dedupe``: files in, files out, nothing lost."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import training_data
from tests.support.example_lines import good_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Finetune = Callable[..., Result]

PAIRS = [{"id": "1", "prompt": "2+2?", "completion": "4"}, {"prompt": "3+3?", "completion": "6"}]
CHATS = [
    {
        "messages": [
            {"role": "user", "content": pair["prompt"]},
            {"role": "assistant", "content": pair["completion"]},
        ]
    }
    for pair in PAIRS
]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_convert__makes_a_file_beside_it(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "pairs.json"
    source.write_text(json.dumps(PAIRS))
    done = finetune("convert", source)
    target = tmp_path / "pairs.jsonl"
    assert (done.exit_code, done.output) == (0, f"{target}: 2 chat examples.\n")
    assert rows_of(target) == CHATS
    again = finetune("convert", source)
    assert (again.exit_code, again.output.splitlines()[-1]) == (
        2,
        f"Error: {target} is there already: name another file, or replace it with --overwrite.",
    )
    assert finetune("convert", source, "--overwrite").exit_code == 0


def test_convert__never_writes_over_its_file_unasked(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_text(json.dumps(PAIRS))
    done = finetune("convert", source, "--json")
    target = tmp_path / "train.converted.jsonl"
    assert json.loads(done.output) == {
        "kind": "convert",
        "file": str(source),
        "output": str(target),
        "examples": 2,
    }
    assert json.loads(source.read_text()) == PAIRS
    assert finetune("convert", source, "-o", source).exit_code == 2
    assert json.loads(source.read_text()) == PAIRS
    assert finetune("convert", source, "-o", source, "--overwrite").exit_code == 0
    assert rows_of(source) == CHATS


def test_convert__to_the_standard_output(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "pairs.jsonl.gz"
    source.write_bytes(gzip.compress(b"".join(json.dumps(pair).encode() + b"\n" for pair in PAIRS)))
    for option in ([], ["--json"]):
        done = finetune("convert", source, "-o", "-", *option)
        assert [json.loads(line) for line in done.stdout.splitlines()] == CHATS
        assert done.stderr.startswith("{" if option else "standard output: 2 chat examples.")
    assert list(tmp_path.iterdir()) == [source]
    finetune("convert", source)
    assert rows_of(tmp_path / "pairs.jsonl") == CHATS


@pytest.mark.parametrize("delimiter", [[], ["--delimiter", ";"]])
def test_convert__what_german_excel_writes(
    finetune: Finetune, tmp_path: Path, delimiter: list[str]
) -> None:
    source = tmp_path / "faq.csv"
    source.write_bytes("Frage;Antwort;Nr\r\nWie groß?;1,80 m;7\r\n".encode("cp1252"))
    columns = ["--column", "prompt=Frage", "--column", "completion=Antwort"]
    refused = finetune("convert", source, *columns, *delimiter)
    assert (refused.exit_code, refused.output) == (
        2,
        (
            f"Error: {source}, line 2: the byte 0xDF is not UTF-8. It looks like cp1252: pass "
            "encoding='cp1252' (--encoding cp1252).\n"
        ),
    )
    done = finetune(
        "convert", source, *columns, *delimiter, "--encoding", "cp1252", "--system", "Kurz."
    )
    assert done.exit_code == 0
    assert [
        list(message.values()) for message in rows_of(tmp_path / "faq.jsonl")[0]["messages"]
    ] == [
        ["system", "Kurz."],
        ["user", "Wie groß?"],
        ["assistant", "1,80 m"],
    ]


def test_convert__what_its_errors_advise_works(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "chats.jsonl"
    turns = [{"from": "human", "value": "Hi", "hash": 1}, {"from": "gpt", "value": "Ho", "hash": 2}]
    source.write_text(json.dumps({"id": 3, "source": "web", "conversations": turns}))
    options: list[str] = []
    for key in ("source", "hash"):
        refused = finetune("convert", source, *options)
        assert refused.exit_code == 2
        advice = f"--ignore {key}"
        assert f"{advice} on the command line" in refused.output
        options += advice.split()
    assert finetune("convert", source, *options).exit_code == 0


@pytest.mark.parametrize("format", ["preference", "reinforcement"])
def test_convert__examples_that_are_no_chats_stay(
    finetune: Finetune, tmp_path: Path, format: str
) -> None:
    examples = [json.loads(line) for line in good_lines(format)]
    source = tmp_path / "train.json"
    source.write_text(json.dumps(examples))
    done = finetune("convert", source)
    target = tmp_path / "train.jsonl"
    assert (done.exit_code, done.output) == (0, f"{target}: 10 {format} examples.\n")
    assert rows_of(target) == examples


@pytest.mark.parametrize("content", [json.dumps(CHATS * 9), json.dumps(CHATS * 9, indent=2)])
def test_convert__what_check_advises(finetune: Finetune, tmp_path: Path, content: str) -> None:
    source = tmp_path / "train.jsonl"
    source.write_text(content)
    refused = finetune("check", source)
    assert refused.exit_code == 2
    assert f"Run finetune convert {source}, or" in refused.output
    assert finetune("convert", source).exit_code == 0
    assert "invalid_json" not in training_data.check(tmp_path / "train.converted.jsonl").counts


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--column", "prompt"], "'prompt' is not of the form KEY=COLUMN."),
        (["--delimiter", ";;"], "';;' is not one character."),
        (["--encoding", "windows"], "There is no encoding 'windows'"),
        (["--shape", "vicuna"], "'vicuna' is not one of"),
    ],
)
def test_convert__wrong_usage(
    finetune: Finetune, tmp_path: Path, options: list[str], said: str
) -> None:
    source = tmp_path / "x.csv"
    source.write_text("prompt,completion\na,b\n")
    done = finetune("convert", source, *options)
    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == [source]


def test_convert__a_tab_can_be_typed(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "x.txt"
    source.write_text("prompt\tcompletion\n2+2?\t4\n")
    for tab in ("tab", "\\t", "\t"):
        done = finetune("convert", source, "--delimiter", tab, "-o", "-")
        assert [json.loads(line) for line in done.stdout.splitlines()] == CHATS[:1]


def test_convert__no_rows(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "x.json"
    source.write_text("[]")
    done = finetune("convert", source, "--json")
    assert (done.exit_code, json.loads(done.output)) == (
        2,
        {"kind": "error", "error": "TrainingDataError", "message": f"{source} holds no rows."},
    )


def test_fix__tells_each_change(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_bytes('{"a": "señor"}\r\n\n{"a": "señor"}\n'.encode("cp1252"))
    target = tmp_path / "train.fixed.jsonl"
    done = finetune("fix", source, "--encoding", "cp1252")
    assert (done.exit_code, done.output.splitlines()[:2]) == (
        0,
        [
            f"{target}: 1 of 3 lines, 5 changes.",
            "Line 1: The line was cp1252 and is now UTF-8. (encoding)",
        ],
    )
    assert target.read_text("utf-8") == '{"a": "señor"}\n'
    assert finetune("fix", source).exit_code == 2
    again = finetune("fix", source, "--keep-duplicates", "--overwrite", "--json")
    facts = json.loads(again.output)
    assert (facts["kind"], facts["file"], facts["output"]) == ("fix", str(source), str(target))
    assert facts["counts"] == {"crlf": 1, "blank_line": 1}
    assert (facts["lines_read"], facts["lines_written"]) == (3, 2)
    assert facts["changes"][1] == {
        "line": 2,
        "code": "blank_line",
        "message": "Left out a blank line.",
    }


def test_fix__refuses_what_is_not_jsonl(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_text(json.dumps(PAIRS))
    done = finetune("fix", source)
    assert done.exit_code == 2
    assert done.output.startswith(
        f"Error: {source} is a JSON array and not JSONL. Run finetune convert"
    )


def test_split__by_share_and_by_number(finetune: Finetune, train: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "train.train.jsonl", tmp_path / "train.valid.jsonl"]
    done = finetune("split", train, "--validation", "0.25")
    assert (done.exit_code, done.output) == (
        0,
        f"{parts[0]}: 9 examples to train on; {parts[1]}: 3 to validate on.\n",
    )
    assert finetune("split", train).exit_code == 2
    named = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    outputs = ["--training-output", named[0], "--validation-output", named[1]]
    done = finetune("split", train, "--validation", 2, "--seed", 5, *outputs, "--json")
    assert json.loads(done.output) == {
        "kind": "split",
        "file": str(train),
        "training": str(named[0]),
        "validation": str(named[1]),
        "n_training": 10,
        "n_validation": 2,
    }
    assert [len(rows_of(part)) for part in named] == [10, 2]


@pytest.mark.parametrize("share", ["x", "1.5", "0"])
def test_split__wrong_share(finetune: Finetune, train: Path, share: str) -> None:
    done = finetune("split", train, "--validation", share)
    assert done.exit_code == 2
    assert "Error: " in done.output


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("convert", "--output"),
        ("dedupe", "--output"),
        ("fix", "--output"),
        ("split", "--training-output"),
        ("split", "--validation-output"),
    ],
)
def test_making__into_a_folder_that_is_not_there(
    finetune: Finetune, train: Path, tmp_path: Path, command: str, option: str
) -> None:
    done = finetune(command, train, option, tmp_path / "no" / "new.jsonl")
    assert done.exit_code == 2
    assert f"There is no folder '{tmp_path / 'no'}' that can be written to." in done.output


@pytest.mark.parametrize(
    ("command", "option"),
    [("fix", "--output"), ("split", "--training-output"), ("split", "--validation-output")],
)
def test_making__no_file_is_called_like_the_standard_output(
    finetune: Finetune,
    train: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    option: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = finetune(command, train, option, "-")
    assert done.exit_code == 2
    assert "The standard output cannot be written to; name a file." in done.output
    assert list(tmp_path.iterdir()) == [train]


def test_dedupe__writes_each_row_once(finetune: Finetune, tmp_path: Path) -> None:
    source = tmp_path / "rows.json"
    source.write_text(json.dumps([{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}]))
    target = tmp_path / "rows.deduped.jsonl"
    done = finetune("dedupe", source)
    assert (done.exit_code, done.output) == (0, f"{target}: 2 of 3 examples, 1 left out.\n")
    assert rows_of(target) == [{"a": 1, "b": 2}, {"a": 2}]
    piped = finetune("dedupe", source, "-o", "-", "--json")
    assert piped.stdout == '{"a": 1, "b": 2}\n{"a": 2}\n'
    assert json.loads(piped.stderr) == {
        "kind": "dedupe",
        "file": str(source),
        "output": "-",
        "examples": 2,
        "duplicates": 1,
    }


@pytest.mark.parametrize("command", ["convert", "fix", "split", "dedupe"])
def test_help__has_an_example_that_works(
    finetune: Finetune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    shown = " ".join(finetune(command, "--help").output.split())
    example = shown.rpartition("Example: ")[2].split()
    (tmp_path / "faq.csv").write_text("Question,Answer\n2+2?,4\n")
    for name in ("train.jsonl", "data.jsonl"):
        (tmp_path / name).write_bytes(b"\n".join(good_lines("chat")) + b"\n")
    monkeypatch.chdir(tmp_path)
    assert example[:2] == ["finetune", command]
    assert finetune(*example[1:]).exit_code == 0
