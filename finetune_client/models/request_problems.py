"""What makes the request of a job one that the API would not take.

The JSON form is looked at, so that it is the same whether models or plain dicts were given.
https://platform.openai.com/docs/api-reference/fine-tuning/create
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finetune_client.display import format_value
from finetune_client.models.checks import (
    choice,
    needed_object,
    needed_text,
    needed_texts,
    number,
    object_at,
    optional_text,
    unsendable,
)
from finetune_client.models.graders.rules import grader_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.providers.limits import Limits

__all__ = ["request_problems"]

METHODS = ("supervised", "dpo", "reinforcement")


def request_problems(sent: Mapping[str, Any], limits: Limits) -> list[str]:
    """List all that is wrong with the JSON form of a request, each with its path."""
    found = [
        *needed_text("model", sent.get("model")),
        *needed_text("training_file", sent.get("training_file")),
        *optional_text("validation_file", sent.get("validation_file")),
        *_suffix(sent.get("suffix"), limits),
        *number("seed", sent.get("seed"), limits.seed),
        *_metadata(sent.get("metadata"), limits),
        *_settings("hyperparameters", sent.get("hyperparameters"), "supervised", limits),
        *_method("method", sent.get("method"), limits),
        *_integrations("integrations", sent.get("integrations")),
    ]
    places = {problem.partition(": ")[0] for problem in found}
    rest = (one for one in unsendable("", sent) if one.partition(": ")[0] not in places)
    return [*found, *rest]


def _suffix(suffix: Any, limits: Limits) -> Iterator[str]:
    if suffix is None:
        return
    characters = limits.suffix_characters
    if not isinstance(suffix, str):
        yield f"suffix: must be text, got {format_value(suffix)}"
    elif not 1 <= len(suffix) <= limits.suffix:
        yield f"suffix: must have 1 to {limits.suffix} characters, got {len(suffix)}"
    elif characters and not re.fullmatch(f"[{characters}]*", suffix):
        yield f"suffix: must have only characters of {characters}, got {format_value(suffix)}"


def _metadata(metadata: Any, limits: Limits) -> Iterator[str]:
    yield from object_at("metadata", metadata)
    if not isinstance(metadata, Mapping):
        return
    if len(metadata) > limits.metadata_pairs:
        yield f"metadata: must have at most {limits.metadata_pairs} pairs, got {len(metadata)}"
    for key, value in metadata.items():
        yield from _pair(key, value, limits)


def _pair(key: Any, value: Any, limits: Limits) -> Iterator[str]:
    if not isinstance(key, str):
        yield f"metadata: each key must be text, got {format_value(key)}"
    elif len(key) > limits.metadata_key:
        length = f"{limits.metadata_key} characters, got {len(key)}"
        yield f"metadata: the key {format_value(key)} must have at most {length}"
    if not isinstance(value, str):
        yield f"metadata.{key}: must be text, got {format_value(value)}"
    elif len(value) > limits.metadata_value:
        length = f"{limits.metadata_value} characters, got {len(value)}"
        yield f"metadata.{key}: must have at most {length}"


def _method(at: str, method: Any, limits: Limits) -> Iterator[str]:
    yield from object_at(at, method)
    if not isinstance(method, Mapping):
        return
    kind = method.get("type")
    yield from needed_text(f"{at}.type", kind)
    if isinstance(kind, str) and kind.strip() and method.get(kind) is None:
        yield f'{at}.{kind}: is missing, though {at}.type is "{kind}"'
    for name in METHODS:
        yield from _one_method(f"{at}.{name}", method.get(name), name, limits)


def _one_method(at: str, method: Any, name: str, limits: Limits) -> Iterator[str]:
    yield from object_at(at, method)
    if not isinstance(method, Mapping):
        return
    yield from _settings(f"{at}.hyperparameters", method.get("hyperparameters"), name, limits)
    if name == "reinforcement":
        yield from grader_problems(method.get("grader"), f"{at}.grader")
        yield from object_at(f"{at}.response_format", method.get("response_format"))


def _settings(at: str, settings: Any, method: str, limits: Limits) -> Iterator[str]:
    yield from object_at(at, settings)
    if not isinstance(settings, Mapping):
        return
    for name, bounds in limits.hyperparameters(method).items():
        yield from number(f"{at}.{name}", settings.get(name), bounds)
    if method == "reinforcement" and settings.get("reasoning_effort") is not None:
        known = limits.reasoning_efforts
        yield from choice(f"{at}.reasoning_effort", settings["reasoning_effort"], known)


def _integrations(at: str, integrations: Any) -> Iterator[str]:
    if integrations is None:
        return
    if not isinstance(integrations, (list, tuple)):
        yield f"{at}: must be an array, got {format_value(integrations)}"
        return
    for place, one in enumerate(integrations):
        yield from _integration(f"{at}[{place}]", one)


def _integration(at: str, integration: Any) -> Iterator[str]:
    if not isinstance(integration, Mapping):
        yield from needed_object(at, integration)
        return
    kind, wandb = integration.get("type"), integration.get("wandb")
    yield from needed_text(f"{at}.type", kind)
    if kind == "wandb":
        yield from needed_object(f"{at}.wandb", wandb)
    if isinstance(wandb, Mapping):
        yield from _wandb(f"{at}.wandb", wandb)


def _wandb(at: str, settings: Mapping[str, Any]) -> Iterator[str]:
    yield from needed_text(f"{at}.project", settings.get("project"))
    for name in ("name", "entity"):
        yield from optional_text(f"{at}.{name}", settings.get(name), empty=True)
    tags = settings.get("tags")
    if tags is not None and tags not in ([], ()):
        yield from needed_texts(f"{at}.tags", tags)
