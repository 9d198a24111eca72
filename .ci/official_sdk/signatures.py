"""Compare the official SDK's signatures with ``tests/payloads/official_sdk.json``.

``docs/compatibility.md`` is held against that file by ``tests/test_compatibility.py``, so a call,
an argument or an attribute that a new version brings is found here first. ``--write`` updates it.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import openai
from openai import AzureOpenAI, OpenAI
from openai._legacy_response import HttpxBinaryResponseContent, LegacyAPIResponse
from openai._models import BaseModel
from openai._resource import SyncAPIResource
from openai._response import APIResponse
from openai.pagination import SyncCursorPage

PAYLOAD = Path(__file__).resolve().parents[2] / "tests" / "payloads" / "official_sdk.json"
PARTS = [
    "fine_tuning.alpha.graders",
    "fine_tuning.checkpoints.permissions",
    "fine_tuning.jobs",
    "fine_tuning.jobs.checkpoints",
    "files",
    "uploads",
    "uploads.parts",
    "models",
    "webhooks",
    "webhooks.event_types",
    "chat.completions",
]
ONLY = {"chat.completions": {"create"}}
"""Of these parts only so much is meant; all of the others."""

OPTIONS = {"extra_headers", "extra_query", "extra_body", "timeout"}
"""What every call takes."""

RESULTS = {
    "FineTuningJob": "fine_tuning.FineTuningJob",
    "FineTuningJobEvent": "fine_tuning.FineTuningJobEvent",
    "FineTuningJobCheckpoint": "fine_tuning.jobs.FineTuningJobCheckpoint",
    "CheckpointPermission": "fine_tuning.checkpoints.PermissionCreateResponse "
    "fine_tuning.checkpoints.PermissionListResponse",
    "Deleted": "FileDeleted ModelDeleted fine_tuning.checkpoints.PermissionDeleteResponse",
    "GraderRun": "fine_tuning.alpha.GraderRunResponse",
    "GraderValidation": "fine_tuning.alpha.GraderValidateResponse",
    "FileObject": "FileObject",
    "Upload": "Upload",
    "UploadPart": "uploads.UploadPart",
    "Model": "Model",
    "ChatCompletion": "chat.ChatCompletion",
}
"""What calls return here, and what they return there, by its names in ``openai.types``."""

INSIDE = {
    "FineTuningJobError": "fine_tuning.fine_tuning_job.Error",
    "Hyperparameters": "fine_tuning.fine_tuning_job.Hyperparameters "
    "fine_tuning.SupervisedHyperparameters",
    "Integration": "fine_tuning.FineTuningJobWandbIntegrationObject",
    "WandbIntegration": "fine_tuning.FineTuningJobWandbIntegration",
    "FineTuningMethod": "fine_tuning.fine_tuning_job.Method",
    "SupervisedMethod": "fine_tuning.SupervisedMethod",
    "DpoMethod": "fine_tuning.DpoMethod",
    "DpoHyperparameters": "fine_tuning.DpoHyperparameters",
    "ReinforcementMethod": "fine_tuning.ReinforcementMethod",
    "ReinforcementHyperparameters": "fine_tuning.ReinforcementHyperparameters",
    "StringCheckGrader": "graders.StringCheckGrader",
    "TextSimilarityGrader": "graders.TextSimilarityGrader",
    "PythonGrader": "graders.PythonGrader",
    "ScoreModelGrader": "graders.ScoreModelGrader",
    "LabelModelGrader": "graders.LabelModelGrader",
    "MultiGrader": "graders.MultiGrader",
    "EvalItem": "graders.label_model_grader.Input graders.score_model_grader.Input",
    "SamplingParams": "graders.score_model_grader.SamplingParams",
    "InputText": "responses.ResponseInputText",
    "OutputText": "graders.score_model_grader.InputContentOutputText",
    "InputImage": "graders.score_model_grader.InputContentInputImage",
    "InputAudio": "responses.ResponseInputAudio",
    "AudioData": "responses.response_input_audio.InputAudio",
    "FineTuningJobCheckpointMetrics": "fine_tuning.jobs.fine_tuning_job_checkpoint.Metrics",
    "GraderRunMetadata": "fine_tuning.alpha.grader_run_response.Metadata",
    "Choice": "chat.chat_completion.Choice",
    "Usage": "CompletionUsage",
    "GraderRunErrors": "fine_tuning.alpha.grader_run_response.MetadataErrors",
}
"""What stands inside results."""


def snapshot() -> dict[str, Any]:
    """Return what the page must name."""
    client = OpenAI(api_key="none", webhook_secret="none")
    calls, positional = {}, {}
    for path in PARTS:
        part = reduce(getattr, path.split("."), client)
        for name in public(type(part)):
            call = getattr(part, name)
            if name.startswith("with_") or not inspect.ismethod(call):
                continue
            if name not in ONLY.get(path, {name}):
                continue
            parameters = inspect.signature(call).parameters
            own = [one for key, one in parameters.items() if key not in OPTIONS]
            calls[f"client.{path}.{name}"] = [one.name for one in own]
            positional[f"client.{path}.{name}"] = [
                one.name for one in own if one.kind is one.POSITIONAL_OR_KEYWORD
            ]
    return {
        "note": "The official Python SDK, as .ci/official_sdk/signatures.py reads it.",
        "version": openai.__version__,
        "calls": calls,
        "positional": positional,
        "results": {name: attributes(models) for name, models in RESULTS.items()},
        "inside": {name: attributes(models) for name, models in INSIDE.items()},
        "constructors": {
            "OpenAI": arguments(OpenAI),
            "AzureOpenAI": arguments(AzureOpenAI),
            "with_options": arguments(OpenAI.copy),
        },
        "client": [name for name in public(OpenAI) if not is_part(client, name)],
        "objects": {
            "raw response": public(LegacyAPIResponse),
            "streaming response": public(APIResponse),
            "file content": [  # those that begin with an a are for async clients
                name for name in public(HttpxBinaryResponseContent) if not name.startswith("a")
            ],
            "list": [name for name in public(SyncCursorPage) if name not in dir(BaseModel)]
            + list(SyncCursorPage.model_fields),
            "model": sorted(name for name in vars(BaseModel) if public_name(name)),
        },
        "errors": [
            name
            for name in sorted(openai.__all__)
            if inspect.isclass(one := getattr(openai, name)) and issubclass(one, Exception)
        ],
    }


def public_name(name: str) -> bool:
    return not name.startswith("_") and name not in {"model_config", "Config"}


def public(what: type) -> list[str]:
    return [name for name in dir(what) if public_name(name)]


def arguments(call: Any) -> list[str]:
    return [name for name in inspect.signature(call).parameters if public_name(name)][
        0 if inspect.isclass(call) else 1 :
    ]


def attributes(names: str) -> list[str]:
    """Return the attributes that models have together."""
    found: dict[str, None] = {}
    for name in names.split():
        module, _, model = f"openai.types.{name}".rpartition(".")
        found |= dict.fromkeys(getattr(importlib.import_module(module), model).model_fields)
    return list(found)


def is_part(client: OpenAI, name: str) -> bool:
    return isinstance(getattr(client, name), SyncAPIResource)


def main() -> int:
    found = snapshot()
    if "--write" in sys.argv:
        PAYLOAD.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    known = json.loads(PAYLOAD.read_text(encoding="utf-8"))
    different = [key for key in found if key != "version" and found[key] != known.get(key)]
    for key in different:
        print(f"{key} of openai {found['version']} is not that of {known['version']}:")
        print(json.dumps(found[key], indent=1))
    if different:
        print("Run .ci/official_sdk/run.py --write, and tell the differences in the page.")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
