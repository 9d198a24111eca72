"""The options that say which server a command talks to."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from finetune_client.cli.connect import ServerOptions, connect, named_server
from finetune_client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.cli.conftest import Finetune

BOX = "http://box.example:8000/v1"


@pytest.mark.parametrize(
    ("base_url", "provider", "allow_http", "named"),
    [
        (None, None, False, ""),
        (BOX, None, True, f" --base-url {BOX} --allow-http"),
        ("https://a.example/v1?", "azure", False, " --base-url 'https://a.example/v1?' --provider azure"),
    ],
)  # fmt: skip
def test_named_server__as_options(
    base_url: str | None, provider: str | None, allow_http: bool, named: str
) -> None:
    server: ServerOptions = {
        "base_url": base_url,
        "provider": provider,
        "allow_http": allow_http,
        "local": False,
        "local_directory": None,
        "allow_python_graders": False,
    }
    assert named_server(server) == named
    assert named_server({**server, "local": True}) == " --local"
    folder = Path("my tunes")
    local = named_server({**server, "local": True, "local_directory": folder})
    assert local == " --local --directory 'my tunes'"


def test_server_options__a_directory_is_for_the_embedded_server(
    finetune: Finetune, remote: str, tmp_path: Path
) -> None:
    done = finetune("list", "--directory", tmp_path, OPENAI_BASE_URL=remote, OPENAI_API_KEY="k")
    assert done.exit_code == 2
    assert "Error: --directory goes with --local.\n" in done.output
    env = {"OPENAI_BASE_URL": remote, "OPENAI_API_KEY": "k", "FINETUNE_DIRECTORY": str(tmp_path)}
    assert finetune("list", **env).exit_code == 0


@pytest.mark.parametrize("provider", [None, "openai", "azure", "azure-classic"])
def test_connect__over_plain_http_only_if_allowed(
    monkeypatch: pytest.MonkeyPatch, provider: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "made-up")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    base_url = "http://box.example:8000" if provider and "azure" in provider else BOX
    with connect(base_url=base_url, provider=provider, allow_http=True) as client:
        assert client.base_url.startswith("http://box.example:8000/")
    with pytest.raises(ConfigurationError, match="plain http"):
        connect(base_url=base_url, provider=provider, allow_http=False)


def test_connect__tells_that_plain_http_is_refused(finetune: Callable[..., Result]) -> None:
    done = finetune("list", "--base-url", BOX, OPENAI_API_KEY="sk-made-up")
    assert done.exit_code == 2
    assert "plain http to box.example" in done.output
    assert "(--allow-http)" in done.output


@pytest.mark.parametrize(
    ("options", "found"),
    [((), True), (("--provider", "azure"), False), (("--provider", "openai"), True)],
)
def test_check__by_the_rules_of_a_provider(
    finetune: Callable[..., Result], train: Path, options: tuple[str, ...], *, found: bool
) -> None:
    """Azure asks for a byte order mark, which others are warned of."""
    train.write_bytes(BOM_UTF8 + train.read_bytes())
    result = finetune("check", train, *options)
    assert (result.exit_code, "byte_order_mark" in result.output) == (0, found)


def test_run__checks_by_the_rules_of_the_provider(
    finetune: Callable[..., Result], train: Path
) -> None:
    train.write_bytes(BOM_UTF8 + train.read_bytes())
    refused = finetune("run", train, "-m", "m", OPENAI_API_KEY="sk-made-up")
    assert "byte_order_mark" in refused.output
    place = "https://box.openai.azure.com/openai/v1/"
    key = {"OPENAI_API_KEY": "sk-made-up", "AZURE_OPENAI_API_KEY": "made-up"}
    for options, named in (
        (("--provider", "azure"), {"AZURE_OPENAI_ENDPOINT": place}),
        (("--base-url", place), {}),
        ((), {"OPENAI_BASE_URL": place}),
    ):
        passed = finetune("run", train, "-m", "m", "--expires-after", "1", *options, **key, **named)
        assert "is fit to train on" in passed.output
        assert "expires_after.seconds must be" in passed.output  # so nothing was sent


def test_run__says_what_is_wrong_with_the_server_before_it_checks_a_file(
    finetune: Callable[..., Result], train: Path
) -> None:
    no_key = finetune("run", train, "-m", "m", "--provider", "azure")
    assert (no_key.exit_code, no_key.output.endswith("AZURE_OPENAI_ENDPOINT.\n")) == (2, True)
    no_url = finetune("run", train, "-m", "m", "--base-url", "https://[x/v1")
    assert (no_url.exit_code, no_url.output.startswith("Error: ")) == (2, True)
