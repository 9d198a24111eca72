"""Who speaks this API: one value for each provider, and how to find it."""

from __future__ import annotations

from finetune_client.errors import ConfigurationError
from finetune_client.providers.azure import AZURE, AZURE_CLASSIC
from finetune_client.providers.bedrock import BEDROCK
from finetune_client.providers.compatible import COMPATIBLE
from finetune_client.providers.gateways import LITELLM, PORTKEY
from finetune_client.providers.local import LOCAL
from finetune_client.providers.nebius import NEBIUS
from finetune_client.providers.openai import OPENAI
from finetune_client.providers.provider import Feature, Provider
from finetune_client.providers.request_limits import Bounds, Limits
from finetune_client.providers.training_rules import TrainingRules
from finetune_client.providers.unsloth import UNSLOTH

__all__ = [
    "AZURE",
    "AZURE_CLASSIC",
    "BEDROCK",
    "COMPATIBLE",
    "LITELLM",
    "LOCAL",
    "NEBIUS",
    "OPENAI",
    "PORTKEY",
    "PROVIDERS",
    "UNSLOTH",
    "Bounds",
    "Feature",
    "Limits",
    "Provider",
    "TrainingRules",
    "find_provider",
    "guess_provider",
]

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        OPENAI,
        AZURE,
        AZURE_CLASSIC,
        BEDROCK,
        NEBIUS,
        UNSLOTH,
        LITELLM,
        PORTKEY,
        LOCAL,
        COMPATIBLE,
    )
}
"""By name. Where two providers share their hosts, the first that fits a base URL is taken."""


def find_provider(provider: object) -> Provider:
    """Return a provider by its name; a `Provider` is returned as it is.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if isinstance(provider, Provider):
        return provider
    if isinstance(provider, str) and provider in PROVIDERS:
        return PROVIDERS[provider]
    names = ", ".join(repr(name) for name in PROVIDERS)
    raise ConfigurationError(
        f"provider must be one of {names}, or a Provider, got {provider!r:.100}."
    )


def guess_provider(host: str, url: str) -> Provider:
    """Return the provider of a base URL; `COMPATIBLE` if it is nobody's that is known.

    Args:
        host: In lower case.
        url: The whole base URL, without a slash at the end.
    """
    return next((one for one in PROVIDERS.values() if one.is_at(host, url)), COMPATIBLE)
