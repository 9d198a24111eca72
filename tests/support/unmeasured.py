"""The environment of a child process that coverage must not measure.

A test looks at what is loaded there or how much it takes, or the child may not write, or a signal
ends it: coverage takes a lock when it meets a new file, and a `KeyboardInterrupt` that is raised
just there leaves it locked for ever."""

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
