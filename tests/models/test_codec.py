from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import DecodeError
from finetune_client.models import (
    AUTO,
    FineTuningJob,
    FineTuningJobError,
    FineTuningMethod,
    Hyperparameters,
    Integration,
    Page,
    WandbIntegration,
)
from finetune_client.models.codec import (
    MAX_DEPTH,
    copy_fields,
    pop_auto_integer,
    pop_auto_number,
    pop_boolean,
    pop_integer,
    pop_model,
    pop_models,
    pop_number,
    pop_numbers,
    pop_object,
    pop_required,
    pop_text,
    pop_texts,
    read_foreign,
    to_plain,
    write_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Text(str):
    """What some readers make of JSON's text."""

    __slots__ = ()


def pop_error(rest: dict[str, Any], key: str) -> Any:
    return pop_model(rest, key, FineTuningJobError.from_dict)


def pop_errors(rest: dict[str, Any], key: str) -> Any:
    return pop_models(rest, key, FineTuningJobError.from_dict)


READERS: list[Callable[[dict[str, Any], str], Any]] = [
    pop_auto_integer,
    pop_auto_number,
    pop_boolean,
    pop_error,
    pop_errors,
    pop_integer,
    pop_number,
    pop_numbers,
    pop_object,
    pop_text,
    pop_texts,
]


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (pop_text, "x", "x"),
        (pop_text, Text("x"), "x"),
        (pop_integer, 4, 4),
        (pop_number, 4, 4),
        (pop_number, 0.5, 0.5),
        (pop_boolean, False, False),
        (pop_auto_integer, "auto", AUTO),
        (pop_auto_integer, 4, 4),
        (pop_auto_integer, 4.0, 4),
        (pop_auto_number, "auto", AUTO),
        (pop_auto_number, 0.5, 0.5),
        (pop_object, {"a": [1]}, {"a": [1]}),
        (pop_object, MappingProxyType({"a": 1}), {"a": 1}),
        (pop_texts, ["x", Text("y")], ["x", "y"]),
        (pop_texts, (), []),
        (pop_numbers, (1, 0.5), [1, 0.5]),
        (pop_error, {"code": "c"}, FineTuningJobError(code="c")),
        (pop_errors, [{"code": "c"}], [FineTuningJobError(code="c")]),
    ],
)
def test_pop__takes_the_key_and_returns_its_value(read: Any, value: Any, expected: Any) -> None:
    rest = {"key": value, "other": 1}
    found = read(rest, "key")
    assert found == expected
    assert type(found) is not tuple
    assert rest == {"other": 1}


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (pop_text, 5),
        (pop_integer, True),
        (pop_integer, 4.0),
        (pop_number, True),
        (pop_number, "4"),
        (pop_boolean, 1),
        (pop_auto_integer, "Auto"),
        (pop_auto_integer, 4.5),
        (pop_auto_integer, 2.0**60),
        (pop_auto_integer, True),
        (pop_auto_number, "1"),
        (pop_auto_number, True),
        (pop_object, [1]),
        (pop_texts, ["x", 5]),
        (pop_texts, "x"),
        (pop_numbers, [1, True]),
        (pop_error, "x"),
        (pop_errors, [{"code": "c"}, "x"]),
        (pop_errors, {"code": "c"}),
    ],
)
def test_pop__puts_back_what_is_of_another_kind(read: Any, value: Any) -> None:
    rest = {"key": value}
    assert read(rest, "key") is None
    assert rest["key"] is value


@pytest.mark.parametrize("read", READERS)
def test_pop__takes_null_and_a_missing_key_for_none(read: Any) -> None:
    for rest in ({"key": None}, dict[str, Any]()):
        assert read(rest, "key") is None
        assert rest == {}


@pytest.mark.parametrize(
    ("sent", "found"),
    [({}, "it is missing"), ({"id": None}, "it is missing"), ({"id": 5}, "got int")],
)
def test_pop_required__refuses(sent: dict[str, Any], found: str) -> None:
    with pytest.raises(DecodeError) as caught:
        pop_required(FineTuningJobError, sent, "id")
    assert str(caught.value) == f'Cannot read a FineTuningJobError: "id" must be text, {found}.'
    assert caught.value.path == "id"


def test_copy_fields__leaves_the_original_alone() -> None:
    for sent in ({"a": 1}, MappingProxyType({"a": 1})):
        copy = copy_fields(FineTuningJobError, sent)
        copy["a"] = 2
        assert sent["a"] == 1


def test_copy_fields__refuses_what_is_not_an_object() -> None:
    with pytest.raises(DecodeError) as caught:
        copy_fields(FineTuningJobError, [1])
    assert str(caught.value) == (
        "Cannot read a FineTuningJobError: it must be an object, got list."
    )


def test_to_plain__finds_models_at_any_place() -> None:
    settings = Hyperparameters(n_epochs=AUTO)
    value = {"a": (settings, AUTO), "b": MappingProxyType({"c": [settings]}), "d": None}
    plain = {"n_epochs": "auto"}
    assert to_plain(value) == {"a": [plain, "auto"], "b": {"c": [plain]}, "d": None}


def test_to_plain__leaves_what_lies_too_deep() -> None:
    value: Any = AUTO
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    found = to_plain(value)
    for _ in range(MAX_DEPTH):
        found = found[0]
    assert found == [AUTO]


def test_write_fields__leaves_out_none_and_lets_fields_win() -> None:
    assert write_fields({"a": None, "b": 0, "c": 1}, {"c": 2, "d": None}) == {
        "b": 0,
        "c": 1,
        "d": None,
    }


def test_repr__leaves_out_what_is_not_set() -> None:
    assert repr(FineTuningJobError(code="", extra={})) == "FineTuningJobError(code='')"
    assert repr(FineTuningJobError(extra={"a": 1})) == "FineTuningJobError(extra={'a': 1})"


def test_equality__is_by_class_and_fields() -> None:
    assert FineTuningJobError(code="c") == FineTuningJobError(code="c")
    assert FineTuningJobError(code="c") != FineTuningJobError(code="d")
    assert FineTuningJobError() != Hyperparameters()
    with pytest.raises(TypeError, match="unhashable"):
        hash(FineTuningJobError())


JOB = {
    "id": "ftjob-1",
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}},
    "integrations": [{"type": "wandb", "wandb": {"project": "p"}}],
    "result_files": ["file-1"],
    "new": {"a": None},
}


def test_dict__gives_the_pairs_of_model_dump() -> None:
    job = FineTuningJob.from_dict(JOB)
    assert dict(job) == job.model_dump()
    assert [key for key, _ in job] == list(job.model_dump())
    assert {key: dict(job)[key] for key in ("id", "new", "error")} == {
        "id": "ftjob-1",
        "new": {"a": None},
        "error": None,
    }


def test_model_extra__is_extra() -> None:
    assert FineTuningJob.from_dict(JOB).model_extra == {"new": {"a": None}}


def test_model_dump__has_none_for_what_is_absent_at_every_level() -> None:
    dumped = FineTuningJob.from_dict(JOB).model_dump()
    assert dumped["fine_tuned_model"] is None
    assert "extra" not in dumped
    assert "idempotency_key" not in dumped
    assert dumped["method"]["dpo"] is None
    assert dumped["method"]["supervised"]["hyperparameters"] == {
        "batch_size": None,
        "learning_rate_multiplier": None,
        "n_epochs": "auto",
    }
    assert dumped["integrations"][0]["wandb"]["entity"] is None
    assert dumped["result_files"] == ["file-1"]
    assert dumped["new"] == {"a": None}


@pytest.mark.parametrize("option", ["exclude_none", "exclude_unset", "exclude_defaults"])
def test_model_dump__leaves_out_none_when_asked(option: str) -> None:
    options: dict[str, Any] = {option: True}
    job = FineTuningJob.from_dict(JOB)
    assert job.model_dump(mode="json", by_alias=True, **options) == JOB
    assert json.loads(job.model_dump_json(**options)) == JOB


def test_model_dump__takes_the_keys_to_include_or_exclude() -> None:
    job = FineTuningJob.from_dict(JOB)
    assert job.model_dump(include={"id", "model"}) == {"id": "ftjob-1", "model": None}
    assert job.model_dump(exclude=["id"], exclude_none=True).keys() == JOB.keys() - {"id"}


def test_model_dump__of_a_page_keeps_every_row_in_its_place() -> None:
    page = Page.from_dict({"data": [{"id": "a"}, {"id": "b"}]}, FineTuningJob)
    assert [row["status"] for row in page.model_dump()["data"]] == [None, None]
    page = Page.from_dict({"data": ["?", {"id": "b"}]}, FineTuningJob)
    assert page.model_dump()["data"] == ["?", {"id": "b"}]


def test_json__is_text_with_any_letters() -> None:
    error = FineTuningJobError(message="zu groß")
    assert error.model_dump_json() == '{"message":"zu groß","code":null,"param":null}'
    assert error.model_dump_json(indent=1, exclude_none=True) == '{\n "message": "zu groß"\n}'
    assert error.to_json() == '{\n  "message": "zu groß"\n}'
    assert error.to_json(indent=None) == '{"message": "zu groß"}'


class OfTheOfficialSDK:
    """Like its models: ``to_dict`` leaves out what is not set, ``model_dump`` does not."""

    def to_dict(self) -> dict[str, Any]:
        return {"n_epochs": 3}

    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {"n_epochs": 3, "batch_size": None}


def test_read_foreign__prefers_what_leaves_out_what_is_not_set() -> None:
    assert read_foreign(OfTheOfficialSDK()) == {"n_epochs": 3}
    assert to_plain([{"a": OfTheOfficialSDK()}]) == [{"a": {"n_epochs": 3}}]


def test_read_foreign__takes_pydantic_models_with_their_defaults() -> None:
    pydantic = pytest.importorskip("pydantic")
    settings = pydantic.create_model(
        "Settings", epochs=(int, pydantic.Field(2, alias="n_epochs")), batch_size=(int | None, None)
    )
    assert read_foreign(settings()) == {"n_epochs": 2}


@pytest.mark.parametrize(
    "value", [Hyperparameters(), {"a": 1}, 5, "text", None, OfTheOfficialSDK, object()]
)
def test_read_foreign__leaves_all_else_as_it_is(value: Any) -> None:
    assert read_foreign(value) is value


def test_read_foreign__makes_a_method_of_foreign_settings() -> None:
    foreign: Any = OfTheOfficialSDK()
    method = FineTuningMethod.from_dict({"type": "dpo", "dpo": {}})
    assert method.dpo is not None
    method.dpo.hyperparameters = foreign
    assert method.to_dict() == {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3}}}


def test_model_dump__can_be_read_again() -> None:
    integration = Integration.of(WandbIntegration(project="p"))
    assert Integration.from_dict(integration.model_dump()) == integration
