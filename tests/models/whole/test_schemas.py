"""The fields of each type are the properties that the published API document gives it.

`tests/payloads/schemas.json` is the slice of the document that is needed, without its prose; the
schemas of training lines are from the last edition that had them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune_client import models
from tests.support.model_values import MODELS, wire_fields

SCHEMAS = json.loads(
    (Path(__file__).parents[2] / "payloads" / "schemas.json").read_text(encoding="utf-8")
)

CHAT_MESSAGES = (
    "ChatCompletionRequestSystemMessage",
    "ChatCompletionRequestDeveloperMessage",
    "ChatCompletionRequestUserMessage",
    "FineTuneChatCompletionRequestAssistantMessage",
    "ChatCompletionRequestToolMessage",
    "ChatCompletionRequestFunctionMessage",
)
LISTS = (
    "ListPaginatedFineTuningJobsResponse",
    "ListFineTuningJobEventsResponse",
    "ListFineTuningJobCheckpointsResponse",
    "ListFineTuningCheckpointPermissionResponse",
    "ListFilesResponse",
    "ListModelsResponse",
)
WHERE: dict[str, tuple[str, ...]] = {
    "AudioData": ("InputAudio/properties/input_audio",),
    "ChatCompletion": ("CreateChatCompletionResponse",),
    "ChatExample": ("FineTuneChatRequestInput",),
    "ChatMessage": CHAT_MESSAGES,
    "CheckpointPermission": ("FineTuningCheckpointPermission",),
    "Choice": ("CreateChatCompletionResponse/properties/choices/items",),
    "CompletionExample": ("FineTuneCompletionRequestInput",),
    "Deleted": (
        "DeleteFileResponse",
        "DeleteModelResponse",
        "DeleteFineTuningCheckpointPermissionResponse",
    ),
    "DpoHyperparameters": ("FineTuneDPOHyperparameters",),
    "DpoMethod": ("FineTuneDPOMethod",),
    "EvalItem": ("EvalItem",),
    "FileObject": ("OpenAIFile",),
    "FineTuningJob": ("FineTuningJob",),
    "FineTuningJobCheckpoint": ("FineTuningJobCheckpoint",),
    "FineTuningJobCheckpointMetrics": ("FineTuningJobCheckpoint/properties/metrics",),
    "FineTuningJobError": ("FineTuningJob/properties/error/anyOf/0",),
    "FineTuningJobEvent": ("FineTuningJobEvent",),
    "FineTuningJobRequest": ("CreateFineTuningJobRequest",),
    "FineTuningMethod": ("FineTuneMethod",),
    "FunctionCall": (
        "ChatCompletionMessageToolCall/properties/function",
        "ChatCompletionRequestAssistantMessage/properties/function_call/anyOf/0",
    ),
    "FunctionDefinition": ("FunctionObject", "ChatCompletionFunctions"),
    "GraderRun": ("RunGraderResponse",),
    "GraderRunErrors": ("RunGraderResponse/properties/metadata/properties/errors",),
    "GraderRunMetadata": ("RunGraderResponse/properties/metadata",),
    "GraderValidation": ("ValidateGraderResponse",),
    "Hyperparameters": (
        "FineTuneSupervisedHyperparameters",
        "FineTuningJob/properties/hyperparameters",
        "CreateFineTuningJobRequest/properties/hyperparameters",
    ),
    "ImagePart": ("ChatCompletionRequestMessageContentPartImage",),
    "ImageUrl": ("ChatCompletionRequestMessageContentPartImage/properties/image_url",),
    "InputAudio": ("InputAudio",),
    "InputImage": ("EvalItemInputImage",),
    "InputText": ("InputTextContent",),
    "Integration": ("FineTuningIntegration",),
    "LabelModelGrader": ("GraderLabelModel",),
    "Model": ("Model",),
    "MultiGrader": ("GraderMulti",),
    "OutputText": ("EvalItemContentOutputText",),
    "Page": LISTS,
    "PreferenceExample": ("FineTunePreferenceRequestInput",),
    "PreferenceInput": ("FineTunePreferenceRequestInput/properties/input",),
    "PythonGrader": ("GraderPython",),
    "RefusalPart": ("ChatCompletionRequestMessageContentPartRefusal",),
    "ReinforcementExample": ("FineTuneReinforcementRequestInput",),
    "ReinforcementHyperparameters": ("FineTuneReinforcementHyperparameters",),
    "ReinforcementMethod": ("FineTuneReinforcementMethod",),
    "SamplingParams": ("GraderScoreModel/properties/sampling_params",),
    "ScoreModelGrader": ("GraderScoreModel",),
    "StringCheckGrader": ("GraderStringCheck",),
    "SupervisedMethod": ("FineTuneSupervisedMethod",),
    "TextPart": ("ChatCompletionRequestMessageContentPartText",),
    "TextSimilarityGrader": ("GraderTextSimilarity",),
    "Tool": ("ChatCompletionTool",),
    "ToolCall": ("ChatCompletionMessageToolCall",),
    "Upload": ("Upload",),
    "UploadPart": ("UploadPart",),
    "Usage": ("CompletionUsage",),
    "WandbIntegration": ("FineTuningIntegration/properties/wandb",),
}
NO_SCHEMA = {"UnknownGrader": "it stands for what no schema tells of yet"}
OURS_ALONE = {
    ("FineTuningJob", "eval_id"): "the guide shows it on reinforcement jobs",
    ("FineTuningJob", "shared_with_openai"): "three examples of the document have it",
    ("FineTuningJob", "usage_metrics"): "three examples of the document have it",
    ("FineTuningJob", "user_provided_suffix"): "three examples of the document have it",
    ("FineTuningJobCheckpoint", "result_files"): "Nebius gives the weights so",
    ("InputImage", "file_id"): "two examples of the document have it",
    ("Page", "unreadable"): "rows that cannot be read; it is not on the wire",
    ("PreferenceExample", "preferred_output"): "what the service takes today",
    ("PreferenceExample", "non_preferred_output"): "what the service takes today",
    ("ReinforcementMethod", "response_format"): "the guide sends it, an example returns it",
    ("WandbIntegration", "run_id"): "an example of the document has it",
}
THEIRS_ALONE = {
    ("PreferenceExample", "preferred_completion"): "the old name of preferred_output; still read",
    ("PreferenceExample", "non_preferred_completion"): "the old name; still read",
}


def schema_at(pointer: str) -> dict[str, Any]:
    found: Any = SCHEMAS
    for step in pointer.split("/"):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found  # type: ignore[no-any-return]  # JSON


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return properties(schema_at(schema["$ref"].rpartition("/")[2]))
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= properties(part)
    return found


def documented(name: str) -> set[str]:
    return {key for pointer in WHERE[name] for key in properties(schema_at(pointer))}


@pytest.mark.parametrize("name", sorted(WHERE))
def test_fields__are_those_of_the_schema(name: str) -> None:
    ours = set(wire_fields(getattr(models, name)))
    theirs = documented(name)
    assert ours - theirs == {key for what, key in OURS_ALONE if what == name}
    assert theirs - ours == {key for what, key in THEIRS_ALONE if what == name}


def test_every_type__has_a_schema_or_a_reason() -> None:
    named = {what.__name__ for what in MODELS} | {"Page"}
    assert named == set(WHERE) | set(NO_SCHEMA)


CONSTANTS = {
    "FilePurpose": ("OpenAIFile", "purpose", {"evals"}),
    "FileStatus": ("OpenAIFile", "status", {"pending", "running", "deleting", "deleted"}),
    "FineTuningJobEventLevel": ("FineTuningJobEvent", "level", set()),
    "FineTuningJobEventType": ("FineTuningJobEvent", "type", {"moderation_checks"}),
    "FineTuningJobStatus": (
        "FineTuningJob",
        "status",
        {
            "cancel_requested",
            "compressing",
            "created",
            "paused",
            "pausing",
            "pending",
            "resuming",
            "uploading",
        },
    ),
    "MethodType": ("FineTuneMethod", "type", set()),
    "UploadStatus": ("Upload", "status", set()),
}


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_constants__are_the_known_values_and_those_seen_besides(name: str) -> None:
    schema, key, besides = CONSTANTS[name]
    known = set(properties(schema_at(schema))[key]["enum"])
    ours = {value for word, value in vars(getattr(models, name)).items() if word.isupper()}
    assert ours == known | besides
    assert not known & besides


def test_grader_types__are_those_of_the_schemas() -> None:
    known = {
        schema["properties"]["type"]["enum"][0]
        for name, schema in SCHEMAS.items()
        if name.startswith("Grader")
    }
    ours = {value for word, value in vars(models.GraderType).items() if word.isupper()}
    assert ours == known
