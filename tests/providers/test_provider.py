from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from finetune_client.errors import ConfigurationError
from finetune_client.providers import (
    AZURE,
    AZURE_CLASSIC,
    BEDROCK,
    COMPATIBLE,
    LITELLM,
    NEBIUS,
    OPENAI,
    PORTKEY,
    PROVIDERS,
    UNSLOTH,
    Feature,
    Provider,
    find_provider,
    guess_provider,
)


@pytest.mark.parametrize("name", PROVIDERS)
def test_find__by_name_gives_the_value_of_that_name(name: str) -> None:
    assert find_provider(name) is PROVIDERS[name]
    assert find_provider(name).name == name


def test_find__a_value_is_returned_as_it_is() -> None:
    own = Provider(name="acme")
    assert find_provider(own) is own


@pytest.mark.parametrize("unknown", ["acme", "", None, 3])
def test_find__says_which_names_there_are(unknown: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_provider(unknown)
    names = ", ".join(repr(name) for name in PROVIDERS)
    message = f"provider must be one of {names}, or a Provider, got {unknown!r}."
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1", OPENAI),
        ("https://eu.api.openai.com/v1", OPENAI),
        ("https://api.openai.com.example.net/v1", COMPATIBLE),
        ("https://notapi.openai.com/v1", COMPATIBLE),
        ("https://r.openai.azure.com/openai/v1", AZURE),
        ("https://r.openai.azure.com/openai", AZURE_CLASSIC),
        ("https://r.services.ai.azure.com/api/projects/p/openai/v1", AZURE),
        ("https://openai.azure.com/openai/v1", COMPATIBLE),
        ("https://r.cognitiveservices.azure.com/openai/v1", AZURE),
        ("https://westus3.api.cognitive.microsoft.com/openai/v1", AZURE),
        ("https://westus3.api.cognitive.microsoft.com/openai", AZURE_CLASSIC),
        ("https://bedrock-mantle.us-west-2.api.aws/v1", BEDROCK),
        ("https://lambda.us-west-2.api.aws/v1", COMPATIBLE),
        ("https://bedrock-mantle.us-west-2.api.aws.example.net/v1", COMPATIBLE),
        ("https://api.tokenfactory.nebius.com/v1", NEBIUS),
        ("https://aigw.portkey.ai/v1", PORTKEY),
        ("http://127.0.0.1:8000/v1", COMPATIBLE),
    ],
)
def test_guess__by_host_and_path(url: str, provider: Provider) -> None:
    host = url.split("/")[2].partition(":")[0]
    assert guess_provider(host, url) is provider


def test_is_at__needs_a_known_host_and_the_end_of_the_path() -> None:
    own = Provider(name="acme", hosts=("api.acme.example", ".eu.acme.example"), url_ends_with="/v2")
    assert own.is_at("api.acme.example", "https://api.acme.example/v2")
    assert own.is_at("a.eu.acme.example", "https://a.eu.acme.example/v2")
    assert not own.is_at("eu.acme.example", "https://eu.acme.example/v2")
    assert not own.is_at("api.acme.example", "https://api.acme.example/v1")


def test_provider__can_be_changed_by_replace() -> None:
    patient = replace(OPENAI, first_poll=10.0)
    assert (patient.first_poll, patient.limits) == (10.0, OPENAI.limits)
    assert OPENAI.first_poll != 10.0


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_provider__polls_at_first_no_less_often_than_later(provider: Provider) -> None:
    assert 0 < provider.first_poll <= provider.longest_poll
    assert 0 < provider.max_file_bytes <= provider.max_upload_bytes


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_provider__says_why_it_lacks_a_feature(provider: Provider) -> None:
    assert set(provider.lacks) <= set(get_args(Feature))
    for evidence in provider.lacks.values():
        assert evidence
        assert evidence == evidence.strip().rstrip(".")


def test_provider__what_azure_is_recorded_to_take_is_not_refused() -> None:
    recorded = {"method", "method_and_hyperparameters"}
    assert not recorded & set(AZURE.lacks)
    assert not recorded & set(AZURE_CLASSIC.lacks)
    assert not {"permissions", "delete_model"} & set(AZURE.lacks)


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        (BEDROCK, "AWS_BEARER_TOKEN_BEDROCK"),
        (NEBIUS, "NEBIUS_API_KEY"),
        (PORTKEY, "PORTKEY_API_KEY"),
        (UNSLOTH, "UNSLOTH_API_KEY"),
        (LITELLM, "LITELLM_API_KEY"),
    ],
)
def test_provider__its_key_is_never_openais(provider: Provider, variable: str) -> None:
    assert provider.environment[0] == variable
    assert "OPENAI_API_KEY" not in provider.environment
