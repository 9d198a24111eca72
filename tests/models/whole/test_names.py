"""The package gives each of its names, once, and whichever way it is asked."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import finetune_client
from finetune_client import models

if TYPE_CHECKING:
    from types import ModuleType

INTERNAL = {"base", "checks", "codec", "times"}
"""What the models are made with; none of its names is the package's."""

CONTRACT = [
    "AUTO",
    "Auto",
    "AutoOr",
    "Hyperparameters",
    "DpoHyperparameters",
    "ReinforcementHyperparameters",
    "SupervisedHyperparameters",
    "SupervisedMethod",
    "DpoMethod",
    "ReinforcementMethod",
    "FineTuningMethod",
    "StringCheckGrader",
    "TextSimilarityGrader",
    "PythonGrader",
    "ScoreModelGrader",
    "LabelModelGrader",
    "MultiGrader",
    "UnknownGrader",
    "WandbIntegration",
    "Integration",
    "FineTuningJobRequest",
    "FineTuningJob",
    "FineTuningJobError",
    "FineTuningJobStatus",
    "FineTuningJobEvent",
    "FineTuningJobCheckpoint",
    "FineTuningJobCheckpointMetrics",
    "CheckpointPermission",
    "GraderRun",
    "GraderValidation",
    "FileObject",
    "Upload",
    "UploadPart",
    "Model",
    "Deleted",
    "Page",
    "ChatCompletion",
    "ChatExample",
    "Choice",
    "CompletionExample",
    "PreferenceExample",
    "ReinforcementExample",
    "Usage",
]
"""The models that users' scripts name."""

ERRORS = [
    "FineTuneError",
    "APIError",
    "APIConnectionError",
    "APITimeoutError",
    "APIStatusError",
    "BadRequestError",
    "AuthenticationError",
    "PermissionDeniedError",
    "NotFoundError",
    "ConflictError",
    "UnprocessableEntityError",
    "RateLimitError",
    "InternalServerError",
    "APIResponseError",
    "PaginationError",
    "IntegrityError",
    "RedirectRefusedError",
    "JobMayExistError",
    "JobFailedError",
    "WaitTimeoutError",
    "JobStalledError",
    "ConfigurationError",
    "RequestError",
    "DecodeError",
    "TrainingDataError",
    "ShutdownWarning",
    "UnknownFieldWarning",
]


def modules() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(models.__path__)]


def public_modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(models.__path__, "finetune_client.models.")
    homes = [importlib.import_module(one.name) for one in found if not one.ispkg]
    return [home for home in homes if home.__name__.rpartition(".")[2] not in INTERNAL]


@pytest.mark.parametrize("name", CONTRACT)
def test_contract__each_model_can_be_had_from_both_places(name: str) -> None:
    space: dict[str, object] = {}
    exec(f"from finetune_client import {name}", space)
    assert space[name] is getattr(models, name)


@pytest.mark.parametrize("name", ERRORS)
def test_contract__each_error_can_be_had_from_both_places(name: str) -> None:
    space: dict[str, object] = {}
    exec(f"from finetune_client import {name}", space)
    assert space[name] is getattr(finetune_client.errors, name)


def test_contract__of_the_package_itself() -> None:
    assert finetune_client.Client.__name__ == "Client"
    assert callable(finetune_client.training_data.check)
    assert callable(finetune_client.webhooks.unwrap)


def test_all__is_every_name_of_every_module_of_models() -> None:
    named = sorted(
        [name for home in public_modules() for name in home.__all__] + ["Bounds", "Limits"]
    )
    assert dir(models) == named
    assert len(named) == len(set(named))


def test_all__can_be_had_by_name_and_by_star() -> None:
    space: dict[str, object] = {}
    exec("from finetune_client.models import *", space)
    for name in dir(models):
        assert space[name] is getattr(models, name)
    assert set(space) - {"__builtins__"} == set(dir(models))


def test_all__has_no_name_that_a_module_would_hide() -> None:
    assert not set(dir(models)) & set(modules())


def test_type_checkers__see_the_same_modules() -> None:
    stub = Path(str(models.__file__)).with_suffix(".pyi").read_text(encoding="utf-8")
    starred = re.findall(r"^from (\S+) import \*$", stub, re.MULTILINE)
    assert starred == sorted(home.__name__ for home in public_modules())
    others = re.findall(r"(\w+) as \1\b", stub)
    assert others == ["Bounds", "Limits"]


def test_every_class__says_what_it_is() -> None:
    for name in dir(models):
        found = getattr(models, name)
        if inspect.isclass(found):
            assert found.__doc__
            assert not found.__doc__.startswith(f"{name}(")


def test_aliases__are_the_same_class() -> None:
    assert models.SupervisedHyperparameters is models.Hyperparameters
