"""A synchronous client for OpenAI-compatible fine-tuning APIs."""

from finetune_client._version import __version__

__all__ = ["__version__"]
