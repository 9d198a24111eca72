from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import DecodeError
from finetune_client.models import FineTuningJob, FineTuningJobEvent, Model, Page
from tests.support.model_values import json_values, leaves


def test_page__with_all_there_is() -> None:
    sent = {
        "object": "list",
        "data": [{"id": "a"}, {"id": "b"}],
        "has_more": True,
        "first_id": "a",
        "last_id": "b",
        "total": 7,
    }
    page = Page.from_dict(sent, FineTuningJob)
    assert page == Page(
        object="list",
        data=[FineTuningJob(id="a"), FineTuningJob(id="b")],
        has_more=True,
        first_id="a",
        last_id="b",
        extra={"total": 7},
    )
    assert list(page) == page.data
    assert page.to_dict() == sent


def test_page__with_rows_alone() -> None:
    page = Page.from_dict({"data": [{"id": "m"}]}, Model)
    assert (page.has_more, page.first_id, page.last_id, page.object) == (None, None, None, None)
    assert page.to_dict() == {"data": [{"id": "m"}]}


def test_page__of_a_bare_array() -> None:
    page = Page.from_dict([{"id": "a"}], FineTuningJob)
    assert page == Page(data=[FineTuningJob(id="a")])
    assert page.to_dict() == {"data": [{"id": "a"}]}


@pytest.mark.parametrize("rows", [[], None])
def test_page__without_rows(rows: Any) -> None:
    page = Page.from_dict({"object": "list", "data": rows, "has_more": False}, FineTuningJob)
    assert page.data == []
    assert page.has_more is False


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, 'Cannot read a Page: "data" is missing.'),
        ({"error": {"message": "no"}}, 'Cannot read a Page: "data" is missing.'),
        ({"data": {}}, 'Cannot read a Page: "data" must be an array, got dict.'),
        ({"data": "text"}, 'Cannot read a Page: "data" must be an array, got str.'),
        (None, "Cannot read a Page: it must be an object, got NoneType."),
        ("text", "Cannot read a Page: it must be an object, got str."),
    ],
)
def test_page__that_is_none(sent: Any, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Page.from_dict(sent, FineTuningJob)
    assert str(caught.value) == message


def test_page__keeps_rows_that_cannot_be_read_where_they_were() -> None:
    rows = [5, {"id": "a"}, {"status": "running"}, {"id": "b"}, None, {"id": "c"}, "x"]
    page = Page.from_dict({"data": rows}, FineTuningJob)
    assert [row.id for row in page] == ["a", "b", "c"]
    assert page.unreadable == [5, {"status": "running"}, None, "x"]
    assert "<p>4 rows cannot be read; see unreadable.</p>" in page._repr_html_()
    for other in (page, copy.deepcopy(page), pickle.loads(pickle.dumps(page))):
        assert other.to_dict() == {"data": rows}
        assert other == page


def test_page__that_was_made_anew_puts_unreadable_rows_last() -> None:
    page = Page.from_dict({"data": [5, {"id": "a"}]}, FineTuningJob)
    assert replace(page, has_more=False).to_dict() == {"data": [{"id": "a"}, 5], "has_more": False}


def test_page__of_events_that_have_no_ids() -> None:
    page = Page.from_dict({"data": [{"message": "m"}, {}]}, FineTuningJobEvent)
    assert page.data == [FineTuningJobEvent(message="m"), FineTuningJobEvent()]


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {"data": st.lists(json_values | st.builds(lambda: {"id": "a"}), max_size=5)},
        optional=dict.fromkeys(["object", "has_more", "first_id", "last_id", "new"], json_values),
    )
)
def test_page__loses_nothing(sent: dict[str, Any]) -> None:
    kept = copy.deepcopy(sent)
    for row in (FineTuningJob, FineTuningJobEvent):
        page: Page[Any] = Page.from_dict(sent, row)
        assert sorted(leaves(page.to_dict()), key=repr) == sorted(leaves(sent), key=repr)
    assert sent == kept


def test_page__looks_short() -> None:
    page = Page.from_dict({"data": [{"id": f"job-{n}"} for n in range(100)]}, FineTuningJob)
    assert len(repr(page)) < 400
    assert repr(Page.from_dict([], Model)) == "Page(data=[])"
