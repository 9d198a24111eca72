"""The official SDK's calls work against the server; where it is not installed, nothing is tested."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.local import LocalServer, running
from tests.support.local_api import chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

openai = pytest.importorskip("openai")

ROOT = Path(__file__).parents[2]
SCRIPT = re.compile(r"^```python sdk\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESS = r"http://[0-9.]+:8000/v1"
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with LocalServer() as server, running(server) as url:
        yield url


@pytest.fixture
def sdk(base: str) -> Iterator[Any]:
    with openai.OpenAI(base_url=base, api_key="local", max_retries=0) as client:
        yield client


def test_docs__their_scripts_for_it_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    scripts = [
        code
        for page in ("local-server.md", "own-models.md")
        for code in SCRIPT.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    ]
    assert len(scripts) == 3
    said = []
    with (
        LocalServer(api_keys={"local": "alice", "sk-8f0c...": "alice"}) as server,
        running(server) as url,
    ):
        for code in scripts:
            assert re.search(ADDRESS, code)
            exec(re.sub(ADDRESS, url, code), {})
            said.append(capsys.readouterr().out)
    assert all(said)
    assert "ft:tiny:local" in said[1]


def test_sdk__trains_a_model_and_asks_it(sdk: Any) -> None:
    file = sdk.files.create(
        file=("train.jsonl", jsonl(chat_lines(10)).encode()), purpose="fine-tune"
    )
    job = sdk.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    while job.status not in {"succeeded", "failed"}:
        job = sdk.fine_tuning.jobs.retrieve(job.id)
    whole = sdk.chat.completions.create(
        model=job.fine_tuned_model, messages=HI, seed=1, max_tokens=30, n=2
    )
    assert [choice.index for choice in whole.choices] == [0, 1]
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    texts = ["", ""]
    with sdk.chat.completions.create(
        model=job.fine_tuned_model,
        messages=HI,
        seed=1,
        max_tokens=30,
        n=2,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in whole.choices]
    assert chunk.usage == whole.usage


def test_sdk__its_client_of_azure(base: str) -> None:
    azure = openai.AzureOpenAI(
        azure_endpoint=base.removesuffix("/v1"), api_key="any", api_version="2024-10-21"
    )
    with azure:
        file = azure.files.create(
            file=("train.jsonl", jsonl(chat_lines(10)).encode()), purpose="fine-tune"
        )
        job = azure.fine_tuning.jobs.create(model="tiny", training_file=file.id)
        while job.status not in {"succeeded", "failed"}:
            job = azure.fine_tuning.jobs.retrieve(job.id)
        name = job.fine_tuned_model
        whole = azure.chat.completions.create(model=name, messages=HI, seed=1, max_tokens=9)
        with azure.chat.completions.create(
            model=name, messages=HI, seed=1, max_tokens=9, stream=True
        ) as stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == whole.choices[0].message.content


def test_sdk__its_own_stream_helper(sdk: Any) -> None:
    with sdk.chat.completions.stream(model="tiny", messages=HI, max_tokens=5) as stream:
        kinds = {event.type for event in stream}
        assert {"chunk", "content.delta"} <= kinds
        with pytest.raises(openai.LengthFinishReasonError):
            stream.get_final_completion()


def test_sdk__raw_responses_and_errors(sdk: Any) -> None:
    raw = sdk.chat.completions.with_raw_response.create(model="tiny", messages=HI, max_tokens=1)
    assert raw.parse().usage.completion_tokens == 1
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.chat.completions.create(model="gpt-4o", messages=HI)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.chat.completions.create(model="tiny", messages=HI, logprobs=True, stream=True)
    assert refused.value.param == "logprobs"
