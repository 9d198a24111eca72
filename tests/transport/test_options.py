from __future__ import annotations

import inspect
from typing import ForwardRef

import pytest

from finetune_client import Client
from finetune_client.transport import RetryPolicy
from finetune_client.transport.options import ClientOptions, NetworkOptions, check_names, of_client

PARAMETERS = inspect.signature(Client).parameters


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
