from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client import (
    AUTO,
    Client,
    DpoHyperparameters,
    DpoMethod,
    FineTuningJob,
    FineTuningJobRequest,
    FineTuningMethod,
    Hyperparameters,
    Integration,
    ReinforcementMethod,
    StringCheckGrader,
    SupervisedMethod,
    WandbIntegration,
)
from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.job_files import JobFile, file_argument
from finetune_client.providers import AZURE, BEDROCK, LITELLM, NEBIUS, OPENAI
from tests.support.local_api import chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Mapping

TOML = """
model = "gpt-4o-mini"
training_file = "data/train.jsonl"
validation_file = "file-abc"
suffix = "bot"
seed = 7
idempotency_key = "bot-1"
trainingType = "GlobalStandard"

[metadata]
team = "a"

[method]
type = "dpo"
dpo.hyperparameters = { beta = 0.1, n_epochs = "auto" }

[[integrations]]
type = "wandb"
wandb = { project = "p", tags = ["t"] }
"""
JOB = JobFile(
    request=FineTuningJobRequest(
        model="gpt-4o-mini",
        validation_file="file-abc",
        suffix="bot",
        seed=7,
        method=DpoMethod(hyperparameters=DpoHyperparameters(beta=0.1, n_epochs=AUTO)),
        integrations=[WandbIntegration(project="p", tags=["t"])],
        metadata={"team": "a"},
        extra={"trainingType": "GlobalStandard"},
    ),
    idempotency_key="bot-1",
)


def described(folder: Path, body: Any, name: str = "job.json") -> JobFile:
    file = folder / name
    file.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return JobFile.read(file)


def test_read__toml_has_every_field(tmp_path: Path) -> None:
    assert described(tmp_path, TOML, "job.toml") == JobFile(
        request=JOB.request,
        paths={"training_file": tmp_path / "data" / "train.jsonl"},
        idempotency_key="bot-1",
    )


@pytest.mark.parametrize(
    "method",
    [
        SupervisedMethod(hyperparameters=Hyperparameters(n_epochs=3)),
        DpoMethod(hyperparameters=DpoHyperparameters(beta=AUTO)),
        ReinforcementMethod(
            grader=StringCheckGrader(
                name="é", input="{{sample.output_text}}", reference="{{item.a}}", operation="eq"
            )
        ),
    ],
)
def test_write__what_is_read_back_is_equal(tmp_path: Path, method: Any) -> None:
    paths = {
        "training_file": tmp_path / "sub" / "train.jsonl",
        "validation_file": tmp_path.parent / "no ending",
    }
    request = FineTuningJobRequest(model="m", method=method, metadata={"a": "b"}, extra={"x": [1]})
    job = JobFile(request=request, paths=paths, idempotency_key="k")
    job.write(tmp_path / "job.json")
    assert JobFile.read(tmp_path / "job.json") == job
    written = json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))
    assert written["training_file"] == "sub/train.jsonl"
    assert written["validation_file"] == {"path": str(tmp_path.parent / "no ending")}


@pytest.mark.parametrize("file_id", ["file-abc", "train.jsonl", "bucket/object", "assistant-9"])
def test_write__an_id_stays_an_id(tmp_path: Path, file_id: str) -> None:
    (tmp_path / "assistant-9").touch()
    job = JobFile(request=FineTuningJobRequest(model="m", training_file=file_id))
    job.write(tmp_path / "job.json")
    assert JobFile.read(tmp_path / "job.json") == job


@pytest.mark.parametrize(
    ("request_", "name", "message"),
    [
        (
            FineTuningJobRequest(),
            "job.toml",
            "A job file is written as JSON: give a name that ends in .json, not 'job.toml'.",
        ),
        (
            FineTuningJobRequest(extra={"x": float("nan")}),
            "job.json",
            (
                "The job cannot be written as JSON: Out of range float values are not JSON compliant: "
                "nan."
            ),
        ),
    ],
)
def test_write__refuses_what_cannot_be_read_back(
    tmp_path: Path, request_: FineTuningJobRequest, name: str, message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        JobFile(request=request_).write(tmp_path / name)
    # Python 3.10 does not name the value
    assert message.startswith(caught.value.message.rstrip("."))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file-abc", "file-abc"),
        ("train.jsonl", Path("/jobs/train.jsonl")),
        ("a/b", Path("/jobs/a/b")),
        ("/data/train", Path("/data/train")),
        ("ft-data-12", "ft-data-12"),
        ("", ""),
        ("\0", "\0"),
    ],
)
def test_file_argument__is_a_path_or_an_id(text: str, expected: str | Path) -> None:
    assert file_argument(text, Path("/jobs")) == expected


def test_file_argument__an_id_may_be_longer_than_a_name(tmp_path: Path) -> None:
    assert file_argument("x" * 300, tmp_path) == "x" * 300


def test_file_argument__a_file_that_is_there_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "train").touch()
    assert file_argument("train", tmp_path) == tmp_path / "train"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("job.json", '{"a": 1,\n}', "(at line 2, column 1)."),
        ("job.json", "[1]", "it must be an object, got list."),
        ("job.json", b"\xff", "it is not UTF-8 (at byte 1)."),
        ("job.json", "[" * 100_000, "it is nested too deeply."),
        ("job.toml", "model = \n", "(at line 1, column 9)."),
    ],
)
def test_read__says_where_it_cannot_be_parsed(
    tmp_path: Path, name: str, text: str | bytes, reason: str
) -> None:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RequestError) as caught:
        JobFile.read(file)
    assert caught.value.message.startswith(f"The job file {str(file)!r} cannot be read: ")
    assert caught.value.message.endswith(reason)


def test_read__takes_json_and_toml_alone(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        described(tmp_path, "model: m", "job.yaml")
    assert caught.value.message == (
        "A job file is JSON or TOML: its name must end in .json or .toml, got 'job.yaml'."
    )


def test_read__toml_needs_a_package_on_an_old_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version_info", (3, 10, 0))
        patch.setitem(sys.modules, "tomli", None)
        with pytest.raises(ConfigurationError) as caught:
            described(tmp_path, 'model = "m"', "job.toml")
    assert caught.value.message == (
        "Reading TOML needs the package tomli on this Python: pip install 'finetune-client[cli]', or "
        "write the job file as JSON."
    )


@pytest.mark.parametrize("file", [{"id": 5}, {"url": "x"}, {"path": ""}, {"id": "a", "path": "b"}])
def test_read__what_is_no_file_is_told_with_the_rest(tmp_path: Path, file: Any) -> None:
    job = described(tmp_path, {"model": "m", "training_file": file})
    assert job.problems(OPENAI) == [
        f"training_file: must be the id of an uploaded file, as text, got {file!r}"
    ]


def test_read__an_object_leaves_nothing_to_guess(tmp_path: Path) -> None:
    job = described(
        tmp_path,
        {"training_file": {"path": "file-data"}, "validation_file": {"id": "a/b.jsonl"}},
    )
    assert job.paths == {"training_file": tmp_path / "file-data"}
    assert job.request.validation_file == "a/b.jsonl"


def test_read__takes_a_byte_order_mark(tmp_path: Path) -> None:
    assert described(tmp_path, '\ufeff{"model": "m"}').request.model == "m"


def test_problems__are_all_told_at_once_with_their_place(tmp_path: Path) -> None:
    job = described(
        tmp_path,
        {
            "training_file": "nothing.jsonl",
            "validation_file": 5,
            "seed": -1,
            "suffix": "s" * 65,
            "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}},
            "idempotency_key": "",
        },
    )
    assert job.problems(OPENAI) == [
        "model: is missing",
        "validation_file: must be the id of an uploaded file, as text, got 5",
        "suffix: must have 1 to 64 characters, got 65",
        "seed: must be >= 0 and <= 2147483647, got -1",
        "method.dpo.hyperparameters.beta: must be > 0 and <= 2, got 3",
        (
            f"training_file: there is no file {str(tmp_path / 'nothing.jsonl')!r} (an id that looks "
            'like a path is {"id": "..."})'
        ),
        "idempotency_key: idempotency_key must be text that is not empty.",
    ]


@pytest.mark.parametrize(
    ("provider", "body", "problem"),
    [
        (
            LITELLM,
            {"method": {"type": "supervised"}},
            (
                "method: the provider 'litellm' does not support a job's method: the proxy drops it "
                "without a word"
            ),
        ),
        (
            NEBIUS,
            {"method": {"type": "supervised"}, "hyperparameters": {}},
            (
                "hyperparameters: the provider 'nebius' does not support method and hyperparameters in "
                "one job: the service refuses a job that has both"
            ),
        ),
        (
            BEDROCK,
            {"suffix": "s"},
            (
                "suffix: the provider 'bedrock' does not support a job's suffix: it is not in the "
                "documentation of its jobs"
            ),
        ),
    ],
)
def test_problems__name_what_the_provider_lacks(
    tmp_path: Path, provider: Any, body: Mapping[str, Any], problem: str
) -> None:
    job = described(tmp_path, {"model": "m", "training_file": "file-1", **body})
    assert job.problems(provider) == [problem]


def test_unknown_fields__names_each(tmp_path: Path) -> None:
    job = described(tmp_path, {"sufix": "s", "own": 1, "hyperparameters": {"n_epoch": 1}})
    assert job.unknown_fields(OPENAI) == [
        "sufix: did you mean suffix? No field has this name here; it is sent as given.",
        "own: no field has this name; it is sent as given.",
        (
            "hyperparameters.n_epoch: did you mean n_epochs? No field has this name here; it is sent "
            "as given."
        ),
    ]


def test_arguments__create_the_job(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text(jsonl(chat_lines(12)), encoding="utf-8")
    job = described(
        tmp_path,
        {
            "model": "tiny",
            "training_file": "train.jsonl",
            "hyperparameters": {"n_epochs": 1},
            "metadata": {"team": "a"},
            "suffix": "s",
            "seed": 3,
            "idempotency_key": "k-1",
        },
    )
    with Client.local() as client:
        made = client.jobs.create(**job.arguments())
        again = client.jobs.create(**job.arguments())
        file = client.files.retrieve(str(made.training_file))
    assert again.id == made.id
    assert (made.seed, made.metadata) == (3, {"team": "a"})
    assert made.idempotency_key == "k-1"
    assert file.filename == "train.jsonl"


def test_arguments__have_all_that_is_in_the_file() -> None:
    assert JOB.arguments() == {
        "model": "gpt-4o-mini",
        "training_file": None,
        "validation_file": "file-abc",
        "suffix": "bot",
        "seed": 7,
        "method": JOB.request.method,
        "integrations": JOB.request.integrations,
        "metadata": {"team": "a"},
        "extra_body": {"trainingType": "GlobalStandard"},
        "idempotency_key": "bot-1",
    }


def test_of_job__describes_the_job_again() -> None:
    job = FineTuningJob(
        id="ftjob-1",
        model="gpt-4o-mini",
        training_file="file-1",
        validation_file="file-2",
        fine_tuned_model="ft:gpt-4o-mini:org:bot:abc",
        seed=4,
        hyperparameters=Hyperparameters(n_epochs=3),
        method=FineTuningMethod(type="supervised", supervised=SupervisedMethod()),
        metadata={"team": "a"},
        idempotency_key="k",
        integrations=[Integration.of(WandbIntegration(project="p", run_id="r"))],
        extra={"trainingType": "Standard", "region": "x"},
    )
    assert JobFile.of_job(job, AZURE) == JobFile(
        request=FineTuningJobRequest(
            model="gpt-4o-mini",
            training_file="file-1",
            validation_file="file-2",
            suffix="bot",
            seed=4,
            method=SupervisedMethod(hyperparameters=Hyperparameters(n_epochs=3)),
            metadata={"team": "a"},
            integrations=[WandbIntegration(project="p")],
            extra={"trainingType": "Standard"},
        )
    )


@pytest.mark.parametrize(
    ("reported", "training"),
    [
        ({}, {}),
        ({"hyperparameters": {"n_epochs": 2}}, {"hyperparameters": {"n_epochs": 2}}),
        ({"hyperparameters": {}}, {}),
        (
            {
                "hyperparameters": {"n_epochs": 2},
                "method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 1}}},
            },
            {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 1}}}},
        ),
        (
            {"hyperparameters": {"n_epochs": 2}, "method": {"type": "supervised"}},
            {
                "method": {
                    "type": "supervised",
                    "supervised": {"hyperparameters": {"n_epochs": 2}},
                }
            },
        ),
    ],
)
def test_of_job__settings_stand_once(
    reported: Mapping[str, Any], training: Mapping[str, Any]
) -> None:
    job = FineTuningJob.from_dict({"id": "ftjob-1", **reported})
    assert JobFile.of_job(job, OPENAI).request.to_dict() == training


def test_of_job__files_that_are_here_stand_for_the_ids() -> None:
    job = FineTuningJob(id="ftjob-1", model="m", training_file="file-1", validation_file="file-2")
    paths = {"training_file": Path("train.jsonl")}
    assert JobFile.of_job(job, OPENAI, paths) == JobFile(
        request=FineTuningJobRequest(model="m", validation_file="file-2"), paths=paths
    )


@pytest.mark.parametrize(
    ("model", "suffix"),
    [("ft:m:org:bot:1", "bot"), ("ft:m:org::1", None), ("ft:m:org:1", None), (None, None)],
)
def test_of_job__takes_the_suffix_from_the_models_name(
    model: str | None, suffix: str | None
) -> None:
    job = FineTuningJob(id="ftjob-1", fine_tuned_model=model)
    assert JobFile.of_job(job, OPENAI).request.suffix == suffix


def test_to_json__files_within_a_folder_are_relative(tmp_path: Path) -> None:
    folder = tmp_path / "archive" / "ftjob-1"
    path = tmp_path / "archive" / "files" / "file-1.jsonl"
    job = JobFile(request=FineTuningJobRequest(model="m"), paths={"training_file": path})
    inside = json.loads(job.to_json(folder, within=tmp_path / "archive"))
    assert inside == {"model": "m", "training_file": "../files/file-1.jsonl"}
    assert json.loads(job.to_json(folder))["training_file"] == str(path)
