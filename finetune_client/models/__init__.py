"""Every type that travels: plain dataclasses with hand-written `from_dict` and `to_dict`.

The names are loaded on first use, so that a script pays for what it uses only. Each module's
``__all__`` is listed here once; ``__init__.pyi`` has the modules for type checkers.
"""

from __future__ import annotations

from finetune_client.lazy import attach

_NAMES = {
    ".auto": "AUTO Auto AutoOr",
    ".chat": "ChatCompletion Choice Usage",
    ".checkpoints": "CheckpointPermission FineTuningJobCheckpoint FineTuningJobCheckpointMetrics",
    ".events": "FineTuningJobEvent FineTuningJobEventLevel FineTuningJobEventType",
    ".examples.lines": "ChatExample CompletionExample PreferenceExample PreferenceInput"
    " ReinforcementExample",
    ".examples.messages": "ChatMessage ContentPart ImagePart ImageUrl RefusalPart TextPart",
    ".examples.tools": "FunctionCall FunctionDefinition Tool ToolCall",
    ".files": "FileObject FilePurpose FileStatus Upload UploadPart UploadStatus",
    ".graders.eval_items": "AudioData EvalItem EvalItemContent EvalItemPart InputAudio InputImage"
    " InputText OutputText",
    ".graders.model_based": "LabelModelGrader SamplingParams ScoreModelGrader",
    ".graders.registry": "Grader GraderType MultiGrader grader_problems read_grader",
    ".graders.runs": "GraderRun GraderRunErrors GraderRunMetadata GraderValidation",
    ".graders.simple": "PythonGrader StringCheckGrader TextSimilarityGrader UnknownGrader",
    ".hyperparameters": "DpoHyperparameters Hyperparameters ReinforcementHyperparameters"
    " SupervisedHyperparameters",
    ".integrations": "Integration WandbIntegration",
    ".job_request": "AnyIntegration AnyMethod FineTuningJobRequest",
    ".jobs": "FineTuningJob FineTuningJobError FineTuningJobStatus",
    ".listing": "job_list_query",
    ".methods": "DpoMethod FineTuningMethod MethodType ReinforcementMethod SupervisedMethod",
    ".model": "Deleted Model",
    ".page": "Page",
    ".unknown_keys": "unknown_fields warn_unknown_fields",
    "finetune_client.providers.request_limits": "Bounds Limits",
}

__getattr__, __dir__, __all__ = attach(
    __name__, {module: names.split() for module, names in _NAMES.items()}
)
