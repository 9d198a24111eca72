from __future__ import annotations

import base64
import builtins
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.metrics import Metrics, compare
from finetune_client.models import FineTuningJobCheckpoint, FineTuningJobEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    assert repr(Metrics(rows=rows)) == "Metrics(5,000 steps: train_loss, valid_loss)"
    assert repr(Metrics(rows=rows[:1])) == "Metrics(1 step: train_loss, valid_loss)"
    assert repr(Metrics()) == "Metrics(0 steps: no curves)"


def _metrics(**curves: Sequence[float | None]) -> Metrics:
    """Return curves over the steps 1, 2, 3 ..."""
    length = max(map(len, curves.values()))
    rows: list[dict[str, float]] = []
    for index in range(length):
        row: dict[str, float] = {"step": index + 1}
        for name, values in curves.items():
            value = values[index] if index < len(values) else None
            if value is not None:
                row[name] = value
        rows.append(row)
    return Metrics(rows=rows)


def test_validation__prefers_the_whole_file_and_losses() -> None:
    assert _metrics(train_loss=[1.0]).validation is None
    assert _metrics(valid_loss=[1.0]).validation == "valid_loss"
    assert _metrics(valid_loss=[1.0], full_valid_loss=[1.0]).validation == "full_valid_loss"
    assert _metrics(full_valid_mean_reward=[1.0]).validation == "full_valid_mean_reward"


def test_losses__or_else_rewards() -> None:
    names = ["train_loss", "train_mean_token_accuracy", "valid_loss"]
    assert _metrics(**{name: [1.0] for name in names}).losses == ["train_loss", "valid_loss"]
    assert _metrics(train_mean_reward=[1.0], usage=[1.0]).losses == ["train_mean_reward"]


def test_best__is_the_lowest_loss_and_the_highest_reward() -> None:
    metrics = _metrics(
        valid_loss=[3.0, None, 2.0, 2.0, math.nan, 2.5], train_mean_reward=[0.1, 0.9, 0.9, 0.2]
    )
    assert metrics.best() == metrics.best("valid_loss") == (3, 2.0)
    assert metrics.best("train_mean_reward") == (2, 0.9)
    assert metrics.best("valid_loss", lowest=False) == (1, 3.0)


def test_best__without_such_a_curve() -> None:
    with pytest.raises(KeyError, match="no validation curve; there are: train_loss"):
        _metrics(train_loss=[1.0]).best()
    with pytest.raises(KeyError, match="no curve 'x'; there are: train_loss"):
        _metrics(train_loss=[1.0]).best("x")
    with pytest.raises(ValueError, match="the curve 'train_loss' has no finite value"):
        _metrics(train_loss=[math.nan]).best("train_loss")


def test_rise_since_best__is_a_fraction_of_the_lowest_loss() -> None:
    assert _metrics(valid_loss=[3.0, 2.0, 2.5]).rise_since_best() == 0.25
    assert _metrics(valid_loss=[3.0, 2.0]).rise_since_best() == 0.0
    assert _metrics(train_loss=[1.0, 2.0]).rise_since_best() == 0.0
    assert _metrics(full_valid_mean_reward=[1.0, 2.0]).rise_since_best() == 0.0


def test_smoothed__is_the_debiased_average() -> None:
    smooth = _metrics(a=[4.0, 2.0, math.nan, None, 1.0], b=[1.0]).smoothed(0.5)
    first, second = 4.0, (0.25 * 4 + 0.5 * 2) / 0.75
    third = (0.125 * 4 + 0.25 * 2 + 0.5 * 1) / 0.875
    said = smooth.series("a")
    assert [value for _, value in said if not math.isnan(value)] == [first, second, third]
    assert math.isnan(said[2][1])
    assert smooth.series("b") == [(1, 1.0)]


def test_smoothed__leaves_the_original_and_refuses_other_weights() -> None:
    metrics = _metrics(a=[4.0, 2.0])
    assert metrics.smoothed(0.0) == metrics
    metrics.smoothed(0.9)
    assert metrics == _metrics(a=[4.0, 2.0])
    for weight in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match="weight must be from 0 to below 1, got "):
            metrics.smoothed(weight)


def test_to_csv__is_read_back() -> None:
    metrics = _metrics(train_loss=[2.5, 2.0], valid_loss=[None, 2.25])
    assert metrics.to_csv() == "step,train_loss,valid_loss\n1,2.5,\n2,2.0,2.25\n"
    assert Metrics.from_csv(metrics.to_csv().encode()) == metrics


def test_to_dataframe__is_indexed_by_step() -> None:
    pytest.importorskip("pandas")
    frame = _metrics(train_loss=[2.5, 2.0], valid_loss=[None, 2.25]).to_dataframe()
    assert list(frame.columns) == ["train_loss", "valid_loss"]
    assert frame.index.name == "step"
    assert frame.loc[2, "valid_loss"] == 2.25
    assert math.isnan(frame.loc[1, "valid_loss"])


@pytest.mark.parametrize(
    ("method", "package", "said"),
    [
        ("to_dataframe", "pandas", "to_dataframe() needs pandas: pip install pandas"),
        ("plot", "matplotlib", "plot() needs matplotlib: pip install 'finetune-client[plot]'"),
    ],
)
def test_missing_packages__are_named(
    monkeypatch: pytest.MonkeyPatch, method: str, package: str, said: str
) -> None:
    find = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return find(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError) as caught:
        getattr(_metrics(a=[1.0]), method)()
    assert str(caught.value) == said


CHECKPOINTS = [
    FineTuningJobCheckpoint(
        id="ftckpt_1", step_number=2, fine_tuned_model_checkpoint="ft:x:ckpt-step-2"
    )
]


def test_to_svg__marks_checkpoints_epochs_and_the_best_step() -> None:
    metrics = _metrics(train_loss=[3.0, 2.0, 1.0], valid_loss=[None, 2.0, 2.5])
    picture = metrics.to_svg(title="ftjob-1", checkpoints=CHECKPOINTS, n_epochs=3)
    for text in ("ftjob-1", "ft:x:ckpt-step-2", "epoch", "best: 2 at step 2", "valid_loss"):
        assert text in picture


def test_to_svg__draws_a_long_curve_raw_and_smoothed() -> None:
    picture = _metrics(train_loss=[1.0 + n % 2 for n in range(50)]).to_svg()
    assert "train_loss (raw)" in picture
    assert ">loss</text>" in picture


def test_repr_html__shows_picture_and_ends_and_escapes_names() -> None:
    page = _metrics(**{"<b>loss": [2.0, 1.0]})._repr_html_()
    assert "<svg" in page
    assert "&lt;b&gt;loss</td><td>2 (step 1)</td><td>1 (step 2)</td>" in page
    assert "<b>" not in page
    assert Metrics()._repr_html_() == "<p>Metrics(0 steps: no curves)</p>"


def test_plot__draws_the_same_with_matplotlib() -> None:
    pytest.importorskip("matplotlib")
    metrics = _metrics(train_loss=[3.0 - n / 20 for n in range(40)], valid_loss=[2.0, 1.0, 1.5])
    axes = metrics.plot(checkpoints=CHECKPOINTS, n_epochs=2)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "train_loss",
        "valid_loss",
        "best: 1 at step 2",
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")
    axes.figure.canvas.draw()
    assert metrics.plot(["valid_loss"], ax=axes) is axes


def test_log_to__gives_each_step_to_the_run() -> None:
    class Run:
        def __init__(self) -> None:
            self.rows: list[tuple[int, dict[str, float]]] = []

        def log(self, values: dict[str, float], step: int) -> None:
            self.rows.append((step, values))

    run = Run()
    _metrics(train_loss=[2.5, None, 2.0]).log_to(run)
    assert run.rows == [(1, {"train_loss": 2.5}), (3, {"train_loss": 2.0})]


def test_compare__puts_the_best_run_first_and_those_without_the_curve_last() -> None:
    runs = {
        "a": _metrics(valid_loss=[3.0, 2.0, 2.5]),
        "none": Metrics(),
        "b": _metrics(valid_loss=[3.0, 1.5]),
    }
    compared = compare(runs)
    assert compared.name == "valid_loss"
    assert [row[0] for row in compared.rows] == ["b", "a", "none"]
    assert str(compared) == (
        "run         best   at step        last\n"
        "b            1.5         2         1.5\n"
        "a              2         2         2.5\n"
        "none  no valid_loss"
    )
    assert "<svg" in compared._repr_html_()


def test_compare__by_a_reward_wants_the_highest() -> None:
    runs = {"a": _metrics(train_mean_reward=[0.1]), "b": _metrics(train_mean_reward=[0.2])}
    assert [row[0] for row in compare(runs).rows] == ["b", "a"]
    with pytest.raises(ValueError, match="none of the runs has a curve to compare"):
        compare({"a": Metrics()})
