from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import DecodeError
from finetune_client.models import (
    FineTuningJobRequest,
    FineTuningMethod,
    Grader,
    GraderType,
    GraderValidation,
    LabelModelGrader,
    MultiGrader,
    PythonGrader,
    ReinforcementMethod,
    ScoreModelGrader,
    StringCheckGrader,
    TextSimilarityGrader,
    UnknownGrader,
    grader_problems,
    read_grader,
    unknown_fields,
)
from finetune_client.models.codec import copy_fields, pop_integer, pop_required, write_fields
from finetune_client.models.graders.base import BaseGrader
from finetune_client.models.graders.registry import GRADERS
from tests.support.graders import label_model, multi, string_check
from tests.support.model_values import json_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

A = StringCheckGrader(name="a", input="x", reference="y", operation="eq")
B = PythonGrader(name="b", source="def grade(sample, item): return 1.0")


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("string_check", StringCheckGrader),
        ("text_similarity", TextSimilarityGrader),
        ("python", PythonGrader),
        ("score_model", ScoreModelGrader),
        ("label_model", LabelModelGrader),
        ("multi", MultiGrader),
        ("tomorrow", UnknownGrader),
    ],
)
def test_read_grader__goes_by_type(kind: str, what: type) -> None:
    sent = {"type": kind, "name": "n", "pass_threshold": 0.5}
    found = read_grader(sent)
    assert type(found) is what
    assert found.extra == {"pass_threshold": 0.5}
    assert found.to_dict() == sent
    method = ReinforcementMethod.from_dict({"grader": sent})
    assert method.grader == GraderValidation.from_dict({"grader": sent}).grader == found


@pytest.mark.parametrize("sent", [None, "python", [], {}, {"type": None}, {"type": 5}])
def test_read_grader__refuses_what_has_no_type(sent: Any) -> None:
    with pytest.raises(DecodeError):
        read_grader(sent)
    assert ReinforcementMethod.from_dict({"grader": sent}).grader is None


@pytest.mark.parametrize(
    "graders",
    [
        {"a": A.to_dict(), "b": B.to_dict()},
        [A.to_dict(), B.to_dict()],
        [A.to_dict(), {**B.to_dict(), "name": "a"}],
        [{"type": "python", "source": "s"}],
        A.to_dict(),
        {"type": A.to_dict()},
        {},
        [],
    ],
)
def test_multi__gives_graders_back_in_the_shape_they_came(graders: Any) -> None:
    sent = {"type": "multi", "name": "m", "graders": graders, "calculate_output": "a + b"}
    found = MultiGrader.from_dict(sent)
    assert found.extra == {}
    assert found.to_dict() == sent


@pytest.mark.parametrize(
    "graders", [5, "a", [5], {"a": None}, {"a": {}}, {"a": A.to_dict(), "b": 5}]
)
def test_multi__keeps_graders_that_cannot_be_read(graders: Any) -> None:
    found = MultiGrader.from_dict({"type": "multi", "graders": graders})
    assert found.graders is None
    assert found.extra == {"graders": graders}
    assert found.to_dict() == {"type": "multi", "graders": graders}


@pytest.mark.parametrize("given", [{"a": A, "b": B}, [A, B], (A, B)])
def test_multi__that_was_built_has_a_map(given: Any) -> None:
    built = MultiGrader(name="m", graders=given, calculate_output="a + b")
    assert built.to_dict()["graders"] == {"a": A.to_dict(), "b": B.to_dict()}


def test_multi__takes_one_grader_and_plain_dicts() -> None:
    assert MultiGrader(graders=A).graders == {"a": A}
    plain: Any = [A.to_dict(), B.to_dict()]
    assert MultiGrader(graders=plain).to_dict()["graders"] == dict(zip("ab", plain, strict=True))
    mapped: Any = {"a": A.to_dict()}
    assert MultiGrader(graders=mapped).to_dict()["graders"] == mapped


@pytest.mark.parametrize("given", [[A, A], [PythonGrader(source="s"), A], []])
def test_multi__leaves_alone_what_cannot_be_named(given: Any) -> None:
    assert MultiGrader(graders=given).graders == given


def test_multi__names_its_graders_whatever_their_shape() -> None:
    for graders in ({"a": A.to_dict()}, [A.to_dict(), {"type": "python"}], A.to_dict()):
        found = MultiGrader.from_dict({"type": "multi", "graders": graders})
        assert found.named_graders == {"a": A}
    assert MultiGrader().named_graders == {}


def nested(depth: int) -> dict[str, Any]:
    grader: dict[str, Any] = {"type": "python", "name": "innermost"}
    for _ in range(depth):
        grader = {"type": "multi", "name": "m", "graders": {"a": grader}}
    return grader


def test_multi__inside_multi_is_read_to_a_depth_and_kept_below() -> None:
    found: Any = read_grader(nested(100_000))
    for _ in range(8):
        assert type(found) is MultiGrader
        found = found.named_graders["a"]
    assert type(found) is UnknownGrader
    assert found.extra["graders"]["a"]["graders"]["a"]["type"] == "multi"


def test_nesting__of_any_depth_is_read_shown_and_written() -> None:
    method = FineTuningMethod.from_dict(
        {"type": "reinforcement", "reinforcement": {"grader": nested(100_000)}}
    )
    assert len(repr(method)) < 3000
    written, depth = method.to_dict()["reinforcement"]["grader"], 0
    while "graders" in written:
        written, depth = written["graders"]["a"], depth + 1
    assert (depth, written) == (100_000, {"type": "python", "name": "innermost"})


@pytest.mark.parametrize(
    "grader",
    [
        multi({"a": string_check()}),
        multi({"a": string_check(), "b": label_model()}, "0.5 * a + min(b, 1e-3) ^ 2 / sqrt(a)"),
        multi({"a": {**string_check().to_dict(), "name": None}}),
        multi({"two words": string_check()}, "two words * 2"),
        multi({"sim-1": string_check(), "sim-1-strict": string_check()}, "sim-1 * sim-1-strict"),
        multi({"1": string_check(), "sim1": string_check()}, "sim1 + 1"),
        {"type": "tomorrow", "anything": 1},
    ],
)
def test_problems__none(grader: Any) -> None:
    assert grader_problems(grader) == []


@pytest.mark.parametrize(
    ("grader", "problem"),
    [
        (None, "grader: is missing"),
        ("python", "grader: must be an object, got 'python'"),
        ({}, "grader.type: is missing"),
        ({"type": 5}, "grader.type: must be text, got 5"),
        (
            label_model(),
            'grader.type: must not be "label_model" here; it stands only inside a multi grader',
        ),
        (
            multi({"b": label_model(labels=None)}, "b"),
            "grader.graders.b.labels: is missing",
        ),
        (
            multi({"b": label_model(passing_labels=[])}, "b"),
            "grader.graders.b.passing_labels: must be an array of texts, at least one, got []",
        ),
        (
            multi({"b": label_model(passing_labels=["good", "fair", "odd"])}, "b"),
            "grader.graders.b.passing_labels: must be some of labels, which lacks 'fair', 'odd'",
        ),
        (multi(None), "grader.graders: is missing"),
        (multi({}), "grader.graders: must have at least one grader"),
        (multi(5), "grader.graders: must be a map from name to grader, got 5"),
        (
            {"type": "multi", "graders": {"type": "python"}, "calculate_output": "a"},
            "grader.graders: must be a map from name to grader, got one grader",
        ),
        (
            {"type": "multi", "graders": [{"type": "python"}], "calculate_output": "a"},
            "grader.graders: must be a map from name to grader, got [{'type': 'python'}]",
        ),
        (multi({"a": 5}), "grader.graders.a: must be an object, got 5"),
        (multi({"a": {}}), "grader.graders.a.type: is missing"),
        (
            multi({"a": string_check(operation="x")}),
            "grader.graders.a.operation: must be one of eq, ne, like, ilike, got 'x'",
        ),
        (
            multi({"a": multi({"b": 5})}),
            (
                'grader.graders.a.type: must not be "multi" here; '
                "it cannot stand inside another multi grader"
            ),
        ),
        (
            multi({"a": string_check(), 5: string_check()}),
            "grader.graders: each name must be text that is not empty, got 5",
        ),
        (
            multi({"a": string_check(), "": string_check()}),
            "grader.graders: each name must be text that is not empty, got ''",
        ),
        (
            {"type": "multi", "name": 5, "graders": {"a": string_check()}, "calculate_output": "a"},
            "grader.name: must be text, got 5",
        ),
        (multi({"a": string_check()}, None), "grader.calculate_output: is missing"),
        (multi({"a": string_check()}, 5), "grader.calculate_output: must be text, got 5"),
        (
            multi({"a": string_check()}, "a + round(a)"),
            "grader.calculate_output: uses round, which is not the name of a grader",
        ),
        (
            multi({"a": string_check()}, "a + other * other"),
            "grader.calculate_output: uses other, which is not the name of a grader",
        ),
    ],
)
def test_problems__one_each(grader: Any, problem: str) -> None:
    assert grader_problems(grader) == [problem]


def test_problems__in_a_request_have_the_whole_path() -> None:
    request = FineTuningJobRequest(
        model="o4-mini",
        training_file="file-1",
        method=ReinforcementMethod(grader=multi({"a": string_check(operation="x")}, "a + b")),
    )
    assert request.problems() == [
        (
            "method.reinforcement.grader.graders.a.operation: "
            "must be one of eq, ne, like, ilike, got 'x'"
        ),
        "method.reinforcement.grader.calculate_output: uses b, which is not the name of a grader",
    ]


def test_problems__of_graders_inside_one_another_without_end() -> None:
    grader: Any = {"type": "python", "source": "s"}
    for _ in range(100_000):
        grader = {"type": "multi", "graders": {"a": grader}, "calculate_output": "a"}
    assert grader_problems(grader) == [
        (
            'grader.graders.a.type: must not be "multi" here; '
            "it cannot stand inside another multi grader"
        )
    ]


KEYS = ["name", "input", "operation", "source", "model", "range", "sampling_params", "labels"]
MORE = ["passing_labels", "graders", "calculate_output", "reference", "evaluation_metric"]
TYPES = ["string_check", "text_similarity", "python", "score_model", "label_model", "multi"]


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES)}, optional=dict.fromkeys(KEYS + MORE, json_values)
    )
)
def test_problems__never_raises(grader: dict[str, Any]) -> None:
    assert all(one.startswith("grader") for one in grader_problems(grader))


@dataclass(kw_only=True, slots=True, repr=False, eq=False)
class LengthGrader(BaseGrader):
    """A kind that is made up here."""

    TYPE: ClassVar[str] = "length"
    OTHER_KEYS: ClassVar[tuple[str, ...]] = ("unit",)
    type: str = TYPE
    longest: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        rest = copy_fields(cls, data)
        return cls(
            type=pop_required(cls, rest, "type"), longest=pop_integer(rest, "longest"), extra=rest
        )

    def to_dict(self) -> dict[str, Any]:
        return write_fields({"type": self.type, "longest": self.longest}, self.extra)

    @staticmethod
    def problems(at: str, grader: Mapping[str, Any]) -> Iterator[str]:
        if grader.get("longest") == 0:
            yield f"{at}.longest: must not be 0"


def test_registry__a_new_kind_is_known_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {"type": "length", "longest": 0, "longst": 3, "unit": "words"}
    multi = {"type": "multi", "graders": {"a": sent}, "calculate_output": "a"}
    assert type(read_grader(sent)) is UnknownGrader
    monkeypatch.setitem(GRADERS, "length", LengthGrader)

    expected = LengthGrader(longest=0, extra={"longst": 3, "unit": "words"})
    assert read_grader(sent) == expected
    assert MultiGrader.from_dict(multi).named_graders == {"a": expected}
    assert grader_problems(sent) == ["grader.longest: must not be 0"]
    assert grader_problems(multi) == ["grader.graders.a.longest: must not be 0"]
    request = FineTuningJobRequest(
        method={"type": "reinforcement", "reinforcement": {"grader": multi}}
    )
    assert unknown_fields(request) == [
        (
            "method.reinforcement.grader.graders.a.longst: did you mean longest? "
            "No field has this name here; it is sent as given."
        )
    ]
    assert request.problems()[-1] == (
        "method.reinforcement.grader.graders.a.longest: must not be 0"
    )


def test_registry__is_the_union_of_all_graders() -> None:
    assert {*GRADERS.values(), UnknownGrader} == set(get_args(Grader))
    assert vars(GraderType) == {name.upper(): name for name in GRADERS}
    for name, kind in GRADERS.items():
        assert kind().type == name  # type: ignore[call-arg]  # `UnknownGrader` alone needs a type
