"""Every type that travels: plain dataclasses with hand-written `from_dict` and `to_dict`.

The names are loaded on first use, so that a script pays for what it uses only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from finetune_client.lazy import attach

if TYPE_CHECKING:
    from finetune_client.models.auto import AUTO, Auto, AutoOr
    from finetune_client.models.checkpoints import (
        CheckpointPermission,
        FineTuningJobCheckpoint,
        FineTuningJobCheckpointMetrics,
    )
    from finetune_client.models.constants import (
        FilePurpose,
        FileStatus,
        FineTuningJobEventLevel,
        FineTuningJobEventType,
        FineTuningJobStatus,
        GraderType,
        MethodType,
        UploadStatus,
    )
    from finetune_client.models.events import FineTuningJobEvent
    from finetune_client.models.examples.lines import (
        ChatExample,
        CompletionExample,
        PreferenceExample,
        PreferenceInput,
        ReinforcementExample,
    )
    from finetune_client.models.examples.messages import (
        ChatMessage,
        ContentPart,
        ImagePart,
        ImageUrl,
        RefusalPart,
        TextPart,
    )
    from finetune_client.models.examples.tools import (
        FunctionCall,
        FunctionDefinition,
        Tool,
        ToolCall,
    )
    from finetune_client.models.files import FileObject, Upload, UploadPart
    from finetune_client.models.graders.eval_items import (
        AudioData,
        EvalItem,
        EvalItemContent,
        EvalItemPart,
        InputAudio,
        InputImage,
        InputText,
        OutputText,
    )
    from finetune_client.models.graders.model_based import (
        LabelModelGrader,
        SamplingParams,
        ScoreModelGrader,
    )
    from finetune_client.models.graders.registry import Grader, MultiGrader, read_grader
    from finetune_client.models.graders.rules import grader_problems
    from finetune_client.models.graders.runs import (
        GraderRun,
        GraderRunErrors,
        GraderRunMetadata,
        GraderValidation,
    )
    from finetune_client.models.graders.simple import (
        PythonGrader,
        StringCheckGrader,
        TextSimilarityGrader,
        UnknownGrader,
    )
    from finetune_client.models.hyperparameters import (
        DpoHyperparameters,
        Hyperparameters,
        ReinforcementHyperparameters,
        SupervisedHyperparameters,
    )
    from finetune_client.models.integrations import Integration, WandbIntegration
    from finetune_client.models.job_request import AnyIntegration, AnyMethod, FineTuningJobRequest
    from finetune_client.models.jobs import FineTuningJob, FineTuningJobError
    from finetune_client.models.listing import job_list_query
    from finetune_client.models.methods import (
        DpoMethod,
        FineTuningMethod,
        ReinforcementMethod,
        SupervisedMethod,
    )
    from finetune_client.models.model import Deleted, Model
    from finetune_client.models.page import Page
    from finetune_client.models.unknown_keys import unknown_fields, warn_unknown_fields
    from finetune_client.providers.limits import Bounds, Limits
else:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "finetune_client.providers.limits": ["Bounds", "Limits"],
            ".graders.registry": ["Grader", "MultiGrader", "read_grader"],
            ".auto": ["AUTO", "Auto", "AutoOr"],
            ".checkpoints": [
                "CheckpointPermission",
                "FineTuningJobCheckpoint",
                "FineTuningJobCheckpointMetrics",
            ],
            ".constants": [
                "FilePurpose",
                "FileStatus",
                "FineTuningJobEventLevel",
                "FineTuningJobEventType",
                "FineTuningJobStatus",
                "GraderType",
                "MethodType",
                "UploadStatus",
            ],
            ".graders.eval_items": [
                "AudioData",
                "EvalItem",
                "EvalItemContent",
                "EvalItemPart",
                "InputAudio",
                "InputImage",
                "InputText",
                "OutputText",
            ],
            ".events": ["FineTuningJobEvent"],
            ".examples.lines": [
                "ChatExample",
                "CompletionExample",
                "PreferenceExample",
                "PreferenceInput",
                "ReinforcementExample",
            ],
            ".files": ["FileObject", "Upload", "UploadPart"],
            ".graders.rules": ["grader_problems"],
            ".graders.runs": [
                "GraderRun",
                "GraderRunErrors",
                "GraderRunMetadata",
                "GraderValidation",
            ],
            ".graders.simple": [
                "PythonGrader",
                "StringCheckGrader",
                "TextSimilarityGrader",
                "UnknownGrader",
            ],
            ".hyperparameters": [
                "DpoHyperparameters",
                "Hyperparameters",
                "ReinforcementHyperparameters",
                "SupervisedHyperparameters",
            ],
            ".integrations": ["Integration", "WandbIntegration"],
            ".job_request": ["AnyIntegration", "AnyMethod", "FineTuningJobRequest"],
            ".jobs": ["FineTuningJob", "FineTuningJobError"],
            ".listing": ["job_list_query"],
            ".examples.messages": [
                "ChatMessage",
                "ContentPart",
                "ImagePart",
                "ImageUrl",
                "RefusalPart",
                "TextPart",
            ],
            ".methods": [
                "DpoMethod",
                "FineTuningMethod",
                "ReinforcementMethod",
                "SupervisedMethod",
            ],
            ".model": ["Deleted", "Model"],
            ".graders.model_based": ["LabelModelGrader", "SamplingParams", "ScoreModelGrader"],
            ".page": ["Page"],
            ".examples.tools": ["FunctionCall", "FunctionDefinition", "Tool", "ToolCall"],
            ".unknown_keys": ["unknown_fields", "warn_unknown_fields"],
        },
    )

__all__ = [
    "AUTO",
    "AnyIntegration",
    "AnyMethod",
    "AudioData",
    "Auto",
    "AutoOr",
    "Bounds",
    "ChatExample",
    "ChatMessage",
    "CheckpointPermission",
    "CompletionExample",
    "ContentPart",
    "Deleted",
    "DpoHyperparameters",
    "DpoMethod",
    "EvalItem",
    "EvalItemContent",
    "EvalItemPart",
    "FileObject",
    "FilePurpose",
    "FileStatus",
    "FineTuningJob",
    "FineTuningJobCheckpoint",
    "FineTuningJobCheckpointMetrics",
    "FineTuningJobError",
    "FineTuningJobEvent",
    "FineTuningJobEventLevel",
    "FineTuningJobEventType",
    "FineTuningJobRequest",
    "FineTuningJobStatus",
    "FineTuningMethod",
    "FunctionCall",
    "FunctionDefinition",
    "Grader",
    "GraderRun",
    "GraderRunErrors",
    "GraderRunMetadata",
    "GraderType",
    "GraderValidation",
    "Hyperparameters",
    "ImagePart",
    "ImageUrl",
    "InputAudio",
    "InputImage",
    "InputText",
    "Integration",
    "LabelModelGrader",
    "Limits",
    "MethodType",
    "Model",
    "MultiGrader",
    "OutputText",
    "Page",
    "PreferenceExample",
    "PreferenceInput",
    "PythonGrader",
    "RefusalPart",
    "ReinforcementExample",
    "ReinforcementHyperparameters",
    "ReinforcementMethod",
    "SamplingParams",
    "ScoreModelGrader",
    "StringCheckGrader",
    "SupervisedHyperparameters",
    "SupervisedMethod",
    "TextPart",
    "TextSimilarityGrader",
    "Tool",
    "ToolCall",
    "UnknownGrader",
    "Upload",
    "UploadPart",
    "UploadStatus",
    "WandbIntegration",
    "grader_problems",
    "job_list_query",
    "read_grader",
    "unknown_fields",
    "warn_unknown_fields",
]
