"""What an account holds, kept in a folder, to read it and to make its jobs again elsewhere."""

from __future__ import annotations

from finetune_client.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        ".asking": [
            "AskEstimate",
            "KeptAnswers",
            "TrainingFile",
            "estimate",
            "keep_answers",
            "tuned_models",
            "write_training_file",
        ],
        ".report": ["ArchiveProgress", "ArchiveReport", "Missing"],
        ".saving": ["save"],
    },
)
