"""Is the tuned model better than its base? Asking models, grading their answers, comparing them."""

from __future__ import annotations

from finetune_client.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        ".answers": ["Answer", "AnswerFile"],
        ".asking": ["ask"],
        ".evaluating": ["DEFAULT_GRADER", "evaluate"],
        ".questions": ["Question", "read_questions"],
        ".report": ["Evaluation", "ModelComparison", "ModelResult"],
    },
)
