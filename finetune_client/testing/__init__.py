"""The fine-tuning API for the tests of programs that use it: in process, with a clock of its own.

With pytest the fixtures ``finetune_api``, ``finetune_client`` and ``finetune_server`` are there
once the package is installed; unittest uses `fake_api`.
"""

from __future__ import annotations

from finetune_client.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        ".clock": ["VirtualClock"],
        ".api": ["FakeAPI", "RecordedRequest", "fake_api"],
    },
)
