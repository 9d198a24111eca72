"""Every provider's page in the docs, and its scripts against a stand-in for that provider."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import responses

from finetune_client import APIStatusError, Client
from finetune_client.providers import PROVIDERS
from tests.support.provider_services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.provider_services import Service

FOLDER = Path(__file__).parents[2] / "docs" / "providers"
SCRIPT = re.compile(r"^```python stub\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = ["From a file to a model", "What differs", "What it lacks", "What is not verified"]


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def lines(name: str) -> str:
    """A training file of the kind that a provider's script trains on."""
    question = [{"role": "user", "content": "q"}]
    return "".join(
        json.dumps(
            {"messages": question, "reference_answer": str(number)}
            if name == "bedrock"
            else {"messages": [*question, {"role": "assistant", "content": f"a{number}"}]}
        )
        + "\n"
        for number in range(100)
    )


@pytest.fixture
def service(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """The stand-in for a provider, with its key in the environment and a training file at hand."""
    name: str = request.param
    for variable in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.jsonl").write_text(lines(name), encoding="utf-8")
    with responses.RequestsMock() as mock:
        made = SERVICES[name](mock)
        monkeypatch.setenv(PROVIDERS[name].environment[0], made.key)
        yield made


def run(name: str) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, code in enumerate(SCRIPT.findall(page(name)), 1):
        exec(compile(code, f"{name}.md, script {number}", "exec"), namespace)


PRINTED = {
    "azure": [
        "ft:gpt-oss-20b:org::1",
        "[(2, 2.0)]",
        "I am weather.",
    ],
    "azure-classic": ["ft:gpt-4o-mini-2024-07-18:org::1"],
    "bedrock": ["I am ft:openai.gpt-oss-20b:org::1."],
    "nebius": [
        "[(1, 2.5), (2, 1.5)]",
        "['.finetune-weights.json', 'adapter_config.json', 'adapter_model.safetensors']",
        "validating",
        "I am weather.",
    ],
    "unsloth": ["Step 1", "Step 2", "[(1, 2.5), (2, 1.5)]", "I am unsloth/tuned."],
    "litellm": ["I am ft:gpt-4o-mini-2024-07-18:org::1."],
    "portkey": ["I am ft:gpt-4o-mini-2024-07-18:org::1."],
    "compatible": ["I am ft:some-model:org::1."],
}


@pytest.mark.parametrize(
    ("service", "name"), [(one, one) for one in SERVICES], indirect=["service"]
)
def test_script__goes_from_a_file_to_a_model(
    service: Service, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(name)
    assert service.refused == []
    assert capsys.readouterr().out.splitlines() == PRINTED[name]
    assert len(service.jobs) == 1


@pytest.mark.parametrize(
    ("service", "name"), [(one, one) for one in SERVICES], indirect=["service"]
)
def test_script__run_again_finds_its_job(service: Service, name: str) -> None:
    run(name)
    run(name)
    assert len(service.jobs) == 1
    assert sum(seen.path == "/files" for seen in service.seen) == 1


def test_pages__one_for_each_provider_with_the_same_sections() -> None:
    names = {path.stem for path in FOLDER.glob("*.md")}
    assert names == set(PROVIDERS) - {"openai"}
    for name in names:
        text = page(name)
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS, name
        for variable in PROVIDERS[name].environment[:1]:
            assert f"`{variable}`" in text, name


MESSAGE: dict[str, Any] = {"model": "m", "training_file": "file-1", "check": False}
RFT = {"type": "reinforcement", "reinforcement": {"grader": {"type": "lambda", "lambda": {}}}}
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("azure", {}, {"model": "gpt-oss-20b"}, "The specified base model does not support"),
    ("azure", {"api_key": "wrong"}, {}, "The key is wrong."),
    ("azure-classic", {"query": {"api-version": "2023-01-01"}}, {}, "Resource not found."),
    ("azure-classic", {}, {"metadata": {"a": "b"}}, "metadata is not known."),
    ("bedrock", {}, {"method": RFT}, "The grader must be a Lambda function."),
    ("bedrock", {}, {}, "The grader must be a Lambda function."),
    (
        "nebius",
        {},
        {"method": {"type": "supervised"}, "hyperparameters": {"n_epochs": 1}},
        "Give method or hyperparameters.",
    ),
    ("nebius", {}, {"hyperparameters": {"n_epochs": 21}}, "A setting is out of its range."),
    ("unsloth", {}, {"extra_body": {"trainingType": "Standard"}}, "Unknown keys: trainingType"),
    ("unsloth", {}, {"method": {"type": "dpo"}}, "Only supervised jobs can be run."),
    ("litellm", {}, {}, "No managed file and no custom_llm_provider was given."),
    ("portkey", {}, {}, "The header x-portkey-provider is missing."),
    ("compatible", {"api_key": "wrong"}, {}, "The key is wrong."),
]


@pytest.mark.parametrize(
    ("service", "options", "job", "message"),
    REFUSED,
    indirect=["service"],
    ids=[f"{name}-{number}" for number, (name, *_) in enumerate(REFUSED)],
)
def test_service__refuses_what_the_provider_refuses(
    service: Service, options: dict[str, Any], job: dict[str, Any], message: str
) -> None:
    provider = PROVIDERS[service.provider]
    bare = type(provider)(
        name="bare", base_url=service.base, key_header=provider.key_header, keeps_ids=True
    )
    settings = {"api_key": service.key, "query": {"api-version": "2024-10-21"}, **options}
    with Client(provider=bare, **settings) as client, pytest.raises(APIStatusError) as caught:
        client.jobs.create(**{**MESSAGE, **job})
    assert message in caught.value.message
    assert len(service.refused) == 1
