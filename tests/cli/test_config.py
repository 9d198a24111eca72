from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Finetune

SECRETS = {
    "OPENAI_API_KEY": "sk-made-up-key",
    "OPENAI_ADMIN_KEY": "sk-made-up-admin",
    "OPENAI_WEBHOOK_SECRET": "whsec_bWFkZSB1cA==",
    "HTTPS_PROXY": "http://me:made-up-password@proxy.example:3128",
}


def settings_of(finetune: Finetune, *options: str, **env: str) -> dict[str, dict[str, Any]]:
    done = finetune("config", *options, "--json", **env)
    assert done.exit_code == 0, done.output
    found: dict[str, dict[str, Any]] = json.loads(done.output)["settings"]
    return found


def test_config__says_where_each_setting_comes_from(finetune: Finetune) -> None:
    env = {**SECRETS, "OPENAI_ORG_ID": "org-1", "FINETUNE_LEDGER": "jobs.db"}
    found = settings_of(finetune, OPENAI_BASE_URL="https://box.example/v1", **env)
    assert found["base_url"] == {"value": "https://box.example/v1", "source": "OPENAI_BASE_URL"}
    assert found["provider"] == {"value": "compatible", "source": "told from the URL"}
    assert found["api_key"] == {"value": "set, not shown", "source": "OPENAI_API_KEY"}
    assert found["organization"] == {"value": "org-1", "source": "OPENAI_ORG_ID"}
    assert found["project"] == {"value": None, "source": "not set"}
    assert found["ledger"]["value"].endswith("jobs.db")
    assert found["ledger"]["source"] == "FINETUNE_LEDGER"
    assert found["proxy"] == {"value": "set, not shown", "source": "HTTPS_PROXY"}
    other = settings_of(finetune, "--provider", "nebius", NEBIUS_API_KEY="made-up-nebius")
    assert other["base_url"]["source"] == "provider nebius"
    assert other["api_key"] == {"value": "set, not shown", "source": "NEBIUS_API_KEY"}
    given = settings_of(finetune, "--base-url", "https://a.example/v1", **env)
    assert given["base_url"]["source"] == "--base-url"


def test_config__a_server_on_this_machine_does_not_bill(finetune: Finetune) -> None:
    here = settings_of(finetune, "--base-url", "http://127.0.0.1:8000/v1", **SECRETS)
    assert here["bills"] == {"value": False, "source": "on this machine"}
    there = settings_of(finetune, "--base-url", "https://box.example/v1", **SECRETS)
    assert there["bills"] == {"value": True, "source": "provider compatible"}


def test_config__never_shows_a_key(finetune: Finetune) -> None:
    for options in ((), ("--json",)):
        done = finetune("config", *options, **SECRETS)
        assert done.exit_code == 0
        assert "made-up" not in done.output
        assert "bWFkZSB1cA" not in done.output


def test_config__without_a_key_says_what_is_missing(finetune: Finetune) -> None:
    found = settings_of(finetune)
    assert found["base_url"]["value"] == "https://api.openai.com/v1"
    assert found["api_key"]["value"] is None
    assert "OPENAI_API_KEY is not set" in found["api_key"]["source"]
    done = finetune("config")
    assert "api_key\t-\tThere is no API key" in done.output


@pytest.mark.parametrize("options", [("--base-url", "https://[x/v1"), ("--provider", "azure")])
def test_config__what_is_wrong_is_told_as_everywhere(
    finetune: Finetune, options: tuple[str, ...]
) -> None:
    assert finetune("config", *options, OPENAI_API_KEY="sk-made-up").exit_code == 2
