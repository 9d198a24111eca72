"""Which modules are changed, and which tests belong to each: first those that are named for it."""

from __future__ import annotations

__all__ = ["TARGETS"]

_MODELS = (
    "tests/models",
    "--ignore=tests/models/graders",
    "--deselect=tests/models/test_times.py::test_moment__never_raises",
)

TARGETS: dict[str, tuple[str, ...]] = {
    "models/codec.py": ("tests/models/test_codec.py", *_MODELS),
    "models/jobs.py": ("tests/models/test_jobs.py", *_MODELS),
    "models/checks.py": ("tests/models/test_checks.py", *_MODELS),
    "models/job_request.py": ("tests/models/test_job_request.py", *_MODELS),
    "transport/retry.py": (
        "tests/transport/test_retry.py",
        "tests/transport/sockets/test_retry_after.py",
    ),
    "resources/pager.py": ("tests/resources/test_pager.py",),
    "waiting/history.py": ("tests/waiting/test_history.py", "tests/waiting"),
    "waiting/loops.py": ("tests/waiting/test_loops.py", "tests/waiting"),
    "waiting/pace.py": ("tests/waiting/test_pace.py", "tests/waiting"),
    "waiting/watcher.py": ("tests/waiting/test_watcher.py", "tests/waiting"),
    "ledger.py": ("tests/test_ledger.py",),
    "archive/asking.py": ("tests/archive/test_asking.py", "tests/archive/test_saving.py"),
    "archive/saving.py": ("tests/archive/test_saving.py", "tests/archive/test_asking.py"),
    "archive/index.py": ("tests/archive/test_index.py", "tests/archive/test_saving.py"),
    "archive/layout.py": ("tests/archive/test_layout.py", "tests/archive/test_saving.py"),
    "archive/locking.py": ("tests/archive/test_locking.py", "tests/archive/test_saving.py"),
    "archive/page.py": ("tests/archive/test_page.py",),
    "archive/report.py": ("tests/archive/test_report.py", "tests/archive/test_saving.py"),
    "local/training/llm/rendering.py": ("tests/local/training/llm/test_rendering.py",),
    "local/training/llm/batches.py": ("tests/local/training/llm/test_batches.py",),
}
"""Path in `finetune_client` -> what pytest is given."""
