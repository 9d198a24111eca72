from __future__ import annotations

import pytest

from finetune_client.errors import DecodeError
from finetune_client.models import Integration, WandbIntegration

SENT = {
    "type": "wandb",
    "wandb": {"project": "weather", "name": "run 7", "entity": "acme", "tags": ["a", "b"]},
}


def test_integration__reads_and_writes_the_settings() -> None:
    integration = Integration.from_dict(SENT)
    assert integration.wandb == WandbIntegration(
        project="weather", name="run 7", entity="acme", tags=["a", "b"]
    )
    assert integration.to_dict() == SENT


def test_integration__of_settings() -> None:
    assert Integration.of(WandbIntegration(project="weather")).to_dict() == {
        "type": "wandb",
        "wandb": {"project": "weather"},
    }


def test_integration__of_another_kind_is_kept() -> None:
    sent = {"type": "mlflow", "mlflow": {"experiment": "e"}}
    integration = Integration.from_dict(sent)
    assert (integration.type, integration.wandb, integration.extra) == (
        "mlflow",
        None,
        {"mlflow": {"experiment": "e"}},
    )
    assert integration.to_dict() == sent


def test_integration__without_a_type_cannot_be_read() -> None:
    with pytest.raises(DecodeError) as caught:
        Integration.from_dict({"wandb": {"project": "weather"}})
    assert caught.value.message == (
        'Cannot read an Integration: "type" must be text, it is missing.'
    )


def test_wandb__tags_that_are_not_texts_are_kept() -> None:
    sent = {"project": "weather", "tags": ["a", 1]}
    settings = WandbIntegration.from_dict(sent)
    assert (settings.tags, settings.extra) == (None, {"tags": ["a", 1]})
    assert settings.to_dict() == sent


def test_wandb__what_a_server_adds_is_kept() -> None:
    sent = {"project": "weather", "run_id": "ftjob-1", "host": "wandb.example"}
    assert WandbIntegration.from_dict(sent).run_id == "ftjob-1"
    assert WandbIntegration.from_dict(sent).to_dict() == sent
