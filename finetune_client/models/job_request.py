"""The request that creates a job.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from finetune_client.backports import Self
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
from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_integer,
    pop_model,
    pop_models,
    pop_object,
    pop_text,
    read_foreign,
    to_plain,
    write_fields,
)
from finetune_client.models.hyperparameters import Hyperparameters
from finetune_client.models.integrations import Integration, WandbIntegration
from finetune_client.models.methods import (
    METHODS,
    DpoMethod,
    FineTuningMethod,
    MethodType,
    ReinforcementMethod,
    SupervisedMethod,
)
from finetune_client.providers import Feature, Limits, find_provider

__all__ = ["AnyIntegration", "AnyMethod", "FineTuningJobRequest"]

AnyMethod = (
    FineTuningMethod | SupervisedMethod | DpoMethod | ReinforcementMethod | Mapping[str, Any]
)
"""A method, or its settings alone, or the plain dict of a method."""

AnyIntegration = Integration | WandbIntegration | Mapping[str, Any]
"""An integration, or its settings alone, or the plain dict of an integration."""


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class FineTuningJobRequest(APIObject):
    """What a job is to be. Wherever a model is taken, its plain dict is taken too.

    So is an object of the official SDK's, or any other that has ``to_dict`` or ``model_dump``.

    Attributes:
        model: What to start from: a base model, or one that is fine-tuned already.
        training_file: The id of a file with purpose ``fine-tune``.
        validation_file: The id of another such file.
        suffix: Goes into the name of the new model.
        seed: Makes training repeatable.
        method: How to train, with the settings; supervised if not given.
        hyperparameters: Settings of a supervised job, the old way; not used if there is a method.
        integrations: Where the job reports to.
        metadata: Pairs of texts of your own.
        extra: Other keys to send, such as ``{"trainingType": "globalstandard"}`` for Azure.
    """

    model: str | None = None
    training_file: str | None = None
    validation_file: str | None = None
    suffix: str | None = None
    seed: int | None = None
    method: AnyMethod | None = None
    hyperparameters: Hyperparameters | Mapping[str, Any] | None = None
    integrations: Sequence[AnyIntegration] | None = None
    metadata: Mapping[str, str] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    _repr_fields: ClassVar[tuple[str, ...]] = ("model", "training_file", "method", "suffix")

    def __post_init__(self) -> None:
        """Put settings that were given alone under the key they belong to."""
        self.method = read_foreign(self.method)
        self.hyperparameters = read_foreign(self.hyperparameters)
        if isinstance(self.method, (SupervisedMethod, DpoMethod, ReinforcementMethod)):
            self.method = FineTuningMethod.of(self.method)
        if isinstance(self.integrations, (list, tuple)):
            self.integrations = [_as_integration(one) for one in self.integrations]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read the JSON form, such as a file that describes a job."""
        rest = copy_fields(cls, data)
        return cls(
            model=pop_text(rest, "model"),
            training_file=pop_text(rest, "training_file"),
            validation_file=pop_text(rest, "validation_file"),
            suffix=pop_text(rest, "suffix"),
            seed=pop_integer(rest, "seed"),
            method=pop_model(rest, "method", FineTuningMethod.from_dict),
            hyperparameters=pop_model(rest, "hyperparameters", Hyperparameters.from_dict),
            integrations=pop_models(rest, "integrations", Integration.from_dict),
            metadata=pop_object(rest, "metadata"),
            extra=rest,
        )

    def problems(self, limits: str | Limits = "openai") -> list[str]:
        """List all that makes this a request which the API would not take, each with its path.

        ``method.dpo.hyperparameters.beta: must be > 0 and <= 2, got 3``

        Args:
            limits: Those of a provider, by its name, or your own.

        Raises:
            ConfigurationError: There is no provider of this name.
        """
        if isinstance(limits, str):
            limits = find_provider(limits).limits
        return request_problems(self.to_dict(), limits)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        return write_fields(
            {
                "model": self.model,
                "training_file": self.training_file,
                "validation_file": self.validation_file,
                "suffix": self.suffix,
                "seed": self.seed,
                "method": to_plain(self.method),
                "hyperparameters": to_plain(self.hyperparameters),
                "integrations": to_plain(self.integrations),
                "metadata": to_plain(self.metadata),
            },
            self.extra,
        )


def _as_integration(one: Any) -> Any:
    return Integration.of(one) if isinstance(one, WandbIntegration) else read_foreign(one)


def request_problems(sent: Mapping[str, Any], limits: Limits) -> list[str]:
    """List all that is wrong with the JSON form of a request, each with its path."""
    found = [
        *needed_text("model", sent.get("model")),
        *_file_problems("training_file", sent.get("training_file"), is_needed=True),
        *_file_problems("validation_file", sent.get("validation_file"), is_needed=False),
        *_suffix_problems(sent.get("suffix"), limits),
        *number("seed", sent.get("seed"), limits.seed),
        *_metadata_problems(sent.get("metadata"), limits),
        *_hyperparameter_problems(
            "hyperparameters", sent.get("hyperparameters"), MethodType.SUPERVISED, limits
        ),
        *_method_problems("method", sent.get("method"), limits),
        *_integrations_problems("integrations", sent.get("integrations")),
    ]
    places = {problem.partition(": ")[0] for problem in found}
    rest = (one for one in unsendable("", sent) if one.partition(": ")[0] not in places)
    return [*found, *rest]


def _file_problems(at: str, value: Any, *, is_needed: bool) -> Iterator[str]:
    if value is not None and not isinstance(value, str):
        yield f"{at}: must be the id of an uploaded file, as text, got {format_value(value)}"
    elif is_needed or value is not None:
        yield from needed_text(at, value)


def needed_features(sent: Mapping[str, Any]) -> Iterator[tuple[Feature, str]]:
    """Yield what a server must have for the JSON form of a request, each in words too."""
    features: tuple[Feature, ...] = ("method", "metadata", "integrations", "suffix")
    for feature in features:  # they are called like the keys that need them
        if sent.get(feature):
            yield feature, f"a job's {feature}"
    if "method" in sent and "hyperparameters" in sent:
        yield "method_and_hyperparameters", "method and hyperparameters in one job"


def _suffix_problems(suffix: Any, limits: Limits) -> Iterator[str]:
    if suffix is None:
        return
    characters = limits.suffix_characters
    if not isinstance(suffix, str):
        yield f"suffix: must be text, got {format_value(suffix)}"
    elif not 1 <= len(suffix) <= limits.suffix:
        yield f"suffix: must have 1 to {limits.suffix} characters, got {len(suffix)}"
    elif characters and not re.fullmatch(f"[{characters}]*", suffix):
        yield f"suffix: must have only characters of {characters}, got {format_value(suffix)}"


def _metadata_problems(metadata: Any, limits: Limits) -> Iterator[str]:
    yield from object_at("metadata", metadata)
    if not isinstance(metadata, Mapping):
        return
    if len(metadata) > limits.metadata_pairs:
        yield f"metadata: must have at most {limits.metadata_pairs} pairs, got {len(metadata)}"
    for key, value in metadata.items():
        yield from _pair_problems(key, value, limits)


def _pair_problems(key: Any, value: Any, limits: Limits) -> Iterator[str]:
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


def _method_problems(at: str, method: Any, limits: Limits) -> Iterator[str]:
    yield from object_at(at, method)
    if not isinstance(method, Mapping):
        return
    kind = method.get("type")
    yield from needed_text(f"{at}.type", kind)
    if isinstance(kind, str) and kind.strip() and method.get(kind) is None:
        # By the schema only the grader of reinforcement is needed. Settings of another method
        # contradict the type: one of the two is a slip, in a job that is paid for.
        others = any(method.get(name) is not None for name in METHODS)
        if kind == MethodType.REINFORCEMENT or others:
            yield f'{at}.{kind}: is missing, though {at}.type is "{kind}"'
    for name in METHODS:
        yield from _settings_problems(f"{at}.{name}", method.get(name), name, limits)


def _settings_problems(at: str, method: Any, name: str, limits: Limits) -> Iterator[str]:
    yield from object_at(at, method)
    if not isinstance(method, Mapping):
        return
    yield from _hyperparameter_problems(
        f"{at}.hyperparameters", method.get("hyperparameters"), name, limits
    )
    if name == MethodType.REINFORCEMENT:
        from finetune_client.models.graders.registry import grader_problems  # many modules

        yield from grader_problems(method.get("grader"), f"{at}.grader")
        yield from object_at(f"{at}.response_format", method.get("response_format"))


def _hyperparameter_problems(at: str, settings: Any, method: str, limits: Limits) -> Iterator[str]:
    yield from object_at(at, settings)
    if not isinstance(settings, Mapping):
        return
    for name, bounds in limits.hyperparameters(method).items():
        yield from number(f"{at}.{name}", settings.get(name), bounds)
    effort, known = settings.get("reasoning_effort"), limits.reasoning_efforts
    if method == MethodType.REINFORCEMENT and effort is not None and known is not None:
        yield from choice(f"{at}.reasoning_effort", effort, known)


def _integrations_problems(at: str, integrations: Any) -> Iterator[str]:
    if integrations is None:
        return
    if not isinstance(integrations, (list, tuple)):
        yield f"{at}: must be an array, got {format_value(integrations)}"
        return
    for place, one in enumerate(integrations):
        yield from _integration_problems(f"{at}[{place}]", one)


def _integration_problems(at: str, integration: Any) -> Iterator[str]:
    if not isinstance(integration, Mapping):
        yield from needed_object(at, integration)
        return
    kind, wandb = integration.get("type"), integration.get("wandb")
    yield from needed_text(f"{at}.type", kind)
    if kind == "wandb":
        yield from needed_object(f"{at}.wandb", wandb)
    if isinstance(wandb, Mapping):
        yield from _wandb_problems(f"{at}.wandb", wandb)


def _wandb_problems(at: str, settings: Mapping[str, Any]) -> Iterator[str]:
    yield from needed_text(f"{at}.project", settings.get("project"))
    for name in ("name", "entity"):
        yield from optional_text(f"{at}.{name}", settings.get(name), empty=True)
    tags = settings.get("tags")
    if tags is not None and tags not in ([], ()):
        yield from needed_texts(f"{at}.tags", tags)
