from __future__ import annotations

import base64
import math

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.metrics import Metrics
from finetune_client.models import FineTuningJobEvent

CSV = (
    b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
    b"1,2.5,0.25,,\n"
    b"2,2.0,0.5,2.25,0.4\n"
)


def test_from_csv__reads_what_is_there() -> None:
    metrics = Metrics.from_csv(CSV)
    assert metrics.names == [
        "train_loss",
        "train_accuracy",
        "valid_loss",
        "valid_mean_token_accuracy",
    ]
    assert metrics.series("train_loss") == [(1, 2.5), (2, 2.0)]
    assert metrics.series("valid_loss") == [(2, 2.25)]
    assert metrics.rows[0] == {"step": 1.0, "train_loss": 2.5, "train_accuracy": 0.25}


@pytest.mark.parametrize(
    "content",
    [
        base64.b64encode(CSV),
        base64.encodebytes(CSV),
        base64.b64encode(b"\xef\xbb\xbf" + CSV) + b"\n",
        b"\xef\xbb\xbf" + CSV,
        CSV.replace(b"\n", b"\r\n"),
    ],
    ids=["base64", "base64 in lines", "base64 with a mark", "with a mark", "CRLF"],
)
def test_from_csv__reads_it_in_whatever_wrapping(content: bytes) -> None:
    assert Metrics.from_csv(content) == Metrics.from_csv(CSV)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"no csv at all", b"\xff\xfe\x00", b"step,x\n", b"QUJD"]
)
def test_from_csv__of_nothing_is_empty(content: bytes) -> None:
    metrics = Metrics.from_csv(content)
    assert not metrics
    assert metrics.names == []


def test_from_csv__counts_rows_without_a_step_and_keeps_nan() -> None:
    metrics = Metrics.from_csv(b"train_loss,note\n0.5,warm\nnan,cold\n")
    assert metrics.series("train_loss")[0] == (1, 0.5)
    assert math.isnan(metrics.series("train_loss")[1][1])


def test_from_csv__passes_over_rows_without_a_step_where_others_have_one() -> None:
    metrics = Metrics.from_csv(b"step,train_loss\n10,0.5\n,0.4\nnone,0.3\n20,0.2\n")
    assert metrics.series("train_loss") == [(10, 0.5), (20, 0.2)]


def test_from_csv__passes_over_a_field_as_long_as_a_book() -> None:
    content = b'step,note,train_loss\n1,"%b",0.5\n2,a,0.4\n' % (b"x" * 200_000)
    assert Metrics.from_csv(content).series("train_loss") == [(2, 0.4)]


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_from_csv__never_fails(content: bytes) -> None:
    Metrics.from_csv(content)


def _event(data: object) -> FineTuningJobEvent:
    return FineTuningJobEvent.from_dict({"type": "metrics", "data": data})


def test_from_events__puts_steps_in_order_and_together() -> None:
    events = [
        _event({"step": 2, "total_steps": 2, "train_loss": 1.5}),
        _event({"step": 1, "total_steps": 2, "train_loss": 2, "flag": True}),
        _event({"step": 2, "full_valid_loss": 1.25}),
        _event({}),
        _event(None),
        _event({"train_loss": 9.0}),
    ]
    metrics = Metrics.from_events(events)
    assert metrics.names == ["train_loss", "full_valid_loss"]
    assert metrics.series("train_loss") == [(1, 2), (2, 1.5)]
    assert metrics.series("full_valid_loss") == [(2, 1.25)]


def test_from_events__names_what_lies_deeper() -> None:
    data = {"step": 1, "scores": {"exact": {"mean": 0.5, "all": [1, 0]}}, "errors": {"none": "x"}}
    assert Metrics.from_events([_event(data)]).series("scores.exact.mean") == [(1, 0.5)]


def test_from_events__passes_over_integers_larger_than_any_float() -> None:
    events = [_event({"step": 10**400, "a": 1}), _event({"step": 1, "a": 2, "b": -(10**400)})]
    assert Metrics.from_events(events).rows == [{"step": 1, "a": 2}]


def test_from_events__reads_objects_however_deep() -> None:
    data: dict[str, object] = {"step": 1, "last": 2.0}
    for _ in range(5000):
        data = {"step": 1, "a": data}
    metrics = Metrics.from_events([_event(data)])
    assert len(metrics.names) == 5001
    assert metrics.names[-1].endswith(".a.last")


UNMEASURED = (
    b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
    b"1,1.5,0.5,1.25,0.5\n"
    b"2,1.25,-1,-1.0,-1\n"
    b"3,1.0,0.75,-1,-1\n"
    b"4,-1,0.75,1.5,0.625\n"
)
"""A validation every third step, and two measurements of training that are missing."""


def test_from_csv__takes_minus_one_for_no_measurement_of_a_loss_or_an_accuracy() -> None:
    metrics = Metrics.from_csv(UNMEASURED)
    assert metrics.series("train_loss") == [(1, 1.5), (2, 1.25), (3, 1.0)]
    assert metrics.series("train_accuracy") == [(1, 0.5), (3, 0.75), (4, 0.75)]
    assert metrics.series("valid_loss") == [(1, 1.25), (4, 1.5)]
    assert metrics.series("valid_mean_token_accuracy") == [(1, 0.5), (4, 0.625)]
    assert [row["step"] for row in metrics.rows] == [1, 2, 3, 4]


def test_from_csv__has_no_curve_of_what_was_never_measured() -> None:
    content = b"step,train_loss,Valid Loss,full_valid_loss\n1,0.5,-1,-1\n2,0.25,-1,-1\n"
    assert Metrics.from_csv(content).names == ["train_loss"]


@pytest.mark.parametrize(
    "name",
    [
        "train_mean_reward",
        "valid_reward_mean",
        "mean_score",
        "rewards/accuracies",
        "learning_rate",
        "kl",
    ],
)
def test_from_csv__keeps_minus_one_where_it_may_be_a_value(name: str) -> None:
    content = f"step,{name}\n1,-1\n2,-0.5\n".encode()
    assert Metrics.from_csv(content).series(name) == [(1, -1.0), (2, -0.5)]


@pytest.mark.parametrize("value", ["-0.999", "-2", "0", "1", "-1e3"])
def test_from_csv__keeps_every_other_number(value: str) -> None:
    content = f"step,train_loss\n1,{value}\n".encode()
    assert Metrics.from_csv(content).series("train_loss") == [(1, float(value))]


def test_from_events__takes_minus_one_for_no_measurement_and_keeps_what_was_measured() -> None:
    events = [
        _event({"step": 1, "train_loss": 0.5, "valid_loss": 0.75, "mean_reward": -1}),
        _event({"step": 1, "valid_loss": -1.0}),
        _event({"step": 2, "train_loss": 0.25, "valid_loss": -1, "valid": {"loss": -1}}),
    ]
    metrics = Metrics.from_events(events)
    assert metrics.rows == [
        {"step": 1, "train_loss": 0.5, "valid_loss": 0.75, "mean_reward": -1},
        {"step": 2, "train_loss": 0.25},
    ]
    assert events[2].data == {
        "step": 2,
        "train_loss": 0.25,
        "valid_loss": -1,
        "valid": {"loss": -1},
    }


def test_series__names_the_curves_there_are() -> None:
    with pytest.raises(KeyError, match="no curve 'loss'; there are: train_loss, train_accuracy"):
        Metrics.from_csv(CSV).series("loss")
    with pytest.raises(KeyError, match="no curve 'loss'; there are: none"):
        Metrics().series("loss")


def test_repr__says_how_much_there_is() -> None:
    rows = [{"step": float(n), "train_loss": 1.0, "valid_loss": 2.0} for n in range(1, 5001)]
    assert repr(Metrics(rows=rows)) == "Metrics(5000 steps: train_loss, valid_loss)"
    assert repr(Metrics()) == "Metrics(0 steps: no curves)"
