"""The environment of a child process in which a test looks at what is loaded or how much it takes, or
which may not write."""

from __future__ import annotations

import os

__all__ = ["unmeasured"]


def unmeasured(**more: str) -> dict[str, str]:
    """Return this process's environment without that by which coverage starts in its children.

    Coverage itself loads modules, such as `sqlite3`.

    Args:
        more: Further variables.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**kept, **more}
