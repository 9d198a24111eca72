"""The request that creates a job.

https://platform.openai.com/docs/api-reference/fine-tuning/create
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from finetune_client.models.codec import (
    APIObject,
    copy_fields,
    pop_integer,
    pop_model,
    pop_models,
    pop_object,
    pop_text,
    to_plain,
    write_fields,
)
from finetune_client.models.hyperparameters import Hyperparameters
from finetune_client.models.integrations import Integration, WandbIntegration
from finetune_client.models.methods import (
    DpoMethod,
    FineTuningMethod,
    ReinforcementMethod,
    SupervisedMethod,
)
from finetune_client.models.request_problems import request_problems
from finetune_client.providers import find_provider

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Self

    from finetune_client.providers import Limits

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

    Attributes:
        model: What to start from: a base model, or one that is fine-tuned already.
        training_file: The id of a file with purpose ``fine-tune``.
        validation_file: The id of another such file.
        suffix: Goes into the name of the new model.
        seed: Makes training repeatable.
        method: How to train, with the settings; supervised if not given.
        hyperparameters: Settings of a supervised job, the old way; not used if there is a method.
        integrations: Where the job shall report to.
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
        if isinstance(self.method, (SupervisedMethod, DpoMethod, ReinforcementMethod)):
            self.method = FineTuningMethod.of(self.method)
        if isinstance(self.integrations, (list, tuple)):
            self.integrations = [_integration(one) for one in self.integrations]

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


def _integration(one: Any) -> Any:
    return Integration.of(one) if isinstance(one, WandbIntegration) else one
