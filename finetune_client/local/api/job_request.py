"""Reading the body of ``POST /fine_tuning/jobs``; every mistake is a 400 that names the parameter.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from finetune_client.grading import check_grader, check_runnable
from finetune_client.local.http.errors import (
    RequestRefusedError,
    invalid_value,
    missing_parameter,
)
from finetune_client.local.http.request_fields import (
    check_known,
    read_choice,
    read_integer,
    read_number,
    read_text,
)
from finetune_client.local.training.hyperparameters import HYPERPARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_job_request"]

_METHODS = tuple(HYPERPARAMETERS)
_EFFORTS = ("default", "low", "medium", "high")
_MAX_INTEGER = 2**31 - 1
_INTEGERS = {
    "batch_size": (1, 256),
    "n_epochs": (1, 50),
    "eval_interval": (1, _MAX_INTEGER),
    "eval_samples": (1, _MAX_INTEGER),
}
_NUMBERS = {
    "learning_rate_multiplier": (0.0, float("inf")),
    "beta": (0.0, 2.0),
    "compute_multiplier": (0.00001, 10.0),
}


def read_job_request(body: Mapping[str, Any], *, allow_python: bool) -> dict[str, Any]:
    """Return the request with every key present, and one method with its settings.

    Args:
        body: The request's body.
        allow_python: Whether python graders are run here.
    """
    request = {
        "model": read_text(body, "model", required=True),
        "training_file": read_text(body, "training_file", required=True),
        "validation_file": read_text(body, "validation_file"),
        "suffix": read_text(body, "suffix", max_length=64),
        "seed": read_integer(body, "seed", 0, _MAX_INTEGER),
        "integrations": _integrations(body.get("integrations")),
        "metadata": _metadata(body.get("metadata")),
        "method": _method(body, allow_python=allow_python),
    }
    if request["method"]["type"] == "reinforcement" and request["validation_file"] is None:
        raise missing_parameter("validation_file", "A reinforcement job needs one.")
    return request


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid_type(name, "an object")
    return value


def _invalid_type(name: str, expected: str) -> RequestRefusedError:
    message = f"Invalid value for '{name}': expected {expected}."
    return RequestRefusedError(400, message, code="invalid_type", param=name)


def _method(body: Mapping[str, Any], *, allow_python: bool) -> dict[str, Any]:
    if "method" not in body:
        settings = _object(body.get("hyperparameters", {}), "hyperparameters")
        given = _hyperparameters(settings, "supervised", "hyperparameters.")
        return {"type": "supervised", "supervised": {"hyperparameters": given}}
    method = _object(body["method"], "method")
    kind: str = read_choice(method, "type", _METHODS, where="method.", required=True)
    where = f"method.{kind}"
    settings = _object(method.get(kind, {}), where)
    raw = _object(settings.get("hyperparameters", {}), f"{where}.hyperparameters")
    read: dict[str, Any] = {
        "hyperparameters": _hyperparameters(raw, kind, f"{where}.hyperparameters.")
    }
    if kind == "reinforcement":
        read |= _reinforcement(settings, where, allow_python=allow_python)
    return {"type": kind, kind: read}


def _reinforcement(
    settings: Mapping[str, Any], where: str, *, allow_python: bool
) -> dict[str, Any]:
    grader = check_grader(settings.get("grader"), f"{where}.grader")
    check_runnable(grader, f"{where}.grader", allow_python=allow_python)
    kept = {"grader": grader}
    if "response_format" in settings:
        kept["response_format"] = settings["response_format"]
    return kept


def _hyperparameters(given: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    check_known(given, HYPERPARAMETERS[kind], where)
    return {name: _hyperparameter(given, name, where) for name in given if given[name] is not None}


def _hyperparameter(given: Mapping[str, Any], name: str, where: str) -> Any:
    if name == "reasoning_effort":
        return read_choice(given, name, _EFFORTS, where=where)
    if given[name] == "auto":
        return "auto"
    if name in _INTEGERS:
        return read_integer(given, name, *_INTEGERS[name], where=where)
    return read_number(given, name, *_NUMBERS[name], where=where)


def _integrations(given: object) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > 5:
        raise _invalid_type("integrations", "a list of at most 5")
    return [_integration(one, f"integrations[{place}]") for place, one in enumerate(given)]


def _integration(given: object, where: str) -> dict[str, Any]:
    integration = _object(given, where)
    read_choice(integration, "type", ("wandb",), where=f"{where}.", required=True)
    wandb = _object(integration.get("wandb"), f"{where}.wandb")
    read_text(wandb, "project", where=f"{where}.wandb.", required=True)
    return {"type": "wandb", "wandb": wandb}


def _metadata(given: object) -> dict[str, str] | None:
    if given is None:
        return None
    pairs = _object(given, "metadata")
    if len(pairs) > 16:
        raise invalid_value(
            f"Invalid 'metadata': at most 16 pairs, but got {len(pairs)}.", "metadata"
        )
    for key, value in pairs.items():
        if not isinstance(value, str) or len(value) > 512 or len(key) > 64:
            raise invalid_value(
                f"Invalid 'metadata': the key '{key[:80]}' must have at most 64 characters, and "
                "its value must be a string of at most 512.",
                "metadata",
            )
    return pairs
