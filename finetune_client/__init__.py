"""A synchronous client for OpenAI-compatible fine-tuning APIs.

Everything is loaded on first use: ``import finetune_client`` loads no third-party module. Type
checkers read ``__init__.pyi``.
"""

from __future__ import annotations

from finetune_client import errors, models
from finetune_client.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "._version": ["__version__"],
        ".client": ["Client"],
        ".errors": errors.__all__,
        ".models": models.__all__,
        ".training_data": ["training_data"],
        ".webhooks": ["webhooks"],
    },
)
