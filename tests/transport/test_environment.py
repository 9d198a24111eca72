from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import ConfigurationError
from finetune_client.providers import AZURE, AZURE_CLASSIC, COMPATIBLE, LOCAL, OPENAI, Provider
from finetune_client.transport.environment import azure_settings, settings

if TYPE_CHECKING:
    from finetune_client.transport import Config

KEY = "sk-test-4f1c9d2e7ab85360"
AZURE_HOST = "https://res.openai.azure.com"


def _settings(environ: dict[str, str] | None = None, **given: Any) -> Config:
    return settings(environ=(environ or {}).get, **given)


def _azure(endpoint: str | None = None, environ: Any = None, **given: Any) -> Config:
    return azure_settings(endpoint, environ=(environ or {}).get, **given)


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://api.openai.com/v1", OPENAI),
        ("https://eu.api.openai.com/v1", OPENAI),
        ("https://notapi.openai.com.example/v1", COMPATIBLE),
        ("https://res.openai.azure.com/openai/v1", AZURE),
        ("https://res.cognitiveservices.azure.com/openai/v1/", AZURE),
        ("https://api.studio.nebius.com/v1", COMPATIBLE),
        ("http://127.0.0.1:8000", COMPATIBLE),
    ],
)
def test_provider__is_told_by_the_host(base_url: str, provider: Provider) -> None:
    environ = dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"), KEY)
    config = _settings(environ, base_url=base_url)
    assert config.provider is provider
    assert config.credential.header == provider.key_header


def test_provider__by_name_or_value() -> None:
    mine = Provider(name="mine", base_url="https://mine.example/v1", environment=("MINE_KEY",))
    assert _settings(api_key=KEY, provider="compatible", base_url="https://a.b").provider is (
        COMPATIBLE
    )
    config = _settings({"MINE_KEY": "sk-mine"}, provider=mine)
    assert config.base_url.url == "https://mine.example/v1"
    assert config.credential.secret() == "sk-mine"


def test_provider__unknown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings(api_key=KEY, provider="opnai")
    assert caught.value.message == (
        "provider must be one of 'openai', 'azure', 'azure-classic', 'bedrock', 'nebius', "
        "'unsloth', 'litellm', 'portkey', 'local', 'compatible', or a Provider, got 'opnai'."
    )


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("azure", "use Client.azure(endpoint)"),
        ("azure-classic", "use Client.azure(endpoint)"),
        ("local", "use Client.local()"),
        ("bedrock", "give base_url="),
        ("unsloth", "give base_url="),
        ("litellm", "give base_url="),
    ],
)
def test_provider__without_a_place(name: str, way: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings(api_key=KEY, provider=name)
    assert caught.value.message == (
        f"The provider {name!r} is not in one place that is known: {way}."
    )


def test_base_url__given_then_environment_then_openai() -> None:
    environ = {"OPENAI_BASE_URL": "https://env.example/v1", "OPENAI_API_KEY": KEY}
    assert _settings(environ, base_url="https://mine.example").base_url.host == "mine.example"
    assert _settings(environ).base_url.host == "env.example"
    assert _settings({**environ, "OPENAI_BASE_URL": " "}).base_url.host == "api.openai.com"


def test_base_url__bad_in_the_environment_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings({"OPENAI_BASE_URL": "https://a b"}, api_key=KEY)
    assert caught.value.message == (
        "OPENAI_BASE_URL must not have spaces or control characters in it."
    )


@pytest.mark.parametrize("environ", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " \n"}])
def test_key__missing_says_both_ways_out(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings(environ)
    assert caught.value.message == (
        "There is no API key: none was given, and the environment variable OPENAI_API_KEY is not "
        "set. Give api_key=... or set OPENAI_API_KEY (api_key=False is for a server that needs "
        "none). To run without a key or an account, use Client.local() (the command: --local), which "
        "is the API on this "
        "machine."
    )


def test_key__given_wins_and_false_sends_none() -> None:
    environ = {"OPENAI_API_KEY": "sk-env"}
    assert _settings(environ, api_key=KEY).credential.secret() == KEY
    assert _settings(environ).credential.secret() == "sk-env"
    assert _settings(environ, api_key=False).credential.secret() is None
    assert _settings(base_url="http://localhost/v1", provider=LOCAL).credential.secret() is None


MANTLE = "https://bedrock-mantle.us-west-2.api.aws/v1"


@pytest.mark.parametrize(
    ("more", "given", "key"),
    [
        ({"OPENAI_BASE_URL": MANTLE}, {}, "sk-env"),
        ({"OPENAI_BASE_URL": MANTLE, "AWS_BEARER_TOKEN_BEDROCK": "aws"}, {}, "aws"),
        ({"OPENAI_BASE_URL": MANTLE}, {"api_key": KEY}, KEY),
        ({"OPENAI_BASE_URL": f"{AZURE_HOST}/openai/v1"}, {}, "sk-env"),
        (
            {"OPENAI_BASE_URL": f"{AZURE_HOST}/openai/v1", "AZURE_OPENAI_AD_TOKEN": "entra"},
            {},
            "entra",
        ),
    ],
)
def test_key__openais_variable_goes_with_its_base_url_whoever_is_there(
    more: dict[str, str], given: dict[str, Any], key: str
) -> None:
    assert _settings({"OPENAI_API_KEY": "sk-env", **more}, **given).credential.secret() == key


@pytest.mark.parametrize(
    "given",
    [{"base_url": MANTLE}, {"provider": "bedrock", "base_url": MANTLE}, {"provider": "nebius"}],
)
def test_key__openais_goes_to_no_other_providers_address_from_elsewhere(
    given: dict[str, Any],
) -> None:
    environ = {"OPENAI_API_KEY": "sk-env", "OPENAI_BASE_URL": "https://env.example/v1"}
    with pytest.raises(ConfigurationError, match="There is no API key"):
        _settings(environ, **given)


def test_admin_key__from_the_environment_of_openai_only() -> None:
    environ = {"OPENAI_ADMIN_KEY": "sk-admin"}
    assert _settings(environ, api_key=KEY).admin_credential.secret() == "sk-admin"
    other = _settings(environ, api_key=KEY, base_url="https://gateway.example")
    assert other.admin_credential.secret() is None
    assert _settings(api_key=KEY, admin_key="sk-a").admin_credential.secret() == "sk-a"


def test_account__headers() -> None:
    environ = {"OPENAI_ORG_ID": "org-env", "OPENAI_PROJECT_ID": "", "OPENAI_API_KEY": KEY}
    assert _settings(environ).headers == {"OpenAI-Organization": "org-env"}
    assert _settings(environ, organization="org-1", project="proj-1").headers == {
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj-1",
    }
    assert _azure(AZURE_HOST, {**environ, "AZURE_OPENAI_API_KEY": KEY}).headers == {}


@pytest.mark.parametrize(
    ("endpoint", "version", "url", "query"),
    [
        (AZURE_HOST, None, f"{AZURE_HOST}/openai/v1", ()),
        (f"{AZURE_HOST}/", "v1", f"{AZURE_HOST}/openai/v1", (("api-version", "v1"),)),
        (
            f"{AZURE_HOST}/openai",
            "preview",
            f"{AZURE_HOST}/openai/v1",
            (("api-version", "preview"),),
        ),
        (f"{AZURE_HOST}/openai/v1/", None, f"{AZURE_HOST}/openai/v1", ()),
        (AZURE_HOST, "2024-10-21", f"{AZURE_HOST}/openai", (("api-version", "2024-10-21"),)),
        (
            f"{AZURE_HOST}/openai/v1",
            "2025-03-01-preview",
            f"{AZURE_HOST}/openai",
            (("api-version", "2025-03-01-preview"),),
        ),
        (
            "https://gw.example/azure/openai/deployments/ft",
            "2024-10-21",
            "https://gw.example/azure/openai",
            (("api-version", "2024-10-21"),),
        ),
    ],
)
def test_azure__address_and_version(endpoint: str, version: Any, url: str, query: Any) -> None:
    config = _azure(endpoint, api_key=KEY, api_version=version)
    assert config.base_url.url == url
    assert config.query == query
    assert config.provider is (AZURE_CLASSIC if version and version[0] == "2" else AZURE)


def test_azure__from_the_environment() -> None:
    environ = {
        "AZURE_OPENAI_ENDPOINT": AZURE_HOST,
        "AZURE_OPENAI_API_KEY": "azure-key",
        "OPENAI_API_VERSION": "2024-10-21",
        "OPENAI_API_KEY": "sk-not-this-one",
    }
    config = _azure(environ=environ)
    assert config.provider is AZURE_CLASSIC
    assert (config.credential.header, config.credential.secret()) == ("api-key", "azure-key")
    token = _azure(AZURE_HOST, {"AZURE_OPENAI_AD_TOKEN": "entra"}).credential
    assert (token.header, token.secret()) == ("Authorization", "entra")
    asked = _azure(AZURE_HOST, environ, token=lambda: "fresh").credential
    assert (asked.header, asked.secret()) == ("Authorization", "fresh")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"endpoint": AZURE_HOST, "api_key": KEY, "token": KEY},
            "Give api_key= or token=, not both: only one of them is sent.",
        ),
        (
            {"endpoint": None, "api_key": KEY},
            (
                "No Azure endpoint: give it, as 'https://RESOURCE.openai.azure.com', or set the "
                "environment variable AZURE_OPENAI_ENDPOINT."
            ),
        ),
        (
            {"endpoint": AZURE_HOST, "api_key": KEY, "api_version": "a&b"},
            "api_version is not one, such as '2024-10-21': 'a&b'.",
        ),
        (
            {"endpoint": f"{AZURE_HOST}/openai/other", "api_key": KEY},
            "endpoint must be that of the resource, such as 'https://RESOURCE.openai.azure.com'.",
        ),
        (
            {"endpoint": "http://res.openai.azure.com", "api_key": KEY},
            (
                "endpoint is plain http to res.openai.azure.com, which would show the key to the "
                "network. Use https, or pass allow_http=True (--allow-http) if that network is trusted."
            ),
        ),
    ],
)
def test_azure__refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _azure(**given)
    assert caught.value.message == message


def test_azure__no_key() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _azure(AZURE_HOST, {"OPENAI_API_KEY": KEY})
    assert caught.value.message.startswith(
        "There is no API key: none was given, and the environment variable AZURE_OPENAI_API_KEY "
    )


def test_azure_classic__by_base_url_needs_a_version() -> None:
    given: dict[str, Any] = {"api_key": KEY, "base_url": f"{AZURE_HOST}/openai"}
    with pytest.raises(ConfigurationError) as caught:
        _settings(**given)
    assert caught.value.message == (
        "This base URL is that of Azure's classic API, which needs a version: use "
        "Client.azure(endpoint, api_version='2024-10-21'), or set OPENAI_API_VERSION."
    )
    named = _settings({"OPENAI_API_VERSION": "2024-10-21"}, **given)
    assert named.query == (("api-version", "2024-10-21"),)
    asked = _settings(query={"api-version": "2025-01-01"}, **given)
    assert asked.query == (("api-version", "2025-01-01"),)


CLEAR = (
    "The key goes to vllm:8000 over plain http, where whoever sees that network can read it; use "
    "https, or pass allow_http=True (--allow-http) if that network is trusted"
)


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        ({"base_url": "http://vllm:8000/v1"}, [CLEAR]),
        ({"base_url": "http://vllm:8000/v1", "allow_http": True}, []),
        ({"base_url": "http://vllm:8000/v1", "api_key": False}, []),
        ({"base_url": "http://vllm:8000/v1", "api_key": False, "admin_key": "k"}, [CLEAR]),
        ({"base_url": "https://vllm:8000/v1"}, []),
        ({"base_url": "http://127.0.0.1:8000/v1"}, []),
    ],
)
def test_plain_http__on_a_network_of_ones_own_is_told(
    given: dict[str, Any], logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    _settings(**{"api_key": "sk-1", **given})
    assert [each.getMessage() for each in caplog.records] == logged


def test_plain_http__of_azure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    _azure("http://vllm:8000", api_key="sk-1")
    assert [each.getMessage() for each in caplog.records] == [CLEAR]
