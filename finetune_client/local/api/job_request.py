"""Reading the body of ``POST /fine_tuning/jobs``, every slip a 400 that names the parameter.

https://platform.openai.com/docs/api-reference/fine-tuning/create
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.grading import check_grader, check_runnable
from finetune_client.local.http.errors import WireError
from finetune_client.local.http.request_fields import choice, integer, number, only, text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METHODS", "job_request"]

METHODS = ("supervised", "dpo", "reinforcement")
_EFFORTS = ("default", "low", "medium", "high")
_MANY = 2**31 - 1
_INTEGERS = {
    "batch_size": (1, 256),
    "n_epochs": (1, 50),
    "eval_interval": (1, _MANY),
    "eval_samples": (1, _MANY),
}
_NUMBERS = {
    "learning_rate_multiplier": (0.0, float("inf")),
    "beta": (0.0, 2.0),
    "compute_multiplier": (0.00001, 10.0),
}
_COMMON = ("batch_size", "learning_rate_multiplier", "n_epochs")
_OF_METHOD = {
    "supervised": _COMMON,
    "dpo": (*_COMMON, "beta"),
    "reinforcement": (
        *_COMMON,
        "reasoning_effort",
        "compute_multiplier",
        "eval_interval",
        "eval_samples",
    ),
}


def job_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read the body; what is given back has every key, and one method with its settings."""
    request = {
        "model": text(body, "model", required=True),
        "training_file": text(body, "training_file", required=True),
        "validation_file": text(body, "validation_file"),
        "suffix": text(body, "suffix", most=64),
        "seed": integer(body, "seed", 0, _MANY),
        "integrations": _integrations(body.get("integrations")),
        "metadata": _metadata(body.get("metadata")),
        "method": _method(body),
    }
    if request["method"]["type"] == "reinforcement" and request["validation_file"] is None:
        raise WireError(
            400,
            "Missing required parameter: 'validation_file'. A reinforcement job needs one.",
            code="missing_required_parameter",
            param="validation_file",
        )
    return request


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WireError(
            400, f"Invalid value for '{name}': expected an object.", code="invalid_type", param=name
        )
    return value


def _method(body: Mapping[str, Any]) -> dict[str, Any]:
    if "method" not in body:
        settings = _object(body.get("hyperparameters", {}), "hyperparameters")
        given = _hyperparameters(settings, "supervised", "hyperparameters.")
        return {"type": "supervised", "supervised": {"hyperparameters": given}}
    method = _object(body["method"], "method")
    kind: str = choice(method, "type", METHODS, where="method.", required=True)
    where = f"method.{kind}"
    settings = _object(method.get(kind, {}), where)
    raw = _object(settings.get("hyperparameters", {}), f"{where}.hyperparameters")
    read: dict[str, Any] = {
        "hyperparameters": _hyperparameters(raw, kind, f"{where}.hyperparameters.")
    }
    if kind == "reinforcement":
        read |= _reinforcement(settings, where)
    return {"type": kind, kind: read}


def _reinforcement(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    grader = check_grader(settings.get("grader"), f"{where}.grader")
    check_runnable(grader, f"{where}.grader")
    kept = {"grader": grader}
    if "response_format" in settings:
        kept["response_format"] = settings["response_format"]
    return kept


def _hyperparameters(given: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    only(given, _OF_METHOD[kind], where)
    return {name: _hyperparameter(given, name, where) for name in given if given[name] is not None}


def _hyperparameter(given: Mapping[str, Any], name: str, where: str) -> Any:
    if name == "reasoning_effort":
        return choice(given, name, _EFFORTS, where=where)
    if given[name] == "auto":
        return "auto"
    if name in _INTEGERS:
        return integer(given, name, *_INTEGERS[name], where=where)
    return number(given, name, *_NUMBERS[name], where=where)


def _integrations(given: object) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > 5:
        raise WireError(
            400,
            "Invalid value for 'integrations': expected a list of at most 5.",
            code="invalid_type",
            param="integrations",
        )
    return [_integration(one, f"integrations[{place}]") for place, one in enumerate(given)]


def _integration(given: object, where: str) -> dict[str, Any]:
    integration = _object(given, where)
    choice(integration, "type", ("wandb",), where=f"{where}.", required=True)
    wandb = _object(integration.get("wandb"), f"{where}.wandb")
    text(wandb, "project", where=f"{where}.wandb.", required=True)
    return {"type": "wandb", "wandb": wandb}


def _metadata(given: object) -> dict[str, str] | None:
    if given is None:
        return None
    pairs = _object(given, "metadata")
    if len(pairs) > 16:
        raise WireError(
            400,
            f"Invalid 'metadata': at most 16 pairs, but got {len(pairs)}.",
            code="invalid_value",
            param="metadata",
        )
    for key, value in pairs.items():
        if not isinstance(value, str) or len(value) > 512 or len(key) > 64:
            raise WireError(
                400,
                f"Invalid 'metadata': the key '{key[:80]}' must have at most 64 characters, and "
                "its value must be a string of at most 512.",
                code="invalid_value",
                param="metadata",
            )
    return pairs
