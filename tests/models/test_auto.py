from __future__ import annotations

import copy
import json
import pickle

import pytest

from finetune_client.models import AUTO, Auto, DpoHyperparameters, Hyperparameters


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_auto__is_one_through_pickle(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(AUTO, protocol)) is AUTO


def test_auto__is_one_through_copies() -> None:
    assert copy.copy(AUTO) is AUTO
    assert copy.deepcopy({"a": [AUTO]})["a"][0] is AUTO
    assert Auto("auto") is AUTO
    assert list(Auto) == [AUTO]


def test_auto__looks_short() -> None:
    assert repr(AUTO) == "AUTO"
    assert str(AUTO) == f"{AUTO}" == "auto"


def test_auto__goes_out_as_text() -> None:
    written = Hyperparameters(n_epochs=AUTO, batch_size=4).to_dict()
    assert written == {"n_epochs": "auto", "batch_size": 4}
    assert type(written["n_epochs"]) is str
    assert json.dumps({"n_epochs": AUTO}) == '{"n_epochs": "auto"}'


def test_auto__is_read_from_text_alone() -> None:
    read = DpoHyperparameters.from_dict({"beta": "auto", "n_epochs": "Auto", "batch_size": AUTO})
    assert read == DpoHyperparameters(beta=AUTO, batch_size=AUTO, extra={"n_epochs": "Auto"})
    assert read.beta is AUTO


def test_three_states__are_told_apart() -> None:
    assert Hyperparameters().to_dict() == {}
    assert Hyperparameters(n_epochs=AUTO).to_dict() == {"n_epochs": "auto"}
    assert Hyperparameters(n_epochs=3).to_dict() == {"n_epochs": 3}


@pytest.mark.parametrize(
    ("sent", "read"),
    [(4, 4), (4.0, 4), (-0.0, 0), (2.0**53, 2**53)],
)
def test_whole_numbers__are_read_from_floats_too(sent: float, read: int) -> None:
    found = Hyperparameters.from_dict({"n_epochs": sent}).n_epochs
    assert found == read
    assert type(found) is int


@pytest.mark.parametrize("sent", [True, 4.5, 1e300, float("inf"), float("nan"), "4", [4], {}])
def test_whole_numbers__stay_in_extra_otherwise(sent: object) -> None:
    read = Hyperparameters.from_dict({"n_epochs": sent})
    assert read.n_epochs is None
    assert read.extra["n_epochs"] is sent
    assert read.to_dict() == {"n_epochs": sent}


@pytest.mark.parametrize("sent", [True, "1.5", [1.5]])
def test_numbers__stay_in_extra_if_they_are_none(sent: object) -> None:
    read = Hyperparameters.from_dict({"learning_rate_multiplier": sent})
    assert read == Hyperparameters(extra={"learning_rate_multiplier": sent})
