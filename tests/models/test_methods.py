from __future__ import annotations

from typing import Any

import pytest

from finetune_client.models import (
    DpoMethod,
    FineTuningMethod,
    Hyperparameters,
    MethodType,
    PythonGrader,
    ReinforcementMethod,
    SupervisedMethod,
)
from finetune_client.models.methods import METHODS


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (SupervisedMethod(hyperparameters=Hyperparameters(n_epochs=3)), "supervised"),
        (DpoMethod(), "dpo"),
        (ReinforcementMethod(grader=PythonGrader(source="s")), "reinforcement"),
    ],
)
def test_of__puts_settings_under_the_key_that_the_type_names(settings: Any, name: str) -> None:
    method = FineTuningMethod.of(settings)
    assert method.to_dict() == {"type": name, name: settings.to_dict()}
    assert FineTuningMethod.from_dict(method.to_dict()) == method


def test_of__refuses_what_is_no_settings() -> None:
    given: Any = {"type": "dpo"}
    with pytest.raises(TypeError, match=r"not dict; FineTuningMethod\.from_dict reads"):
        FineTuningMethod.of(given)


def test_methods__are_the_known_types() -> None:
    known = {name: value for name, value in vars(MethodType).items() if name.isupper()}
    assert list(METHODS) == list(known.values())
    for name in METHODS:
        assert FineTuningMethod(type=name).to_dict() == {"type": name}
        assert hasattr(FineTuningMethod(type=name), name)


def test_method__keeps_settings_of_a_type_that_is_not_known() -> None:
    sent = {"type": "tomorrow", "tomorrow": {"a": 1}}
    method = FineTuningMethod.from_dict(sent)
    assert method.extra == {"tomorrow": {"a": 1}}
    assert method.to_dict() == sent
