"""What holds for every type, whichever types there are."""

from __future__ import annotations

import copy
import json
import os
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given as check, settings, strategies as st

from finetune_client.errors import DecodeError
from finetune_client.models.codec import APIObject
from tests.support.model_values import (
    MODELS,
    corrupted,
    given,
    json_values,
    leaves,
    required_keys,
    values,
    wire_fields,
)

every_model = pytest.mark.parametrize("what", MODELS, ids=lambda what: what.__name__)
EXAMPLES = int(os.environ.get("FINETUNE_TEST_EXAMPLES", "5"))
"""Few, so that all tests stay quick; set it to hundreds after a change to how things are read."""
some = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def assert_nothing_lost(what: Any, sent: dict[str, Any]) -> None:
    kept = copy.deepcopy(sent)
    written = what.from_dict(sent).to_dict()
    assert sorted(leaves(written), key=repr) == sorted(leaves(sent), key=repr)
    assert sent == kept


@every_model
@some
@check(data=st.data())
def test_round_trip__every_field_comes_back_and_counts(what: Any, data: st.DataObject) -> None:
    value = data.draw(given(what))
    written = json.loads(json.dumps(value.to_dict()))
    assert set(wire_fields(what)) | set(value.extra) == set(written)
    assert what.from_dict(written) == value
    for name in set(wire_fields(what)) - required_keys(what):
        without = replace(value, **{name: None})
        assert name not in without.to_dict()
        assert without != value
        assert getattr(what.from_dict(without.to_dict()), name) is None


@every_model
@some
@check(data=st.data())
def test_reading__loses_nothing_whatever_stands_under_a_key(what: Any, data: st.DataObject) -> None:
    needed = dict.fromkeys(required_keys(what), "x")
    sent = {name: data.draw(json_values) for name in wire_fields(what)} | needed
    assert_nothing_lost(what, sent)


@every_model
@some
@check(data=st.data())
def test_reading__loses_nothing_whatever_stands_further_down(
    what: Any, data: st.DataObject
) -> None:
    assert_nothing_lost(what, data.draw(corrupted(what)))


@every_model
@settings(some, max_examples=1)
@check(data=st.data())
def test_values__can_be_pickled_copied_replaced_and_compared(
    what: Any, data: st.DataObject
) -> None:
    value = data.draw(given(what))
    for other in (
        *(pickle.loads(pickle.dumps(value, one)) for one in range(pickle.HIGHEST_PROTOCOL + 1)),
        copy.copy(value),
        copy.deepcopy(value),
        replace(value),
    ):
        assert other == value
        assert other.to_dict() == value.to_dict()
    assert value != replace(value, extra={"another": 1})
    assert value != "a text"
    assert repr(value).startswith(f"{what.__name__}(")


@every_model
@settings(some, max_examples=1)
@check(data=st.data())
def test_to_dict__gives_a_dict_of_its_own(what: Any, data: st.DataObject) -> None:
    sent = data.draw(values(what))
    value = what.from_dict(sent)
    written = value.to_dict()
    for key in list(written):
        if isinstance(written[key], (dict, list)):
            written[key].clear()
    written["another"] = 1
    assert value == what.from_dict(sent)


def article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"


@every_model
@pytest.mark.parametrize("sent", [None, 5, "text", ["list"], True])
def test_from_dict__refuses_what_is_no_object(what: Any, sent: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        what.from_dict(sent)
    name, kind = what.__name__, type(sent).__name__
    assert (
        str(caught.value)
        == f"Cannot read {article(name)} {name}: it must be an object, got {kind}."
    )
    assert caught.value.path == ""


@every_model
def test_from_dict__says_which_key_is_missing(what: Any) -> None:
    for key in required_keys(what):
        rest = dict.fromkeys(required_keys(what) - {key}, "x")
        for wrong, found in (({}, "it is missing"), ({key: 5}, "got int")):
            with pytest.raises(DecodeError) as caught:
                what.from_dict({**rest, **wrong})
            assert caught.value.path == key
            assert (
                str(caught.value)
                == f'Cannot read {article(what.__name__)} {what.__name__}: "{key}" must be text, {found}.'
            )


def test_required_keys__are_few() -> None:
    needed = {what.__name__: sorted(required_keys(what)) for what in MODELS if required_keys(what)}
    with_id, with_type = NEED_ID.split(), NEED_TYPE.split()
    expected = {name: ["id"] for name in with_id} | {name: ["type"] for name in with_type}
    assert needed == expected


NEED_ID = """
    CheckpointPermission FileObject FineTuningJob FineTuningJobCheckpoint Model Upload UploadPart
"""
NEED_TYPE = """
    FineTuningMethod ImagePart InputAudio InputImage InputText Integration LabelModelGrader
    MultiGrader OutputText PythonGrader RefusalPart ScoreModelGrader StringCheckGrader TextPart
    TextSimilarityGrader UnknownGrader
"""


def test_types__must_write_themselves() -> None:
    with pytest.raises(NotImplementedError):
        APIObject().to_dict()


@every_model
def test_values__are_no_keys_and_take_no_other_attributes(what: Any) -> None:
    value = what.from_dict(dict.fromkeys(required_keys(what), "x"))
    with pytest.raises(TypeError, match="unhashable type"):
        hash(value)
    with pytest.raises(AttributeError):
        value.no_such_field = 1
