"""The tests begin in the same surroundings on every machine, and hypothesis with the same examples.

``pytest --hypothesis-profile=default`` looks for new ones.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SAYS_SOMETHING = re.compile(
    r"(OPENAI|AZURE_OPENAI)_.*"  # to the client
    r"|(HTTPS?|ALL|NO)_PROXY|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_(FILE|DIR)|NETRC"  # to requests
    r"|COLUMNS|LINES|TERM|COLORTERM|NO_COLOR|FORCE_COLOR|TTY_.*"  # to rich and click
    r"|PYTHON(UNBUFFERED|WARNINGS|UTF8|IOENCODING|OPTIMIZE|INSPECT|VERBOSE)"
    r"|_?FINETUNE_COMPLETE|FINETUNE_(LEDGER|SERVE_.*)",
    re.IGNORECASE,
)


settings.register_profile(
    "the same each time",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("the same each time")


@pytest.fixture(scope="session", autouse=True)
def surroundings() -> Iterator[None]:
    """Take out of the environment what would change what the client and its libraries do."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if SAYS_SOMETHING.fullmatch(name):
                patch.delenv(name)
        patch.setenv("PYTHONFAULTHANDLER", "1")  # what hangs can be made to say where
        yield
