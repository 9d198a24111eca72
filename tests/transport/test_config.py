from __future__ import annotations

import inspect
from typing import Any, ForwardRef

import pytest

from finetune_client import Client
from finetune_client.errors import ConfigurationError
from finetune_client.transport import RetryPolicy
from finetune_client.transport.config import (
    ClientOptions,
    NetworkOptions,
    check_names,
    check_timeout,
    of_client,
    with_changes,
)
from finetune_client.transport.environment import settings

PARAMETERS = inspect.signature(Client).parameters
CONFIG = settings(environ=lambda _: None, api_key="sk-test-4f1c9d2e7ab85360")

SECONDS = [0, -1, float("nan"), float("inf"), 1e9]


@pytest.mark.parametrize("value", SECONDS)
def test_timeout__out_of_range(value: float) -> None:
    for name in ("timeout", "total_timeout", "max_retry_wait"):
        given: dict[str, Any] = {name: value}
        with pytest.raises(ConfigurationError) as caught:
            with_changes(CONFIG, **given)
        assert caught.value.message == f"{name} must be above zero and finite, got {value!r}."


@pytest.mark.parametrize("value", ["10", True, {}])
def test_timeout__no_number(value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_timeout(value)
    assert caught.value.message == f"timeout must be in seconds, got {value!r}."


def test_timeout__forms() -> None:
    assert check_timeout(5) == (5.0, 5.0)
    assert check_timeout((1, 2.5)) == (1.0, 2.5)
    assert check_timeout(None) == (None, None)
    assert check_timeout((3, None)) == (3.0, None)
    with pytest.raises(ConfigurationError) as caught:
        check_timeout((1, 2, 3))  # type: ignore[arg-type]  # that is the point
    assert caught.value.message == "timeout must be a number of seconds or (connect, read)."


@pytest.mark.parametrize("value", [-1, 1.5, "2", True, 101])
def test_max_retries__refused(value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_changes(CONFIG, max_retries=value)
    assert caught.value.message == (
        f"max_retries must be a whole number from 0 to 100, got {value!r}."
    )


def test_changed__adds_headers_and_query_and_keeps_the_rest() -> None:
    first = with_changes(CONFIG, headers={"A": "1"}, query={"x": 1}, timeout=3)
    second = with_changes(first, headers={"B": "2"}, query={"x": 2, "y": True}, max_retries=0)
    assert second.headers == {"A": "1", "B": "2"}
    assert second.query == (("x", "2"), ("y", "true"))
    assert second.timeout == (3.0, 3.0)
    assert second.retries.max_retries == 0
    assert first.retries.max_retries == 2


def test_changed__none_removes_a_limit_and_nothing_leaves_it() -> None:
    limited = with_changes(CONFIG, timeout=3, total_timeout=9)
    kept = with_changes(limited, max_retries=0)
    assert (kept.timeout, kept.total_timeout) == ((3.0, 3.0), 9.0)
    patient = with_changes(limited, timeout=None)
    assert (patient.timeout, patient.total_timeout) == ((None, None), 9.0)
    assert with_changes(limited, total_timeout=None).total_timeout is None


def test_changed__on_response_must_be_callable() -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_changes(CONFIG, on_response="print")  # type: ignore[arg-type]  # that is the point
    assert caught.value.message == "on_response must be callable."


@pytest.mark.parametrize("name", sorted(NetworkOptions.__annotations__))
def test_options__have_the_types_of_the_client(name: str) -> None:
    option = NetworkOptions.__annotations__[name]
    assert isinstance(option, ForwardRef)
    assert PARAMETERS[name].annotation == option.__forward_arg__


def test_options__that_a_copy_may_change_are_those_of_no_connection() -> None:
    assert set(ClientOptions.__annotations__) <= set(NetworkOptions.__annotations__)
    given = dict.fromkeys(NetworkOptions.__annotations__)
    assert of_client(given).keys() == ClientOptions.__annotations__.keys()


def test_options__of_retries_have_the_policy_as_default() -> None:
    policy = RetryPolicy()
    assert PARAMETERS["max_retries"].default == policy.max_retries == 2
    assert PARAMETERS["max_retry_wait"].default == policy.max_retry_wait == 60.0


def test_names__unknown_one_is_refused_as_python_does() -> None:
    check_names({"timeout": 1}, ClientOptions, "with_options")
    with pytest.raises(TypeError) as caught:
        check_names({"verify": True}, ClientOptions, "with_options")
    assert str(caught.value) == "with_options() got an unexpected keyword argument 'verify'"
