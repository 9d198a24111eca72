from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import pytest

from finetune_client.errors import DecodeError
from finetune_client.models import (
    AudioData,
    EvalItem,
    FineTuningJobRequest,
    FineTuningMethod,
    Grader,
    GraderRun,
    GraderType,
    GraderValidation,
    InputAudio,
    InputImage,
    InputText,
    LabelModelGrader,
    MultiGrader,
    OutputText,
    PythonGrader,
    ReinforcementMethod,
    SamplingParams,
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


def test_eval_item__reads_every_kind_of_content() -> None:
    sent = {
        "type": "message",
        "role": "user",
        "content": [
            "bare text",
            {"type": "input_text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "output_text", "text": "t"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
            {"type": "input_video", "video": 5},
            {"text": "no type"},
        ],
    }
    item = EvalItem.from_dict(sent)
    assert item.content == [
        "bare text",
        InputText(text="t", prompt_cache_breakpoint={"mode": "explicit"}),
        OutputText(text="t"),
        InputImage(image_url="https://example.com/a.png", detail="low"),
        InputAudio(input_audio=AudioData(data="QUJD", format="wav")),
        {"type": "input_video", "video": 5},
        {"text": "no type"},
    ]
    assert item.to_dict() == sent


@pytest.mark.parametrize("content", ["text", {"type": "input_text", "text": "t"}, []])
def test_eval_item__content_may_be_one_piece(content: Any) -> None:
    item = EvalItem.from_dict({"role": "user", "content": content})
    assert item.extra == {}
    assert item.to_dict() == {"role": "user", "content": content}


@pytest.mark.parametrize("content", [5, [5], [["text"]], [None]])
def test_eval_item__content_of_another_kind_stays(content: Any) -> None:
    item = EvalItem.from_dict({"content": content})
    assert (item.content, item.extra) == (None, {"content": content})


def test_score_model__that_was_built_goes_out_whole() -> None:
    grader = ScoreModelGrader(
        name="s",
        model="gpt-5-mini",
        input=[EvalItem(role="user", content=[InputText(text="{{sample.output_text}}")])],
        range=[0, 10],
        sampling_params=SamplingParams(max_completions_tokens=100, temperature=0.5),
    )
    assert grader.to_dict() == {
        "type": "score_model",
        "name": "s",
        "model": "gpt-5-mini",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "{{sample.output_text}}"}],
            }
        ],
        "range": [0, 10],
        "sampling_params": {"max_completions_tokens": 100, "temperature": 0.5},
    }
    assert read_grader(json.loads(json.dumps(grader.to_dict()))) == grader


@pytest.mark.parametrize("ends", [[0, True], [0, "1"], "01", [None, 1]])
def test_score_model__range_of_another_kind_stays(ends: Any) -> None:
    found = read_grader({"type": "score_model", "range": ends})
    assert found.extra == {"range": ends}


@pytest.mark.parametrize("usage", [324, {"total_tokens": 324}, [1], "many"])
def test_run__token_usage_may_be_anything(usage: Any) -> None:
    sent = {"reward": 1, "metadata": {"token_usage": usage, "errors": {"other_error": True}}}
    run = GraderRun.from_dict(sent)
    assert run.metadata is not None
    assert run.metadata.token_usage == usage
    assert run.to_dict() == sent
    assert repr(run) == "GraderRun(reward=1)"


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
