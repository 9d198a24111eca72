from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from finetune_client.errors import DecodeError
from finetune_client.models import AUTO, FineTuningJobError, Hyperparameters
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
