"""Python imports this as it starts, in whatever process has this folder on its path."""

from __future__ import annotations

import os

from tests.support.pretended import pretend

pretend(os.environ["PRETENDED_SYSTEM"])
